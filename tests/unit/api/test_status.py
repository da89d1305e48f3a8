"""The status as it is written and read back."""

import json

from jsonschema import Draft202012Validator

from slipway_operator.api.conditions import Condition, ConditionStatus, ConditionType
from slipway_operator.api.schema import render_schema
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
from slipway_operator.contract import MAX_TERMINATION_BYTES

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
    written = render_status(WHOLE)
    assert read_status(written) == WHOLE
    assert json.loads(json.dumps(written)) == written


def test_what_is_written_fits_the_schema() -> None:
    # An API server would refuse the whole status for one member that does not fit.
    validator = Draft202012Validator(render_schema(Status, strict=True))
    for status in (WHOLE, Status()):
        assert [error.message for error in validator.iter_errors(render_status(status))] == []


def test_the_longest_message_of_a_build_report_fits() -> None:
    report = Report(message="x" * MAX_TERMINATION_BYTES)
    written = render_status(Status(build=Build(report=report)))
    assert read_status(written).build == Build(report=report)


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
