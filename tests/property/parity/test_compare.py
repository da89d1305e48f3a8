"""No difference above the tolerance ever passes, and none within it ever fails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.artifact.manifest import Tolerance
from slipway_runtime.parity.compare import Compared, Comparison, compare

_NUMBERS = st.one_of(
    st.floats(width=64), st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e308])
)
_PAIRS = st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=20)


def _compare(pairs: list[tuple[float, float]], absolute: float, relative: float) -> Comparison:
    original, converted = (np.array(side) for side in zip(*pairs, strict=True))
    return compare(
        [
            Compared(
                name="value",
                role="Value",
                original=original,
                converted=converted,
                tolerance=Tolerance(absolute=absolute, relative=relative),
            )
        ]
    )


def _allowed(original: float, converted: float, absolute: float, relative: float) -> bool:
    if original == converted or (np.isnan(original) and np.isnan(converted)):
        return True
    if not (np.isfinite(original) and np.isfinite(converted)):
        return False
    return abs(converted - original) <= absolute + relative * abs(original)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(_PAIRS, st.floats(0, 1e3), st.floats(0, 0.1))
def test_passes_exactly_what_is_allowed(
    pairs: list[tuple[float, float]], absolute: float, relative: float
) -> None:
    expected = all(_allowed(*pair, absolute, relative) for pair in pairs)
    assert _compare(pairs, absolute, relative).passed is expected


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(_PAIRS, st.floats(0, 1e3))
def test_absolute_tolerance_is_symmetric(pairs: list[tuple[float, float]], absolute: float) -> None:
    back = [(second, first) for first, second in pairs]
    assert _compare(pairs, absolute, 0.0).passed is _compare(back, absolute, 0.0).passed


@given(st.lists(_NUMBERS, min_size=1, max_size=20))
def test_equal_to_itself(values: list[float]) -> None:
    done = _compare([(value, value) for value in values], 0.0, 0.0)
    assert done.passed
    assert done.max_absolute_error == 0
