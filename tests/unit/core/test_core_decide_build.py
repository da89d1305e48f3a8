"""The ladder of a build: start, wait, judge, try again, take the result. Time is data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from slipway_operator.api.spec import Model, Samples
from slipway_operator.api.status import Build, Report, ResolvedModel
from slipway_operator.decide.build import (
    MOST_INTERRUPTIONS,
    BuildDecision,
    BuildPhase,
    Queue,
    compute_backoff_seconds,
    decide_build,
)
from slipway_operator.decide.build_result import (
    BuildInputs,
    compute_inputs,
    find_stored_result,
    read_frozen_result,
    read_result,
    resolve_model,
    summarise,
)
from slipway_operator.state.build_run import BuildRun, Failure, RunPhase
from slipway_operator.state.build_run import Report as StepReport
from slipway_operator.state.revision import BuildResult

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
MODEL = Model(uri="s3://models/m.joblib")
FACTS = {
    "artifact": f"oci-layout:///store@{DIGEST}",
    "modelDigest": DIGEST,
    "runtime": "ONNX",
    "format": "SKLearn",
}


def inputs(model: Model = MODEL, resolved: ResolvedModel | None = None) -> BuildInputs:
    return compute_inputs(model=model, resolved=resolved)


def step_report(step: str, **more: Any) -> StepReport:
    return StepReport(step=step, ok=True, schema="slipway.dev/report/v1", **more)


def run(**more: Any) -> BuildRun:
    values: dict[str, Any] = {
        "job_name": "m-b1",
        "job_uid": "job-1",
        "attempt": 1,
        "phase": RunPhase.PENDING,
        "step": "fetch",
        "reports": {},
        "failure": None,
        "started_at": None,
        "finished_at": None,
        "waiting": None,
    }
    return BuildRun(**(values | more))


def decide(**more: Any) -> BuildDecision:
    values: dict[str, Any] = {
        "inputs": inputs(),
        "previous": None,
        "known": None,
        "stored": None,
        "run": None,
        "job_is_leaving": False,
        "queue": Queue(),
        "absent_secrets": frozenset(),
        "namespace": "default",
        "job_name": "m-b1",
        "now": NOW,
    }
    return decide_build(**(values | more))


def failed(*, attempt: int = 1, retryable: bool = True) -> Build:
    return Build(
        hash=inputs().build_hash,
        attempt=attempt,
        finished_at="2026-03-04T09:00:00Z",
        report=Report(
            step="fetch", reason="SourceUnavailable", message="It is down.", retryable=retryable
        ),
    )


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (1000, 300)],
    ids=str,
)
def test_the_pause_doubles_up_to_five_minutes(attempt: int, seconds: int) -> None:
    assert compute_backoff_seconds(attempt) == seconds


def test_another_model_is_another_build_and_other_serving_is_not() -> None:
    assert inputs().build_hash != inputs(Model(uri="s3://models/n.joblib")).build_hash
    # What has its default counts as not given, so that a new field changes no hash.
    assert inputs().build_hash == inputs(Model(uri=MODEL.uri, packages=())).build_hash


def test_an_address_is_resolved_once() -> None:
    resolved = ResolvedModel(digest=DIGEST, samples_digest="s", inputs_hash=inputs().inputs_hash)
    assert inputs(resolved=resolved).model_digest == DIGEST
    same_source = Model(uri=MODEL.uri, unpickle="Never")
    assert inputs(same_source, resolved).model_digest == DIGEST
    assert inputs(Model(uri="s3://models/n.joblib"), resolved).model_digest is None
    stated = Model(uri=MODEL.uri, samples=Samples(uri="s3://models/s.csv", digest="t"))
    assert inputs(stated).samples_digest == "t"


def test_a_job_that_waits_says_why() -> None:
    decision = decide(run=run(waiting="Pod p cannot be placed: 0/1 nodes"))
    assert decision.phase is BuildPhase.RUNNING
    assert decision.detail.endswith("0/1 nodes.")


def test_the_name_of_a_leaving_job_is_waited_for() -> None:
    assert decide(job_is_leaving=True).phase is BuildPhase.WAITING
    assert decide(job_is_leaving=True).start_attempt is None


def test_a_failure_that_may_pass_is_tried_again_after_its_pause() -> None:
    early = decide(previous=failed(), run=run(), now=NOW + timedelta(seconds=2))
    assert (early.phase, early.delete_job, early.requeue_after_seconds) == (
        BuildPhase.RETRYING,
        False,
        3,
    )
    late = NOW + timedelta(seconds=5)
    assert decide(previous=failed(), run=run(), now=late).delete_job
    again = decide(previous=failed(), now=late)
    assert (again.phase, again.start_attempt) == (BuildPhase.RETRYING, 2)
    # Neither into the last Job's name nor without the Secret.
    assert decide(previous=failed(), job_is_leaving=True, now=late).start_attempt is None


def test_a_final_failure_stays_although_its_job_is_gone() -> None:
    decision = decide(previous=failed(retryable=False), now=NOW + timedelta(days=1))
    assert (decision.phase, decision.start_attempt) == (BuildPhase.FAILED, None)
    assert decision.failure is not None
    assert decision.failure.message == "It is down."


@pytest.mark.parametrize(
    ("attempt", "reported", "phase"),
    [
        pytest.param(1, False, BuildPhase.RETRYING, id="interrupted once"),
        pytest.param(MOST_INTERRUPTIONS, False, BuildPhase.FAILED, id="interrupted too often"),
        pytest.param(MOST_INTERRUPTIONS, True, BuildPhase.RETRYING, id="the step says so"),
    ],
)
def test_interruptions_are_tried_a_few_times(
    attempt: int, reported: bool, phase: BuildPhase
) -> None:
    failure = Failure(
        reason="BuildInterrupted", message="It died.", retryable=True, reported=reported
    )
    decision = decide(run=run(attempt=attempt, phase=RunPhase.FAILED, failure=failure))
    assert decision.phase is phase
    # The Job is not removed before the failure stands in the status.
    assert not decision.delete_job


def test_a_new_attempt_is_judged_by_its_job() -> None:
    decision = decide(previous=failed(), run=run(attempt=2, phase=RunPhase.RUNNING))
    assert (decision.phase, decision.build.attempt) == (BuildPhase.RUNNING, 2)


def test_a_report_that_lacks_the_artifact_is_an_interruption() -> None:
    reports = {"publish": step_report("publish", facts={"runtime": "ONNX"})}
    decision = decide(run=run(phase=RunPhase.SUCCEEDED, step="publish", reports=reports))
    assert decision.failure is not None
    assert decision.failure.reason == "BuildInterrupted"
    assert "names runtime" in decision.failure.message
    empty = {"publish": step_report("publish")}
    bare = decide(run=run(phase=RunPhase.SUCCEEDED, step="publish", reports=empty))
    assert "names nothing" in bare.detail


def test_a_job_deleted_by_hand_is_begun_once_more_as_the_same_attempt() -> None:
    before = Build(
        hash=inputs().build_hash, attempt=3, job="m-b1", started_at="2026-03-04T08:00:00Z"
    )
    decision = decide(previous=before)
    assert (decision.phase, decision.start_attempt) == (BuildPhase.STARTING, 3)
    assert decision.build.started_at == "2026-03-04T08:00:00Z"


def test_a_result_found_in_the_status_asks_no_job() -> None:
    result = read_result(inputs=inputs(), facts=FACTS, fetched={})
    assert result is not None
    resolved = resolve_model(result, uri=MODEL.uri)
    frozen = decide(inputs=inputs(resolved=resolved), known=result).build
    found = read_frozen_result(inputs=inputs(resolved=resolved), build=frozen)
    assert found == result
    assert decide(inputs=inputs(resolved=resolved), previous=frozen).phase is BuildPhase.DONE


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"hash": "other"}, id="another build"),
        pytest.param({"report": None}, id="no report"),
        pytest.param({"report": Report(step="publish", ok=False)}, id="not ok"),
        pytest.param({"report": Report(step="fetch", ok=True, runtime="ONNX")}, id="another step"),
        pytest.param({"artifact": None}, id="no artifact"),
    ],
)
def test_a_half_frozen_result_is_none(changes: dict[str, Any]) -> None:
    result = read_result(inputs=inputs(), facts=FACTS, fetched={})
    assert result is not None
    resolved = resolve_model(result, uri=MODEL.uri)
    frozen = decide(inputs=inputs(resolved=resolved), known=result).build
    half = msgspec.structs.replace(frozen, **changes)
    assert read_frozen_result(inputs=inputs(resolved=resolved), build=half) is None


@pytest.mark.parametrize(
    ("model", "is_found"),
    [
        pytest.param(MODEL, False, id="an address may hold other bytes by now"),
        pytest.param(Model(uri=MODEL.uri, digest=DIGEST), True, id="digest stated"),
        pytest.param(
            Model(uri=MODEL.uri, digest=DIGEST, samples=Samples(uri="s3://m/s.csv")),
            False,
            id="samples without digest",
        ),
        pytest.param(
            Model(uri=MODEL.uri, digest=DIGEST, samples=Samples(uri="s3://m/s.csv", digest=DIGEST)),
            True,
            id="both stated",
        ),
    ],
)
def test_the_store_counts_only_for_stated_digests(model: Model, is_found: bool) -> None:
    asked = inputs(model)
    found = find_stored_result(inputs=asked, artifacts={asked.build_hash: FACTS})
    assert (found is not None) == is_found


def stored_result() -> tuple[BuildInputs, BuildResult]:
    asked = inputs(Model(uri=MODEL.uri, digest=DIGEST))
    result = find_stored_result(inputs=asked, artifacts={asked.build_hash: FACTS})
    assert result is not None
    return asked, result


def test_a_store_with_another_models_digest_is_not_believed() -> None:
    asked = inputs(Model(uri=MODEL.uri, digest="sha256:" + "b" * 64))
    assert find_stored_result(inputs=asked, artifacts={asked.build_hash: FACTS}) is None


def test_what_the_store_has_is_reused_without_a_job_and_stays_so() -> None:
    asked, result = stored_result()
    first = decide(inputs=asked, stored=result)
    assert (first.phase, first.is_reused, first.build.job) == (BuildPhase.DONE, True, None)
    assert first.detail.startswith(f"Build {asked.build_hash[:10]}: reused the artifact")
    resolved = resolve_model(result, uri=MODEL.uri)
    again = decide(inputs=inputs(asked.model, resolved), previous=first.build)
    assert again == first


def test_an_artifact_of_a_job_that_was_begun_is_built_not_reused() -> None:
    asked, result = stored_result()
    begun = Build(hash=asked.build_hash, attempt=1, job="m-b1")
    for more in ({"previous": begun}, {"run": run()}):
        found = decide(inputs=asked, stored=result, **more)
        assert (found.phase, found.is_reused) == (BuildPhase.DONE, False)
        assert found.build.job == "m-b1"


def test_samples_are_known_from_whoever_saw_them() -> None:
    def digest(facts: dict, fetched: dict) -> str | None:
        result = read_result(inputs=inputs(), facts={**FACTS, **facts}, fetched=fetched)
        assert result is not None
        return result.samples_digest

    assert digest({"samplesDigest": "p"}, {"samplesDigest": "f"}) == "p"
    assert digest({}, {"samplesDigest": "f"}) == "f"
    assert digest({}, {}) is None


def test_facts_of_another_shape_are_left_out() -> None:
    report = summarise(step="publish", ok=True, facts={"parity": "fine", "task": "Regression"})
    assert (report.parity, report.task) == (None, "Regression")


def test_a_lost_finishing_time_counts_from_now() -> None:
    lost = msgspec.structs.replace(failed(), finished_at=None)
    assert decide(previous=lost).requeue_after_seconds == 5
    assert replace(decide(previous=lost), detail="") != decide(previous=lost)


@pytest.mark.parametrize(
    ("others", "most", "starts"), [(0, 2, True), (1, 2, True), (2, 2, False), (9, None, True)]
)
def test_a_build_begins_only_where_there_is_room(
    others: int, most: int | None, starts: bool
) -> None:
    decision = decide(queue=Queue(others=others, most=most))
    assert (decision.start_attempt is not None) is starts
    if not starts:
        assert decision.phase is BuildPhase.QUEUED
        assert decision.requeue_after_seconds is not None
        assert "2 builds of other models" in decision.detail


def test_the_next_attempt_waits_for_room_too() -> None:
    later = NOW + timedelta(hours=1)
    full = decide(previous=failed(), queue=Queue(others=2, most=2), now=later)
    assert (full.phase, full.start_attempt) == (BuildPhase.RETRYING, None)
    assert decide(previous=failed(), queue=Queue(others=1, most=2), now=later).start_attempt == 2


def test_what_runs_already_is_not_held_up_by_others() -> None:
    decision = decide(run=run(), queue=Queue(others=7, most=2))
    assert decision.phase is BuildPhase.RUNNING


def test_what_a_revision_knew_first_still_began_and_ended_with_its_job() -> None:
    result = read_result(inputs=inputs(), facts=FACTS, fetched={})
    succeeded = run(
        phase=RunPhase.SUCCEEDED, started_at=NOW - timedelta(minutes=1), finished_at=NOW
    )
    told = decide(known=result, run=succeeded, now=NOW + timedelta(hours=1)).build
    assert told.started_at == "2026-03-04T08:59:00Z"
    assert told.finished_at == "2026-03-04T09:00:00Z"
    assert decide(known=result).build.finished_at is None


@pytest.mark.parametrize(
    ("attempt", "began"),
    [(1, "2026-03-04T08:00:00Z"), (2, "2026-03-04T08:59:00Z")],
    ids=["as the status said", "another attempt, of which it was not told"],
)
def test_a_build_began_when_its_attempt_did(attempt: int, began: str) -> None:
    before = Build(
        hash=inputs().build_hash, attempt=1, job="m-b1", started_at="2026-03-04T08:00:00Z"
    )
    running = run(attempt=attempt, started_at=NOW - timedelta(minutes=1))
    assert decide(previous=before, run=running).build.started_at == began
