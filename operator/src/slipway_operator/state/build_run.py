"""One build Job as it was observed: which step it is in, what the steps reported, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from slipway_operator.contract import BUILD_REASONS, REPORT_SCHEMA, STEPS
from slipway_operator.state.identity import ANNOTATION_ATTEMPT
from slipway_operator.state.instants import read_instant
from slipway_operator.state.observed import (
    Children,
    Json,
    read_annotations,
    read_conditions,
    read_name,
    read_uid,
)
from slipway_operator.state.pods import (
    assess_pods,
    describe_exit,
    list_container_statuses,
    read_terminated,
)

_DISK_WORDS: Final = ("ephemeral", "disk", "emptydir")


class RunPhase(StrEnum):
    """Where a Job stands."""

    PENDING = "Pending"  # no step has begun
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A step's report (docs/wire.md): a closed reason, one sentence, and facts."""

    step: str
    ok: bool
    schema: str
    stages: tuple[str, ...] = ()
    reason: str | None = None
    message: str | None = None
    retryable: bool = False
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a build failed: a reason of the closed set, one sentence, and whether trying helps."""

    reason: str
    message: str
    retryable: bool
    reported: bool  # by the step itself, or concluded from how it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRun:
    """What a Job and its pods say."""

    job_name: str
    job_uid: str
    attempt: int
    phase: RunPhase
    step: str
    reports: Mapping[str, Report]
    failure: Failure | None
    started_at: datetime | None
    finished_at: datetime | None
    waiting: str | None  # why no step runs although one should

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that are reached, in order."""
        return tuple(
            stage
            for step in STEPS
            if _is_done(self.reports.get(step))
            for stage in self.reports[step].stages
        )


def observe_build_run(children: Children, job: Json, *, pod_refusal: str | None = None) -> BuildRun:
    """Read a Job with its pods; `pod_refusal`: why there is none (a Job does not tell)."""
    pods = children.list_pods_of(read_uid(job))
    containers = {
        str(container.get("name")): container
        for pod in pods
        for container in list_container_statuses(pod)
    }
    reports = {
        step: report
        for step in STEPS
        if (report := read_report(step, containers.get(step))) is not None
    }
    failure = _assess_failure(job, pods, containers, reports)
    phase = _read_phase(job, containers, reports, failure)
    trouble = assess_pods(pods) if phase in {RunPhase.PENDING, RunPhase.RUNNING} else None
    return BuildRun(
        job_name=read_name(job),
        job_uid=read_uid(job),
        attempt=read_attempt(job),
        phase=phase,
        step=next((step for step in STEPS if not _is_done(reports.get(step))), STEPS[-1]),
        reports=reports,
        failure=failure,
        started_at=read_instant((job.get("metadata") or {}).get("creationTimestamp")),
        finished_at=_read_finished(job, containers),
        waiting=trouble.message if trouble else None if pods else pod_refusal,
    )


def is_unfinished(job: Json) -> bool:
    """Whether a Job has neither succeeded nor failed yet."""
    conditions = read_conditions(job)
    return not any(
        (conditions.get(name) or {}).get("status") == "True" for name in ("Complete", "Failed")
    )


def read_attempt(job: Json) -> int:
    """Which try a Job is, from 1; a Job whose annotation was spoiled counts as the first."""
    text = read_annotations(job).get(ANNOTATION_ATTEMPT, "1")
    return int(text) if text.isdecimal() and int(text) > 0 else 1


def read_report(step: str, container: Json | None) -> Report | None:
    """Read the report out of a container's termination message; None: there is none."""
    terminated = read_terminated(container or {})
    if terminated is None:
        return None
    try:
        report = msgspec.json.decode(str(terminated.get("message") or ""), type=Report)
    except msgspec.DecodeError:
        return None
    if report.schema != REPORT_SCHEMA or report.step != step:
        return None
    if not report.ok and (report.reason not in BUILD_REASONS or not report.message):
        return None
    return report


