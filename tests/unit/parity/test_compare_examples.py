"""Worked examples of the tolerance and of the comparison."""

from typing import Any

import numpy as np
import pytest

from slipway_runtime.parity.compare import Compared, compare
from slipway_runtime.parity.tolerance import tolerance_for


@pytest.mark.parametrize(
    ("role", "answers", "absolute"),
    [
        pytest.param("Value", [100.0, 200.0, 300.0], 0.02, id="median-size"),
        pytest.param("Value", [0.0, np.nan, -4.0], 4e-4, id="zero-and-nan-do-not-count"),
        pytest.param("Value", [0.0, 0.0], 1e-4, id="all-zero"),
        pytest.param("Probabilities", [0.5, 0.9], 1e-4, id="probabilities"),
    ],
)
def test_tolerance(role: Any, answers: list[float], absolute: float) -> None:
    told = tolerance_for(role, np.array(answers))
    assert told.absolute == pytest.approx(absolute)
    assert told.relative == 1e-3
    assert told.label_flips == 0


@pytest.mark.parametrize(
    ("original", "converted", "words"),
    [
        pytest.param(["a", "b"], ["a", "a"], "1 of 2 rows get another label", id="flip"),
        pytest.param([0, 1], [[0], [1]], "has shape", id="shape"),
        pytest.param([0, 1], ["0", "1"], "gives text instead of integers", id="kind"),
    ],
)
def test_label_difference(original: Any, converted: Any, words: str) -> None:
    done = compare(
        [
            Compared(
                name="label",
                role="Label",
                original=np.array(original),
                converted=np.array(converted),
                tolerance=tolerance_for("Label", np.array(original)),
            )
        ]
    )
    assert not done.passed
    assert words in (done.detail or "")
