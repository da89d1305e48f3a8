"""What becomes of a model's build: start it, wait for it, try again, or take what it made.

Decides from the frozen status, the observed Job and the clock it is given; never builds a Job. A
result and a final failure are frozen in the status, so that a Job that is gone is never missed.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from slipway_operator.api.reasons import say
from slipway_operator.api.status import Build, Report
from slipway_operator.contract import STEPS
from slipway_operator.decide.build_result import (
    BuildInputs,
    read_frozen_result,
    read_result,
    summarise,
)
from slipway_operator.state.build_run import BuildRun, Failure, RunPhase
from slipway_operator.state.build_run import Report as StepReport
from slipway_operator.state.canonical import SHORT
from slipway_operator.state.instants import compute_seconds_left, read_instant, render_instant
from slipway_operator.state.revision import BuildResult

FIRST_BACKOFF_SECONDS: Final = 5
LONGEST_BACKOFF_SECONDS: Final = 300
MOST_INTERRUPTIONS: Final = 6
SECRET_POLL_SECONDS: Final = 5
LEAVING_POLL_SECONDS: Final = 2
QUEUE_POLL_SECONDS: Final = 30  # an edge wakes it when a build ends; this is the net below
PACKAGED: Final = "Packaged"
# Told alike before and after its Job is seen, so that nothing is told twice within a moment.
_PENDING: Final = "waiting for a place to run"


class BuildPhase(StrEnum):
    """What is going on with the build of what is asked for."""

    NEEDS_SECRET = "NeedsSecret"  # noqa: S105 - a phase
    WAITING = "Waiting"  # for the last Job to be gone
    QUEUED = "Queued"  # for a build of another model to end
    STARTING = "Starting"  # a Job is to be written
    RUNNING = "Running"
    RETRYING = "Retrying"  # failed, and tried again after a pause
    FAILED = "Failed"  # for good, until the model's fields change
    DONE = "Done"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDecision:
    """What to do about the build, and what the status says about it.

    `start_attempt`: write the Job as this attempt. `delete_job`: remove the finished Job, so that
    the next attempt can take its name. `failure` is set in RETRYING and FAILED. `is_reused`: the
    result is one that the artifact store had, and no Job was begun for it.
    """

    phase: BuildPhase
    build: Build
    detail: str
    result: BuildResult | None = None
    failure: Failure | None = None
    start_attempt: int | None = None
    delete_job: bool = False
    is_reused: bool = False
    requeue_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The builds of other models in the namespace, and how many may run there (None: any)."""

    others: int = 0
    most: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more may begin."""
        return self.most is None or self.others < self.most


def compute_backoff_seconds(attempt: int) -> int:
    """The pause after a failed attempt: 5 s, doubled each time, at most 5 minutes.

    >>> [compute_backoff_seconds(attempt) for attempt in (1, 2, 3, 6, 7, 60)]
    [5, 10, 20, 160, 300, 300]
    """
    doublings = min(attempt - 1, 10)
    return min(FIRST_BACKOFF_SECONDS << doublings, LONGEST_BACKOFF_SECONDS)


def decide_build(
    *,
    inputs: BuildInputs,
    previous: Build | None,
    known: BuildResult | None,
    stored: BuildResult | None,
    run: BuildRun | None,
    job_is_leaving: bool,
    queue: Queue,
    absent_secrets: frozenset[str],
    namespace: str,
    job_name: str,
    now: datetime,
) -> BuildDecision:
    """Decide about one build.

    `previous` is the build as the status has it; `known` a result of this very build that is frozen
    on a revision, `stored` one that the artifact store has; `run` the Job, if there is one;
    `queue` says whether a Job may be begun at all.
    """
    before = previous if previous and previous.hash == inputs.build_hash else Build()
    # A result is final: neither its Job nor its source is asked again.
    frozen = read_frozen_result(inputs=inputs, build=before)
    if frozen is not None and before.job is None:
        return _reuse(frozen, before=before)
    frozen = frozen or known
    # Where a Job was begun, the artifact is most likely its own.
    if frozen is None and stored is not None and run is None and before.job is None:
        return _reuse(stored, before=before)
    frozen = frozen or stored
    if frozen is not None:
        # A revision may know it before the status does: the Job still tells when it took place.
        if before.finished_at is None and run is not None and run.finished_at is not None:
            before = msgspec.structs.replace(
                before,
                started_at=_tell_start(run, before=before),
                finished_at=render_instant(run.finished_at),
            )
        return _done(frozen, before=before, job_name=job_name)
    # A Job that was not yet judged tells more than the status.
    if run is not None and (run.attempt > before.attempt or not _has_failed(before)):
        return _judge_run(run, inputs=inputs, before=before, now=now)
    absent = _find_absent(inputs, absent_secrets)
    if _has_failed(before):
        free = absent is None and not job_is_leaving and queue.has_room
        return _decide_retry(before, run=run, may_start=free, now=now)
    # The name is taken until the last Job and its pod are gone.
    if job_is_leaving:
        return BuildDecision(
            phase=BuildPhase.WAITING,
            build=before,
            detail=f'The last Job "{job_name}" is being removed.',
            requeue_after_seconds=LEAVING_POLL_SECONDS,
        )
    # Checked before a Job is made, because a pod would only hang.
    if absent is not None:
        return BuildDecision(
            phase=BuildPhase.NEEDS_SECRET,
            build=msgspec.structs.replace(before, hash=inputs.build_hash, job=None),
            detail=say(
                "SecretNotFound",
                secret=absent,
                path="spec.model.access.secretRef",
                namespace=namespace,
            ),
            requeue_after_seconds=SECRET_POLL_SECONDS,
        )
    if not queue.has_room:
        return BuildDecision(
            phase=BuildPhase.QUEUED,
            build=msgspec.structs.replace(before, hash=inputs.build_hash),
            detail=say("BuildQueued", running=queue.others, namespace=namespace),
            requeue_after_seconds=QUEUE_POLL_SECONDS,
        )
    # Never begun, or deleted by hand while it ran: the same attempt, begun once more.
    return _start(
        inputs=inputs, before=before, attempt=max(before.attempt, 1), job_name=job_name, now=now
    )


def _done(result: BuildResult, *, before: Build, job_name: str) -> BuildDecision:
    build = msgspec.structs.replace(
        before,
        hash=result.build_hash,
        stage=PACKAGED,
        job=before.job or job_name,
        artifact=result.artifact,
        report=result.report,
    )
    return BuildDecision(
        phase=BuildPhase.DONE,
        build=build,
        detail=say("Built", build=result.build_hash[:SHORT], artifact=result.artifact),
        result=result,
    )


def _reuse(result: BuildResult, *, before: Build) -> BuildDecision:
    """Done without a Job: there is none to name."""
    done = _done(result, before=before, job_name="")
    return replace(
        done,
        build=msgspec.structs.replace(done.build, job=None),
        detail=say("Reused", build=result.build_hash[:SHORT], artifact=result.artifact),
        is_reused=True,
    )


def _has_failed(build: Build) -> bool:
    return build.report is not None and build.report.reason is not None


def _find_absent(inputs: BuildInputs, absent_secrets: frozenset[str]) -> str | None:
    reference = inputs.model.access.secret_ref
    return reference.name if reference and reference.name in absent_secrets else None


def _start(
    *, inputs: BuildInputs, before: Build, attempt: int, job_name: str, now: datetime
) -> BuildDecision:
    begun = before.job is not None and before.attempt == attempt and before.started_at is not None
    return BuildDecision(
        phase=BuildPhase.STARTING,
        build=Build(
            hash=inputs.build_hash,
            attempt=attempt,
            job=job_name,
            started_at=before.started_at if begun else render_instant(now),
        ),
        detail=say("Building", build=inputs.build_hash[:SHORT], stage=_PENDING),
        start_attempt=attempt,
    )


def _judge_run(
    run: BuildRun, *, inputs: BuildInputs, before: Build, now: datetime
) -> BuildDecision:
    build = Build(
        hash=inputs.build_hash,
        stage=run.stages[-1] if run.stages else None,
        attempt=run.attempt,
        job=run.job_name,
        started_at=_tell_start(run, before=before),
        report=_summarise_last(run),
    )
    if run.failure is not None:
        return _fail(run.failure, build=build, run=run, now=now)
    if run.phase is RunPhase.SUCCEEDED:
        facts = run.reports[STEPS[-1]].facts
        fetched = run.reports[STEPS[0]].facts if STEPS[0] in run.reports else {}
        result = read_result(inputs=inputs, facts=facts, fetched=fetched)
        if result is None:
            return _fail(_unreadable(run.reports[STEPS[-1]]), build=build, run=run, now=now)
        finished = msgspec.structs.replace(
            build, finished_at=render_instant(run.finished_at or now)
        )
        return _done(result, before=finished, job_name=run.job_name)
    doing = _PENDING if run.phase is RunPhase.PENDING else f"step {run.step}"
    detail = say("Building", build=inputs.build_hash[:SHORT], stage=doing)
    return BuildDecision(
        phase=BuildPhase.RUNNING,
        build=build,
        detail=f"{detail} {run.waiting}." if run.waiting else detail,
    )


def _tell_start(run: BuildRun, *, before: Build) -> str | None:
    """When this attempt began; the Job tells where the status was not written in time."""
    if before.started_at is not None and before.attempt == run.attempt:
        return before.started_at
    return None if run.started_at is None else render_instant(run.started_at)


def _summarise_last(run: BuildRun) -> Report | None:
    for step in reversed(STEPS):
        if step in run.reports:
            return summarise(step=step, ok=run.reports[step].ok, facts=run.reports[step].facts)
    return None


def _unreadable(report: StepReport) -> Failure:
    named = ", ".join(sorted(report.facts)) or "nothing"
    return Failure(
        reason="BuildInterrupted",
        message=f"The report of step {report.step} names {named}, and lacks what is served.",
        retryable=True,
        reported=False,
    )


def _fail(failure: Failure, *, build: Build, run: BuildRun, now: datetime) -> BuildDecision:
    last = build.report or Report(step=run.step)
    frozen = msgspec.structs.replace(
        build,
        finished_at=render_instant(run.finished_at or now),
        report=msgspec.structs.replace(
            last,
            step=run.step,
            ok=False,
            reason=failure.reason,
            message=failure.message,
            retryable=_may_retry(failure, attempt=run.attempt),
        ),
    )
    # The Job stays until the failure stands in the status: only a later plan may remove it.
    return _decide_retry(frozen, run=None, may_start=False, now=now)


def _may_retry(failure: Failure, *, attempt: int) -> bool:
    """A step knows by itself whether trying helps; what only died is tried a few times."""
    return failure.retryable and (failure.reported or attempt < MOST_INTERRUPTIONS)


def _decide_retry(
    build: Build, *, run: BuildRun | None, may_start: bool, now: datetime
) -> BuildDecision:
    report = build.report or Report()
    failure = Failure(
        reason=report.reason or "",
        message=report.message or "",
        retryable=report.retryable,
        reported=True,
    )
    if not failure.retryable:
        return BuildDecision(
            phase=BuildPhase.FAILED, build=build, detail=failure.message, failure=failure
        )
    pause = compute_backoff_seconds(build.attempt)
    left = compute_seconds_left(
        since=read_instant(build.finished_at) or now, wait_seconds=pause, now=now
    )
    retrying = BuildDecision(
        phase=BuildPhase.RETRYING,
        build=build,
        detail=f"{failure.message} Attempt {build.attempt + 1} follows {pause} s after this one.",
        failure=failure,
        requeue_after_seconds=max(left, LEAVING_POLL_SECONDS),
    )
    if left > 0:
        return retrying
    if run is not None:
        return replace(retrying, delete_job=True)
    # Still failed until the new attempt says otherwise, so that the reason does not flicker.
    return replace(retrying, start_attempt=build.attempt + 1) if may_start else retrying
