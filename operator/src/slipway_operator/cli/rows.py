"""Rows for a model out of CSV, JSON, JSON lines or Parquet, cut into requests of a bounded size.

The format is seen from the content, never from the name. CSV is sent as CSV, so that the server,
which knows the columns' types, reads the text; the others are sent as JSON rows.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from slipway_operator.cli.errors import USAGE, CliError

FORMATS = "CSV with a header line, a JSON list of objects, JSON lines, or Parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows as encoded pieces; a request is `head + pieces joined by separator + tail`."""

    media_type: str
    head: bytes
    pieces: Sequence[bytes]
    separator: bytes
    tail: bytes

    def requests(self, *, max_rows: int, max_bytes: int) -> Iterator[tuple[int, bytes]]:
        """(number of rows, body) of each request; a row above the limit goes alone."""
        chunk: list[bytes] = []
        size = base = len(self.head) + len(self.tail)
        for piece in self.pieces:
            cost = len(piece) + len(self.separator)
            if chunk and (len(chunk) == max_rows or size + cost > max_bytes):
                yield len(chunk), self._body(chunk)
                chunk, size = [], base
            chunk.append(piece)
            size += cost
        if chunk:
            yield len(chunk), self._body(chunk)

    def _body(self, chunk: Sequence[bytes]) -> bytes:
        return self.head + self.separator.join(chunk) + self.tail


def read_rows(content: bytes, source: str) -> Rows:
    """Rows of any known format; CliError (usage) naming the source when it is none."""
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise CliError(f"{source} is empty.", todo=f"Give {FORMATS}.", code=USAGE)
    if content.startswith(b"PAR1"):
        return _json_rows(_read_parquet(content, source), source)
    if start[:1] in b"[{":
        return _json_rows(_read_json(start, source), source)
    return _read_csv(content, source)


def _json_rows(rows: list[Any], source: str) -> Rows:
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise CliError(
                f"{source}: row {position} is not an object with a value for each column.",
                todo=f"Give {FORMATS}.",
                code=USAGE,
            )
    if not rows:
        raise CliError(f"{source} holds no rows.", todo=f"Give {FORMATS}.", code=USAGE)
    return Rows(
        media_type="application/json",
        head=b"[",
        pieces=[json.dumps(_plain(row), ensure_ascii=False).encode() for row in rows],
        separator=b",",
        tail=b"]",
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON has: NaN is null, a date its ISO text."""
    return {
        name: None
        if isinstance(value, float) and math.isnan(value)
        else value
        if value is None or isinstance(value, str | int | float | bool | list | dict)
        else str(value)
        for name, value in row.items()
    }


def _read_json(text: bytes, source: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except ValueError:
            raise CliError(
                f"{source} is not JSON: {error}.", todo=f"Give {FORMATS}.", code=USAGE
            ) from error
    if isinstance(found, dict) and list(found) == ["rows"] and isinstance(found["rows"], list):
        return list(found["rows"])  # the form that the server takes too
    return found if isinstance(found, list) else [found]


def _read_parquet(content: bytes, source: str) -> list[Any]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise CliError(
            f"Cannot read {source}: reading Parquet needs the package pyarrow.",
            todo="Install it (`pip install pyarrow`), or give the rows as CSV.",
        ) from error
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(content))
    except pyarrow.ArrowException as error:
        raise CliError(f"{source} is not Parquet: {error}.", code=USAGE) from error
    rows: list[Any] = table.to_pylist()
    return rows


def _read_csv(content: bytes, source: str) -> Rows:
    try:
        text = content.decode("utf-8-sig")
        records = [record for record in csv.reader(io.StringIO(text), strict=True) if record]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CliError(
            f"{source} is neither CSV nor JSON nor Parquet: {error}.",
            todo=f"Give {FORMATS}.",
            code=USAGE,
        ) from error
    header = records[0]
    for position, record in enumerate(records[1:]):
        if len(record) != len(header):
            raise CliError(
                f"{source}: row {position} has {len(record)} values, the header {len(header)}.",
                todo="Give each row a value for each column; an empty one is missing.",
                code=USAGE,
            )
    if len(records) == 1:
        raise CliError(f"{source} has a header and no rows.", code=USAGE)
    return Rows(
        media_type="text/csv",
        head=_csv_line(header),
        pieces=[_csv_line(record) for record in records[1:]],
        separator=b"",
        tail=b"",
    )


def _csv_line(record: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(record)
    return line.getvalue().encode()
