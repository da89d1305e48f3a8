"""A pod's phase and its containers' states, in a kubelet's words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_operator.local.pod_status import (
    ContainerView,
    build_status,
    cut_message,
    decide_phase,
    name_exit,
    read_last_words,
    render_container,
)
from slipway_operator.local.processes import Exit, RunState

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def end(code: int = 0, **more: Any) -> Exit:
    return Exit(**{"code": code, "out_of_memory": False, "started": 0.0, "finished": 1.0, **more})


def view(name: str = "c", code: int | None = None, **more: Any) -> ContainerView:
    state = RunState.RUNNING if code is None else RunState.EXITED
    values = {"name": name, "image": "", "run_id": "r", "state": state}
    if code is not None:
        values["exit"] = end(code)
    return ContainerView(**{**values, **more})


NEW = view(state=RunState.NEW)


@pytest.mark.parametrize(
    ("exit_", "reason"),
    [
        pytest.param(end(0), "Completed", id="completed"),
        pytest.param(end(1), "Error", id="error"),
        pytest.param(end(137, out_of_memory=True), "OOMKilled", id="memory"),
        pytest.param(end(127, error="no file"), "StartError", id="no-start"),
        pytest.param(end(137, lost=True), "ContainerStatusUnknown", id="lost"),
    ],
)
def test_reasons_of_an_end(exit_: Exit, reason: str) -> None:
    assert name_exit(exit_) == reason


@pytest.mark.parametrize(
    ("policy", "init", "main", "phase"),
    [
        pytest.param("Always", [], [NEW], "Pending", id="nothing-yet"),
        pytest.param("Always", [view()], [NEW], "Pending", id="init-runs"),
        pytest.param("Always", [view(code=0)], [view()], "Running", id="runs"),
        pytest.param("Always", [], [view(code=1)], "Running", id="crashed-and-comes-back"),
        pytest.param("Always", [view(code=1)], [NEW], "Pending", id="init-crashed"),
        pytest.param("Never", [view(code=0)], [view(code=0)], "Succeeded", id="succeeded"),
        pytest.param("Never", [view(code=1)], [NEW], "Failed", id="init-failed"),
        pytest.param("Never", [], [view(code=1)], "Failed", id="failed"),
        pytest.param("Never", [], [view(code=1), view()], "Running", id="sibling-runs"),
        pytest.param("OnFailure", [], [view(code=1)], "Running", id="on-failure-comes-back"),
        pytest.param("OnFailure", [], [view(code=0)], "Succeeded", id="on-failure-succeeded"),
    ],
)
def test_phases(
    policy: str, init: list[ContainerView], main: list[ContainerView], phase: str
) -> None:
    assert decide_phase(policy, init, main) == phase


def test_a_container_tells_its_end_before_this_life() -> None:
    status = render_container(
        view(ready=True, restarts=2, previous=end(1), previous_message="last words")
    )
    assert status["ready"] is True
    assert status["restartCount"] == 2
    assert "running" in status["state"]
    assert status["lastState"]["terminated"]["message"] == "last words"


def test_an_end_by_the_engine_is_the_pods_failure() -> None:
    pod = {"spec": {"restartPolicy": "Never"}}
    status = build_status(
        pod=pod, init=[], main=[view(code=143)], now=NOW, failure=("DeadlineExceeded", "Too long.")
    )
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_ready_moves_its_transition_time_only_when_it_changes() -> None:
    first = build_status(pod={"spec": {}}, init=[], main=[view(ready=True)], now=NOW)
    later = datetime(2026, 1, 3, tzinfo=UTC)
    same = build_status(
        pod={"spec": {}, "status": first}, init=[], main=[view(ready=True)], now=later
    )
    other = build_status(pod={"spec": {}, "status": first}, init=[], main=[view()], now=later)
    assert same["conditions"] == first["conditions"]
    ready = next(c for c in other["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["lastTransitionTime"]) == ("False", "2026-01-03T00:00:00Z")


def test_last_words_are_the_last_lines_that_say_something() -> None:
    assert read_last_words("a\n\nb\nc\n  \nd\n") == "b | c | d"
    assert len(read_last_words("x" * 10_000)) == 500


def test_a_message_is_cut_between_characters() -> None:
    assert len(cut_message("é" * 4000).encode()) == 4096
