"""How many rows are timed, and what is made of the times; by a clock that only calls move."""

from typing import Any

import numpy as np
import pytest

from slipway_runtime.steps import speed


class Session:
    """A call takes `call` seconds and `row` seconds more for each row."""

    def __init__(self, clock: list[float], *, call: float, row: float) -> None:
        self._clock, self._call, self._row = clock, call, row

    def run(self, tensors: dict[str, Any]) -> list[Any]:
        self._clock[0] += self._call + self._row * len(tensors["x"])
        return []

    def close(self) -> None:
        pass


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("call", "row", "rows"),
    [
        pytest.param(0.0, 1e-6, 1000, id="fast"),
        pytest.param(0.03, 1e-6, 1000, id="a call costs much, a row little"),
        pytest.param(0.0, 1e-3, 100, id="slow"),
        pytest.param(0.0, 1.0, 10, id="very slow: no large call is even tried"),
    ],
)
def test_as_many_rows_as_the_budget_bears(
    clock: list[float], call: float, row: float, rows: int
) -> None:
    sides = {"original": (Session(clock, call=call, row=row), {"x": np.zeros((3, 1))})}
    assert speed._choose_rows(sides) == rows
    assert clock[0] <= 25


def test_both_sides_are_called_equally_often_and_at_least_so_often(clock: list[float]) -> None:
    tensors = {"x": np.zeros((3, 1))}
    slow, fast = Session(clock, call=9.0, row=0), Session(clock, call=1.0, row=0)
    taken, last = speed._time({"original": (slow, tensors), "onnxruntime": (fast, tensors)}, 10)
    assert taken == {"original": [9.0] * 5, "onnxruntime": [1.0] * 5}
    assert last == 10.0


def test_a_pace_is_rows_a_second() -> None:
    pace = speed._pace([0.1, 0.2, 0.4], 100)
    assert pace == speed.Pace(median=500.0, low=333.3, high=666.7)
    assert speed._pace(None, 100) is None
