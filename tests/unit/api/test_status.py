"""The status as it is written and read back."""

from slipway_operator.api.conditions import Condition, ConditionStatus, ConditionType
from slipway_operator.api.status import (
    Build,
    Display,
    Report,
    Revision,
    Role,
    Status,
    read_status,
    render_status,
)

WHOLE = Status(
    observed_generation=4,
    url="http://127.0.0.1:8080",
    replicas=1,
    conditions=(
        Condition(
            type=ConditionType.READY,
            status=ConditionStatus.TRUE,
            reason="Serving",
            message="It answers.",
            observed_generation=4,
            last_transition_time="2026-03-04T09:12:00Z",
        ),
    ),
    display=Display(stable="7c1f", runtime="ONNX"),
    build=Build(hash="3f2a", attempt=1, report=Report(step="publish", ok=True)),
    revisions=(Revision(hash="7c1f000000", role=Role.STABLE, ready=1, desired=1),),
)


def test_what_was_written_is_read_back() -> None:
    assert read_status(render_status(WHOLE)) == WHOLE


def test_what_is_absent_is_not_written() -> None:
    assert render_status(Status()) == {}
    assert render_status(WHOLE)["build"] == {
        "hash": "3f2a",
        "attempt": 1,
        "report": {"step": "publish", "ok": True},
    }


def test_no_status_is_an_empty_one() -> None:
    assert read_status(None) == read_status({}) == Status()


def test_a_damaged_member_counts_as_never_written() -> None:
    found = read_status({"observedGeneration": 3, "url": 7, "conditions": [{"type": "Ready"}]})
    assert found == Status(observed_generation=3)


def test_what_a_newer_version_wrote_is_ignored() -> None:
    found = {"replicas": 2, "novelty": {"a": 1}, "build": {"hash": "3f2a", "novelty": 1}}
    assert read_status(found) == Status(replicas=2, build=Build(hash="3f2a"))
