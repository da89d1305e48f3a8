"""Rows as columns, before anything was checked; and how JSON rows and CSV become that."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .faults import RequestFault

Values = Sequence[Any] | npt.NDArray[Any]

# What pandas and R write for a missing value; in a text column a known category wins over these.
MISSING_WORDS = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns of `count` values each; `is_text` when all values were written as text (CSV)."""

    count: int
    columns: Mapping[str, Values]
    is_text: bool = False


def check_count(count: int, limit: int) -> None:
    """Refuse an empty or too long request.

    Raises:
        RequestFault: TooManyRows or ShapeInvalid.
    """
    if count > limit:
        raise RequestFault(
            "TooManyRows", f"{count} rows > limit {limit}; send them in several requests."
        )
    if count == 0:
        raise RequestFault("ShapeInvalid", "The request has no rows; send at least one.")


def table_from_rows(rows: object, *, limit: int) -> Table:
    """Turn `[{"a": 1}, …]` into columns; a key that only some rows have is missing in the others.

    Raises:
        RequestFault: not a list of objects, empty, or more than `limit` rows.
    """
    if not isinstance(rows, list):
        raise RequestFault(
            "BodyUnreadable",
            'Rows must be a list of objects, one a row: [{"column": value, …}, …].',
        )
    check_count(len(rows), limit)
    for position, row in enumerate(rows):
        if type(row) is not dict:
            raise RequestFault(
                "BodyUnreadable",
                f"Row {position} is not an object with a value for each column.",
            )
    if len(rows) == 1:
        return Table(count=1, columns={name: (value,) for name, value in rows[0].items()})
    names = dict.fromkeys(key for row in rows for key in row)
    return Table(count=len(rows), columns={name: [row.get(name) for row in rows] for name in names})


def table_from_csv(body: bytes, *, limit: int) -> Table:
    """Read CSV with a header line (UTF-8, RFC 4180).

    Raises:
        RequestFault: not UTF-8, no header, a repeated column, an uneven line, too many rows.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestFault(
            "BodyUnreadable", f"The CSV is not UTF-8 (byte {error.start}); save it as UTF-8."
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if not header:
            raise RequestFault(
                "BodyUnreadable", "The CSV is empty; its first line must name the columns."
            )
        if len(set(header)) != len(header):
            raise RequestFault("BodyUnreadable", "The CSV's header names a column twice.")
        lines: list[list[str]] = []
        for line in reader:
            if not line:
                continue
            if len(line) != len(header):
                raise RequestFault(
                    "BodyUnreadable",
                    f"Line {reader.line_num} of the CSV has {len(line)} values, the header has "
                    f"{len(header)}.",
                )
            lines.append(line)
            if len(lines) > limit:
                raise RequestFault(
                    "TooManyRows", f"More than {limit} rows; send them in several requests."
                )
    except csv.Error as error:
        raise RequestFault(
            "BodyUnreadable", f"Line {reader.line_num} of the CSV cannot be read: {error}."
        ) from error
    check_count(len(lines), limit)
    columns = {name: [line[at] for line in lines] for at, name in enumerate(header)}
    return Table(count=len(lines), columns=columns, is_text=True)


def table_from_matrix(matrix: npt.NDArray[Any], names: Sequence[str]) -> Table:
    """View a matrix of shape (rows, len(names)) as columns."""
    return Table(
        count=matrix.shape[0],
        columns={name: np.asarray(matrix[:, at]) for at, name in enumerate(names)},
    )
