"""When two answers are the same, and how far they are apart otherwise."""

import math
from typing import Any

import pytest

from slipway_operator.decide.analysis.comparison import measure
from slipway_operator.state.answers import Answer

INF = math.inf


def answer(code: int = 200, *, rows: int = 1, **outputs: Any) -> Answer:
    return Answer(id="a", source="route", code=code, rows=rows, outputs=outputs)


@pytest.mark.parametrize(
    ("stable", "canary", "distances"),
    [
        pytest.param({"y": (2.0,)}, {"y": (2.0,)}, (0.0,), id="equal"),
        pytest.param({"y": (0.5,)}, {"y": (0.25,)}, (0.25,), id="near 0 as it is"),
        pytest.param({"y": (200.0,)}, {"y": (202.0,)}, (0.01,), id="else as a share"),
        pytest.param({"y": (-200.0,)}, {"y": (-202,)}, (0.01,), id="below 0 as well"),
        pytest.param({"y": (None,)}, {"y": (None,)}, (0.0,), id="both no number"),
        pytest.param({"y": (None,)}, {"y": (1.0,)}, (INF,), id="one no number"),
        pytest.param({"y": (1.0,)}, {"y": (None,)}, (INF,), id="the other"),
        pytest.param({"y": (1.0,)}, {"y": ("1",)}, (INF,), id="a text and a number"),
        pytest.param({"y": (1,)}, {"y": (10**400,)}, (INF,), id="beyond all floats"),
        pytest.param({"y": (True,)}, {"y": (False,)}, (1.0,), id="booleans"),
        pytest.param({"y": ((1.0, 2.0),)}, {"y": ((1.0, 2.5),)}, (0.25,), id="the worst value"),
        pytest.param({"y": ((1.0, 2.0),)}, {"y": ((1.0,),)}, (INF,), id="another length"),
        pytest.param({"y": ((),)}, {"y": ((),)}, (0.0,), id="no value"),
        pytest.param(
            {"a": (1.0,), "b": (1.0,)}, {"a": (1.0,), "b": (2.0,)}, (1.0,), id="the worst output"
        ),
        pytest.param(
            {"l": ("x",), "p": ((0.1, 0.9),)}, {"l": ("x",), "p": ((0.4, 0.6),)}, (0.0,),
            id="the class decides",
        ),
        pytest.param({"l": (("x", "y"),)}, {"l": (("x", "z"),)}, (INF,), id="one of the classes"),
        pytest.param({"l": ("x",)}, {"output": ("x",)}, (0.0,), id="called otherwise"),
        pytest.param({"y": (1.0,)}, {"a": (1.0,), "b": (1.0,)}, (INF,), id="another number"),
    ],
)  # fmt: skip
def test_how_far_answers_are_apart(
    stable: dict[str, Any], canary: dict[str, Any], distances: tuple[float, ...]
) -> None:
    assert measure(answer(**stable), answer(**canary)) == pytest.approx(distances)


def test_every_row_has_its_distance_and_those_that_only_one_tells_none() -> None:
    stable = answer(rows=20, y=(1.0, 2.0, 3.0))
    canary = answer(rows=20, y=(1.0, 2.5))
    assert measure(stable, canary) == (0.0, 0.25)
    assert measure(stable, answer(rows=19, y=(1.0, 2.5))) == (INF,)


@pytest.mark.parametrize(
    ("stable", "canary", "distances"),
    [
        pytest.param(answer(422), answer(422), (0.0,), id="both refused"),
        pytest.param(answer(500), answer(500), (0.0,), id="both failed"),
        pytest.param(answer(y=(1.0,)), answer(422), (INF,), id="the canary refused"),
        pytest.param(answer(y=(1.0,)), answer(500), (INF,), id="the canary failed"),
        pytest.param(answer(422), answer(y=(1.0,)), (INF,), id="the canary takes more"),
        pytest.param(answer(422), answer(400), (INF,), id="refused otherwise"),
        pytest.param(answer(503), answer(y=(1.0,)), None, id="the stable failed"),
        pytest.param(answer(503), answer(422), None, id="the stable failed otherwise"),
        pytest.param(answer(), answer(y=(1.0,)), None, id="nothing told of the stable's"),
        pytest.param(answer(y=(1.0,)), answer(), None, id="nothing told of the canary's"),
        pytest.param(answer(y=()), answer(y=(1.0,)), None, id="no row"),
    ],
)
def test_what_failed_is_compared_by_its_code(
    stable: Answer, canary: Answer, distances: tuple[float, ...] | None
) -> None:
    assert measure(stable, canary) == distances
