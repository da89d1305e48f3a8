"""The datatypes of the Open Inference Protocol and their numpy counterparts."""

from typing import Any, Final

import numpy as np

NUMPY: Final[dict[str, Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
FLOATS: Final = frozenset({"FP16", "FP32", "FP64"})
INTEGERS: Final = frozenset(
    {"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"}
)
NUMBERS: Final = FLOATS | INTEGERS


def limits_of(datatype: str) -> tuple[float, float]:
    """The smallest and largest finite value that `datatype` (a number) can hold, as floats.

    For 64-bit integers the upper limit is the largest float below 2^63 or 2^64, so that a float
    inside the limits always converts.
    """
    dtype = NUMPY[datatype]
    if datatype in FLOATS:
        information = np.finfo(dtype)
        return float(information.min), float(information.max)
    bounds = np.iinfo(dtype)
    high = float(bounds.max)
    if high > bounds.max:  # 2^63 - 1 and 2^64 - 1 round up
        high = float(np.nextafter(high, 0.0))
    return float(bounds.min), high
