"""How a Job and its pod are read: phases, reports, and what a silent end is taken for."""

import json

import pytest

from core_cluster import report_failed
from slipway_operator.state.build_run import (
    BuildRun,
    RunPhase,
    is_unfinished,
    observe_build_run,
    read_report,
)
from slipway_operator.state.identity import Owner
from slipway_operator.state.observed import Observed, observe_children

OWNER = Owner(name="penguins", namespace="default", uid="uid-1")


def ok(step: str) -> dict:
    return {"schema": "slipway.dev/report/v1", "step": step, "ok": True, "stages": [step.title()]}


def ended(name: str, report: dict | None = None, **terminated: object) -> dict:
    state: dict = {"exitCode": 0, "finishedAt": "2026-03-04T09:00:00Z", **terminated}
    if report is not None:
        state["message"] = json.dumps(report)
    return {"name": name, "state": {"terminated": state}}


def running(name: str) -> dict:
    return {"name": name, "state": {"running": {}}}


def read(
    *containers: dict,
    conditions: tuple = (),
    pod_status: dict | None = None,
    annotations: dict | None = None,
    with_pod: bool = True,
) -> BuildRun:
    job = {
        "kind": "Job",
        "metadata": {
            "name": "j",
            "namespace": "default",
            "uid": "job-1",
            "annotations": annotations,
        },
        "spec": {"activeDeadlineSeconds": 720},
        "status": {"conditions": list(conditions)},
    }
    pod = {
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "default",
            "labels": {"slipway.dev/uid": "uid-1"},
            "ownerReferences": [{"uid": "job-1", "controller": True}],
        },
        "status": {"initContainerStatuses": list(containers), **(pod_status or {})},
    }
    observed = Observed(objects=(job, pod) if with_pod else (job,))
    return observe_build_run(observe_children(OWNER, observed), job)


def is_true(kind: str, **more: object) -> dict:
    return {"type": kind, "status": "True", **more}


@pytest.mark.parametrize(
    ("run", "phase", "step"),
    [
        pytest.param(read(with_pod=False), RunPhase.PENDING, "fetch", id="no pod"),
        pytest.param(read(running("fetch")), RunPhase.RUNNING, "fetch", id="fetching"),
        pytest.param(
            read(ended("fetch", ok("fetch"))), RunPhase.RUNNING, "convert", id="between two steps"
        ),
        pytest.param(
            read(*(ended(step, ok(step)) for step in ("fetch", "convert", "publish"))),
            RunPhase.SUCCEEDED,
            "publish",
            id="published",
        ),
    ],
)
def test_a_job_is_somewhere_in_its_steps(run: BuildRun, phase: RunPhase, step: str) -> None:
    assert (run.phase, run.step, run.failure) == (phase, step, None)


def test_what_keeps_a_step_from_running_is_told() -> None:
    run = read({"name": "fetch", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}})
    assert run.phase is RunPhase.PENDING
    assert run.waiting == 'Container "fetch" of pod "p" waits, ErrImagePull: no'


def test_stages_are_those_of_the_steps_that_are_done() -> None:
    assert read(ended("fetch", ok("fetch")), running("convert")).stages == ("Fetch",)


