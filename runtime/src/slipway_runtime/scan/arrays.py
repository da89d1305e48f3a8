"""How many raw bytes joblib lays behind an array's description, so that the walk stays in step.

joblib writes a `NumpyArrayWrapper` where an array was, and the array's bytes right behind it (or,
for arrays of objects, one more pickle). Read from joblib 1.x `numpy_pickle.py`.
"""

import math
import re
from collections.abc import Callable
from typing import Final

from slipway_runtime.scan.values import Global, Made, Value

_WRAPPER: Final = Global("joblib.numpy_pickle", "NumpyArrayWrapper")
_RECONSTRUCTOR: Final = Global("copyreg", "_reconstructor")
_DTYPE: Final = Global("numpy", "dtype")
_CODE_WITH_SIZE: Final = re.compile(r"([biufcmMSUVO])(\d+)")
_HAS_OBJECTS: Final = 1  # numpy's NPY_ITEM_REFCOUNT
_TEXT_UNIT: Final = 4


def is_wrapper(value: Made) -> bool:
    """Whether an object is joblib's array description, made as joblib's pickles make it."""
    if value.by == _WRAPPER:
        return isinstance(value.arguments, tuple) and not value.arguments
    return value.by == _RECONSTRUCTOR and makes_wrapper(value)


def makes_wrapper(value: Made) -> bool:
    """Whether the wrapper class takes part in making this object, in whatever way."""
    if value.by == _WRAPPER:
        return True
    return isinstance(value.arguments, tuple) and _WRAPPER in value.arguments


def array_bytes(wrapper: Made, *, padding: Callable[[], bytes]) -> int | None:
    """Bytes of the array behind its description, alignment included; None: a pickle lies there.

    Args:
        padding: reads the one byte that tells how many bytes of alignment follow.

    Raises:
        ValueError: the description is not one that joblib writes.
    """
    state = wrapper.state
    if not isinstance(state, dict):
        raise ValueError("an array without a description")
    shape = state.get("shape")
    if not isinstance(shape, tuple) or not all(_is_size(size) for size in shape):
        raise ValueError("an array without a shape")
    size = _item_bytes(state.get("dtype"))
    if size is None:
        return None
    aligned = 0
    if state.get("numpy_array_alignment_bytes") is not None:
        aligned = int.from_bytes(padding(), "little")
    return aligned + math.prod(shape) * size


def _is_size(value: Value) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _item_bytes(dtype: Value) -> int | None:
    """Bytes of one item; None for objects. Whatever is ambiguous is refused."""
    if not isinstance(dtype, Made) or dtype.by != _DTYPE or not dtype.arguments:
        raise ValueError("an array without a type")
    found = _CODE_WITH_SIZE.fullmatch(str(dtype.arguments[0]))
    if found is None:
        raise ValueError("an array of an unknown type")
    kind, size = found[1], int(found[2])
    state = dtype.state
    if state is not None:
        if not isinstance(state, tuple) or len(state) < 8 or type(state[7]) is not int:
            raise ValueError("an array type that is not numpy's")
        size = _size_of_state(kind, size, state[5])
        if bool(state[7] & _HAS_OBJECTS) != (kind == "O"):
            raise ValueError("an array type that hides objects")
    elif kind == "U":
        size *= _TEXT_UNIT
    return None if kind == "O" else size


def _size_of_state(kind: str, size: int, told: Value) -> int:
    if kind == "U":
        size *= _TEXT_UNIT
    if told not in (-1, size):
        raise ValueError("an array type of two sizes")
    return size
