"""An event that is told again has the same name; another one has another."""

from dataclasses import replace

import pytest

from slipway_operator.edges.kubernetes.events import name_event
from slipway_operator.plan import Event

ABOUT = {"metadata": {"name": "penguins", "uid": "u1"}}
EVENT = Event(type="Warning", reason="DriftCorrected", message="Service was edited.")


def test_the_same_thing_said_again_has_the_same_name() -> None:
    name = name_event(ABOUT, EVENT)
    assert name == name_event({"metadata": {"uid": "u1", "name": "penguins"}}, replace(EVENT))
    assert name.startswith("penguins.")
    assert len(name) <= 253


@pytest.mark.parametrize("field", ["type", "reason", "message"])
def test_whatever_differs_makes_another_event(field: str) -> None:
    other = replace(EVENT, **{field: "Other"})
    assert name_event(ABOUT, other) != name_event(ABOUT, EVENT)


def test_a_model_of_the_same_name_has_events_of_its_own() -> None:
    again = {"metadata": {"name": "penguins", "uid": "u2"}}
    assert name_event(again, EVENT) != name_event(ABOUT, EVENT)