@pytest.mark.parametrize(
    ("run", "reason", "words", "retryable"),
    [
        pytest.param(
            read(ended("convert", report_failed("convert", "ModelUnsafe", "It opens a socket."))),
            "ModelUnsafe",
            "It opens a socket.",
            False,
            id="by its report",
        ),
        pytest.param(
            read(
                ended("convert", report_failed("convert", "DiskFull", "No space."), exitCode=1),
                conditions=(is_true("Failed", reason="DeadlineExceeded"),),
            ),
            "DiskFull",
            "No space.",
            False,
            id="a report is better than the Job's end",
        ),
        pytest.param(
            read(
                conditions=(is_true("Failed", reason="DeadlineExceeded"),),
                with_pod=False,
            ),
            "DeadlineExceeded",
            "720 seconds",
            False,
            id="the Job's deadline",
        ),
        pytest.param(
            read(pod_status={"phase": "Failed", "reason": "DeadlineExceeded"}),
            "DeadlineExceeded",
            "720 seconds",
            False,
            id="the pod's deadline",
        ),
        pytest.param(
            read(ended("convert", exitCode=137, reason="DeadlineExceeded")),
            "DeadlineExceeded",
            "Step convert",
            False,
            id="a step's deadline",
        ),
        pytest.param(
            read(ended("convert", exitCode=137, reason="OOMKilled")),
            "OutOfMemory",
            "Step convert",
            False,
            id="killed for its memory",
        ),
        pytest.param(
            read(ended("fetch", exitCode=1, reason="Error", message="words")),
            "BuildInterrupted",
            'exit code 1, "words"',
            True,
            id="died",
        ),
        pytest.param(
            read(
                ended("convert", exitCode=137),
                pod_status={
                    "phase": "Failed",
                    "reason": "Evicted",
                    "message": 'Usage of emptyDir volume "work" exceeds the limit "1Gi".',
                },
            ),
            "DiskFull",
            'volume "work"',
            False,
            id="evicted for its disk",
        ),
        pytest.param(
            read(pod_status={"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            "BuildInterrupted",
            "low on memory",
            True,
            id="evicted for another cause",
        ),
        pytest.param(
            read(pod_status={"phase": "Failed", "reason": "NodeLost"}),
            "BuildInterrupted",
            "NodeLost",
            True,
            id="the node is gone",
        ),
        pytest.param(
            read(conditions=(is_true("Failed"),), with_pod=False),
            "BuildInterrupted",
            "no reason given",
            True,
            id="failed without a word",
        ),
        pytest.param(
            read(conditions=(is_true("Complete"),), with_pod=False),
            "BuildInterrupted",
            "lost with its pod",
            True,
            id="done, but the report is lost",
        ),
    ],
)
def test_every_end_has_a_reason(run: BuildRun, reason: str, words: str, retryable: bool) -> None:
    assert run.phase is RunPhase.FAILED
    assert run.failure is not None
    assert (run.failure.reason, run.failure.retryable) == (reason, retryable)
    assert words in run.failure.message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="nothing"),
        pytest.param("Traceback (most recent call last)", id="no JSON"),
        pytest.param(json.dumps({**ok("fetch"), "schema": "other/v1"}), id="another schema"),
        pytest.param(json.dumps(ok("publish")), id="another step's"),
        pytest.param(
            json.dumps(report_failed("fetch", "MadeUpReason", "words")), id="unknown reason"
        ),
        pytest.param(json.dumps(report_failed("fetch", "DiskFull", "")), id="no message"),
    ],
)
def test_what_is_no_report_is_not_believed(message: str) -> None:
    container = {"state": {"terminated": {"exitCode": 0, "message": message}}}
    assert read_report("fetch", container) is None


@pytest.mark.parametrize(
    ("annotations", "attempt"),
    [
        pytest.param({"slipway.dev/attempt": "3"}, 3, id="third"),
        pytest.param({"slipway.dev/attempt": "0"}, 1, id="zero"),
        pytest.param({"slipway.dev/attempt": "many"}, 1, id="no number"),
        pytest.param(None, 1, id="absent"),
    ],
)
def test_the_attempt_stands_on_the_job(annotations: dict | None, attempt: int) -> None:
    assert read(annotations=annotations).attempt == attempt


def test_the_end_is_the_jobs_else_the_last_steps() -> None:
    at = "2026-03-04T09:30:00Z"
    by_job = read(conditions=(is_true("Complete", lastTransitionTime=at),), with_pod=False)
    by_step = read(ended("fetch", ok("fetch")), ended("convert", finishedAt=at, exitCode=1))
    assert str(by_job.finished_at) == str(by_step.finished_at) == "2026-03-04 09:30:00+00:00"
    assert read(with_pod=False).finished_at is None


@pytest.mark.parametrize(
    ("conditions", "unfinished"),
    [
        ([], True),
        ([{"type": "Suspended", "status": "True"}], True),
        ([{"type": "Complete", "status": "False"}], True),
        ([{"type": "Complete", "status": "True"}], False),
        ([{"type": "Failed", "status": "True"}], False),
    ],
)
def test_a_job_is_unfinished_until_it_says_how_it_ended(
    conditions: list[dict[str, str]], unfinished: bool
) -> None:
    assert is_unfinished({"status": {"conditions": conditions}}) is unfinished


def test_a_job_without_a_pod_waits_for_what_was_refused() -> None:
    job = {"kind": "Job", "metadata": {"name": "j", "namespace": "default", "uid": "job-1"}}
    words = 'pods "j" is forbidden: exceeded quota: small'
    run = observe_build_run(
        observe_children(OWNER, Observed(objects=(job,))), job, pod_refusal=words
    )
    assert (run.phase, run.waiting) == (RunPhase.PENDING, words)
