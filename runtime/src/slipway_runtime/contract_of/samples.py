"""Reads samples (CSV, JSON records, JSON lines, Parquet) as the table the model wants.

Text is read by the model's own eyes: "NA" is a hole unless the model knows a category "NA".
Called by `convert.step`; raises `SamplesInvalid` naming the column, the row and the value.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from slipway_runtime.contract_of.reading import (
    ColumnReading,
    ModelReading,
    Table,
    is_missing,
    without_target,
)
from slipway_runtime.errors import BuildError

# What tables write where a value is missing (as pandas reads them).
HOLES = frozenset(
    (
        "",
        "NA",
        "N/A",
        "n/a",
        "#N/A",
        "#NA",
        "<NA>",
        "NaN",
        "nan",
        "-NaN",
        "-nan",
        "NULL",
        "null",
        "None",
    )
)
_TRUE, _FALSE = ("true", "True", "TRUE", "1", "1.0"), ("false", "False", "FALSE", "0", "0.0")

Raw = dict[str, list[object]]


def read_samples(path: Path) -> Raw:
    """Read the rows of a file, the format told from its content, values as they stand there.

    Raises:
        BuildError: `SamplesInvalid`, when it is no such table or has no rows.
    """
    content = path.read_bytes()
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise _invalid(path, "it is empty")
    if start[:1] == b"<":
        raise _invalid(path, "it holds an HTML or XML page, not a table")
    try:
        if content.startswith(b"PAR1"):
            raw: Raw = pq.read_table(io.BytesIO(content)).to_pydict()
        elif start[:1] in (b"[", b"{"):
            raw = _read_json(content)
        else:
            raw = _read_csv(content)
    except (pa.ArrowInvalid, orjson.JSONDecodeError, UnicodeDecodeError, ValueError) as error:
        raise _invalid(
            path, f"it cannot be read as CSV, JSON records or Parquet ({error})"
        ) from error
    if not raw or not next(iter(raw.values())):
        raise _invalid(path, "it has no rows")
    return raw


def align_samples(raw: Raw, reading: ModelReading, path: Path) -> Table:
    """Pick and type the model's columns; further ones (the target, an index) are left out.

    Raises:
        BuildError: `SamplesInvalid`, when a column is missing or a value has the wrong type.
    """
    names = _match_names(raw, reading, path)
    return {
        column.name: _typed(raw[source], column, path)
        for column, source in zip(reading.columns, names, strict=True)
    }


def _read_csv(content: bytes) -> Raw:
    if b"\x00" in content[:4096]:
        raise ValueError("it holds bytes that no text has")
    head = content.split(b"\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=lambda mark: head.count(mark.encode()))
    names = pacsv.open_csv(
        io.BytesIO(content), parse_options=pacsv.ParseOptions(delimiter=delimiter)
    ).schema.names
    table = pacsv.read_csv(
        io.BytesIO(content),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    return table.to_pydict()  # type: ignore[no-any-return]


def _read_json(content: bytes) -> Raw:
    try:
        rows = orjson.loads(content)
    except orjson.JSONDecodeError:
        rows = [orjson.loads(line) for line in content.splitlines() if line.strip()]
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("JSON samples are a list of rows, each an object of column and value")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _match_names(raw: Raw, reading: ModelReading, path: Path) -> Sequence[str]:
    missing = [name for name in reading.names if name not in raw]
    if not missing:
        return reading.names
    if reading.named:
        raise _invalid(
            path,
            f"column {_quoted(missing)} is missing (it has {_quoted(raw)})",
            "add it, or point spec.model.samples at rows like the training rows",
        )
    width = len(reading.columns)
    names = without_target(tuple(raw), width)
    if len(names) == width:
        return names
    raise _invalid(
        path,
        f"it has {len(raw)} columns and the model takes {width}",
        "give the model's columns in its order, with or without the target",
    )


def _typed(
    values: list[object], column: ColumnReading, path: Path
) -> "np.ndarray[tuple[int], np.dtype[np.generic]]":
    if column.kind is None:
        return _guessed(values)
    known = {str(value) for value in column.categories or ()}
    held = column.values
    out: list[object] = []
    for row, value in enumerate(values):
        hole = is_missing(value) or (
            isinstance(value, str) and value in HOLES and (value == "" or value not in known)
        )
        if hole and column.kind == "Text":
            out.append("")
        elif hole:
            out.append(None if held == "Text" else np.nan)
        else:
            out.append(_value(value, held, row, column, path))
    if held == "Text":
        return np.array(out, dtype=object)
    holes = any(is_missing(value) for value in out)
    if held == "Integer" and not holes:
        return np.array(out, dtype=np.int64)
    if held == "Boolean" and not holes:
        return np.array(out, dtype=np.bool_)
    return np.array(out, dtype=np.float64)


def _value(value: object, held: str, row: int, column: ColumnReading, path: Path) -> object:
    try:
        match held:
            case "Text":
                return value if isinstance(value, str) else str(value)
            case "Boolean":
                if isinstance(value, str):
                    return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[value]
                return bool(value)
            case "Integer":
                number = float(value)  # type: ignore[arg-type]
                if number != int(number):
                    raise ValueError
                return int(number)
            case _:
                if isinstance(value, str) and value in ("true", "True", "false", "False"):
                    return float(value in _TRUE)
                return float(value)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        wanted = {"Boolean": "true or false", "Integer": "a whole number"}.get(held, "a number")
        raise _invalid(
            path,
            f'column "{column.name}" has {value!r} in row {row + 1} and the model takes {wanted}',
            "correct the value or leave it empty",
        ) from error


def _guessed(values: list[object]) -> "np.ndarray[tuple[int], np.dtype[np.generic]]":
    """Type a column of which the model tells nothing: numbers if all are, else text."""
    held = [None if is_missing(v) or (isinstance(v, str) and v in HOLES) else v for v in values]
    if all(isinstance(value, bool) for value in held):
        return np.array(held, dtype=np.bool_)
    try:
        return np.array(
            [np.nan if value is None else float(value) for value in held],  # type: ignore[arg-type]
            dtype=np.float64,
        )
    except (TypeError, ValueError):
        return np.array([None if value is None else str(value) for value in held], dtype=object)


def _quoted(names: object) -> str:
    shown = [f'"{name}"' for name in names]  # type: ignore[attr-defined]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


def _invalid(path: Path, why: str, action: str = "give CSV, JSON records or Parquet") -> BuildError:
    return BuildError("SamplesInvalid", f'Reading samples "{path.name}" failed: {why}; {action}.')
