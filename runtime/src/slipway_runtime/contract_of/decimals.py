"""Short decimals: what people, tables and JSON write, and what float32 makes of them.

A threshold of 39.1 means something else to a table of decimals than to one of float32 numbers:
float32(39.1) lies below 39.1. Whoever rounds thresholds or makes probes asks here which it is.
"""

import numpy as np
from numpy.typing import NDArray

_FLOAT32_DIGITS, _MOST_DIGITS = 7, 11  # longer ones may be decimals by chance
_SAME = 16 * float(np.finfo(np.float64).eps)  # a mean of two decimals is off by no more


def shortest_decimals(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The shortest decimal that float32 reads as each value. Example: 39.099998474 → 39.1."""
    return values.astype(np.str_).astype(np.float64)


def are_decimals(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each value is a short decimal, but for the last bits of float64.

    Example: 39.099999999999994 → True, 1/3 → False, 0.5 → True, inf → False.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        near = shortest_decimals(values.astype(np.float32))
        return np.asarray(np.abs(values - near) <= _SAME * np.abs(values))


def beside_decimal(value: float) -> tuple[float, float, float]:
    """The short decimal that `value` is, with its neighbours of six digits below and above."""
    centre = float(shortest_decimals(np.array([value], dtype=np.float32))[0])
    digits = 5 - (int(np.floor(np.log10(abs(centre)))) if centre else 0)
    step = 10.0**-digits
    return (float(f"{centre - step:.9g}"), centre, float(f"{centre + step:.9g}"))


def beside_long_decimal(value: float) -> tuple[float, float] | None:
    """The decimals beside one that is too long for float32; None: `value` is none.

    Example: 100000001.5 → (100000001.4, 100000001.6), which float32 takes for one number.
    """
    digits, exponent = f"{value:.15e}".split("e")
    shown = digits.lstrip("-").replace(".", "").rstrip("0")
    if not _FLOAT32_DIGITS < len(shown) <= _MOST_DIGITS:
        return None
    step = 10.0 ** (int(exponent) - len(shown) + 1)
    return value - step, value + step
