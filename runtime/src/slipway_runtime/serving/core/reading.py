"""Reads the values of one column in the column's own type, and says which are missing or wrong.

Values that are of another type but can be read (the text "41" for a number) are read and marked.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import datatypes
from .schema import ColumnSpec
from .table import MISSING_WORDS, Values

_TRUE = frozenset({"true", "True", "TRUE", "1"})
_FALSE = frozenset({"false", "False", "FALSE", "0"})


@dataclass(slots=True, kw_only=True)
class Reading:
    """`values` has the column's canonical type: float64, the integer type, bool, or str objects.

    `missing`: no value was given. `wrong`: of another type. `unreadable`: wrong, and no value could
    be made of it. At missing and unreadable positions `values` holds a filler.
    """

    values: npt.NDArray[Any]
    missing: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]
    unreadable: npt.NDArray[np.bool_]


def canonical_dtype(datatype: str) -> Any:
    """The type in which a column is checked: doubles for floats, so that bounds compare exactly."""
    return np.dtype(np.float64) if datatype in datatypes.FLOATS else datatypes.NUMPY[datatype]


def read_column(spec: ColumnSpec, values: Values, *, is_text: bool) -> Reading:
    """Read `values` (a list or an array of shape (rows,)) as `spec` says."""
    quick = _read_floats(spec, values, is_text=is_text)
    return quick if quick is not None else _read_each(spec, values, is_text=is_text)


def read_scalar(spec: ColumnSpec, text: str) -> Any:
    """Read a value that was written as text in a rule.

    Raises:
        ValueError: the text is not a value of the column's type.
    """
    value, wrong = _READERS[_family(spec)](spec, text, True)
    if wrong or value is None:
        raise ValueError(text)
    return value


def _family(spec: ColumnSpec) -> str:
    if spec.datatype == "BYTES":
        return "text"
    if spec.datatype == "BOOL":
        return "boolean"
    return "float" if spec.datatype in datatypes.FLOATS else "integer"


def _read_floats(spec: ColumnSpec, values: Values, *, is_text: bool) -> Reading | None:
    """The vectorised way for a float column whose values are plainly numbers, else None."""
    if _family(spec) != "float":
        return None
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fiu":
            return None
        array = values.astype(np.float64)
    elif is_text:
        try:
            array = np.array(
                ["nan" if value in MISSING_WORDS else value for value in values], dtype=np.float64
            )
        except ValueError:
            return None
    else:
        if not {int, float, type(None)}.issuperset(map(type, values)):
            return None
        try:
            array = np.array(values, dtype=np.float64)
        except OverflowError:
            return None
    missing = np.isnan(array)
    low, high = datatypes.limits_of(spec.datatype)
    wrong = ~missing & ~((array >= low) & (array <= high))
    return Reading(values=array, missing=missing, wrong=wrong, unreadable=wrong.copy())


def _read_each(spec: ColumnSpec, values: Values, *, is_text: bool) -> Reading:
    reader = _READERS[_family(spec)]
    dtype = canonical_dtype(spec.datatype)
    size = len(values)
    filler: Any = "" if dtype.kind == "O" else (math.nan if dtype.kind == "f" else 0)
    result = np.full(size, filler, dtype=dtype)
    missing = np.zeros(size, dtype=np.bool_)
    wrong = np.zeros(size, dtype=np.bool_)
    unreadable = np.zeros(size, dtype=np.bool_)
    items = values.tolist() if isinstance(values, np.ndarray) else values
    for at, item in enumerate(items):
        if item is None or (type(item) is float and math.isnan(item)):
            missing[at] = True
            continue
        value, is_wrong = reader(spec, item, is_text)
        if is_wrong:
            wrong[at] = True
            unreadable[at] = value is None
        elif value is None:
            missing[at] = True
        if value is not None:
            result[at] = value
    return Reading(values=result, missing=missing, wrong=wrong, unreadable=unreadable)


def _read_float(spec: ColumnSpec, item: Any, is_text: bool) -> tuple[Any, bool]:
    wrong = isinstance(item, bool) or not isinstance(item, int | float)
    if isinstance(item, str):
        item = item.strip()
        if is_text:
            if item in MISSING_WORDS:
                return None, False
            wrong = False
    elif not isinstance(item, int | float):
        return None, True
    try:
        value = float(item)
    except (ValueError, OverflowError):
        return None, True
    low, high = datatypes.limits_of(spec.datatype)
    return (value, wrong) if low <= value <= high else (None, True)


def _read_integer(spec: ColumnSpec, item: Any, is_text: bool) -> tuple[Any, bool]:
    wrong = isinstance(item, bool) or not isinstance(item, int)
    if isinstance(item, str):
        item = item.strip()
        if is_text:
            if item in MISSING_WORDS:
                return None, False
            wrong = False
    elif isinstance(item, float):
        wrong = not item.is_integer()  # 3.0 is how JSON made from a float column writes 3
        if wrong:
            return None, True
    elif not isinstance(item, int):
        return None, True
    value = _parse_integer(item)
    if value is None:
        return None, True
    bounds = np.iinfo(datatypes.NUMPY[spec.datatype])
    return (value, wrong) if bounds.min <= value <= bounds.max else (None, True)


def _parse_integer(item: Any) -> int | None:
    """An integer, also from the text "3" or "3.0"."""
    try:
        return int(item)
    except (ValueError, OverflowError):
        pass
    try:
        number = float(item)
    except (ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None


def _read_boolean(_spec: ColumnSpec, item: Any, is_text: bool) -> tuple[Any, bool]:
    if isinstance(item, bool):
        return item, False
    word = str(item).strip() if isinstance(item, str | int) else ""
    if is_text and word in MISSING_WORDS:
        return None, False
    if word in _TRUE:
        return True, not is_text
    if word in _FALSE:
        return False, not is_text
    return None, True


def _read_text(spec: ColumnSpec, item: Any, is_text: bool) -> tuple[Any, bool]:
    if isinstance(item, str):
        if is_text and item in MISSING_WORDS and item not in (spec.categories or ()):
            return None, False
        return item, False
    if isinstance(item, float) and item.is_integer():
        item = int(item)
    return (str(item), True) if isinstance(item, int | float) else (None, True)


_READERS = {
    "float": _read_float,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "text": _read_text,
}