def _assess_failure(
    job: Json,
    pods: tuple[Json, ...],
    containers: Mapping[str, Json],
    reports: Mapping[str, Report],
) -> Failure | None:
    for step in STEPS:
        report = reports.get(step)
        # The step's own words are better than any conclusion drawn from its exit.
        if report is not None and not report.ok:
            return Failure(
                reason=str(report.reason),
                message=str(report.message),
                retryable=report.retryable,
                reported=True,
            )
    conditions = read_conditions(job)
    failed = conditions.get("Failed") or {}
    # A Job past its deadline loses its pods, so nothing else can tell it.
    if failed.get("status") == "True" and failed.get("reason") == "DeadlineExceeded":
        return _conclude_deadline(job)
    # A pod that was stopped from outside says why; its containers only that they were killed.
    for pod in pods:
        if pod.get("status", {}).get("phase") == "Failed" and pod["status"].get("reason"):
            return _conclude_pod(pod["status"], job)
    for step in STEPS:
        terminated = (containers.get(step, {}).get("state") or {}).get("terminated")
        if terminated and (terminated.get("exitCode") or terminated.get("signal")):
            return _conclude_exit(step, terminated)
    if failed.get("status") == "True":
        words = failed.get("message") or failed.get("reason") or "no reason given"
        return _conclude("BuildInterrupted", f"The build ended without a report: {words}.")
    complete = (conditions.get("Complete") or {}).get("status") == "True"
    if complete and "publish" not in reports:
        return _conclude(
            "BuildInterrupted", "The build ended, but what it reported was lost with its pod."
        )
    return None


def _conclude_exit(step: str, terminated: Json) -> Failure:
    how = describe_exit(terminated)
    if terminated.get("reason") == "OOMKilled":
        return _conclude(
            "OutOfMemory",
            f"Step {step} used more memory than it may: {how}.",
        )
    if terminated.get("reason") == "DeadlineExceeded":
        return _conclude(
            "DeadlineExceeded",
            f"Step {step} took longer than it may: {how}.",
        )
    return _conclude("BuildInterrupted", f"Step {step} ended without a report: {how}.")


def _conclude_pod(status: Json, job: Json) -> Failure:
    words = str(status.get("message") or status["reason"]).rstrip(".")
    if status["reason"] == "DeadlineExceeded":
        return _conclude_deadline(job)
    if status["reason"] == "Evicted" and any(word in words.lower() for word in _DISK_WORDS):
        return _conclude("DiskFull", f"The build ran out of disk space: {words}.")
    return _conclude("BuildInterrupted", f"The build's pod was stopped: {words}.")


def _conclude_deadline(job: Json) -> Failure:
    limit = job.get("spec", {}).get("activeDeadlineSeconds", "its limit of")
    return _conclude("DeadlineExceeded", f"The build took longer than {limit} seconds.")


def _conclude(reason: str, message: str) -> Failure:
    return Failure(
        reason=reason, message=message, retryable=reason == "BuildInterrupted", reported=False
    )


def _read_phase(
    job: Json,
    containers: Mapping[str, Json],
    reports: Mapping[str, Report],
    failure: Failure | None,
) -> RunPhase:
    if failure is not None:
        return RunPhase.FAILED
    complete = (read_conditions(job).get("Complete") or {}).get("status") == "True"
    if complete or "publish" in reports:
        return RunPhase.SUCCEEDED
    begun = any("running" in (container.get("state") or {}) for container in containers.values())
    return RunPhase.RUNNING if begun or reports else RunPhase.PENDING


def _is_done(report: Report | None) -> bool:
    return report is not None and report.ok


def _read_finished(job: Json, containers: Mapping[str, Json]) -> datetime | None:
    for name in ("Failed", "Complete"):
        instant = read_instant((read_conditions(job).get(name) or {}).get("lastTransitionTime"))
        if instant is not None:
            return instant
    ends = [
        instant
        for step in STEPS
        if (
            instant := read_instant(
                (read_terminated(containers.get(step, {})) or {}).get("finishedAt")
            )
        )
    ]
    return max(ends, default=None)
