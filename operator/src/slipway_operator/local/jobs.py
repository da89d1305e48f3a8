"""Jobs: one pod at a time until one succeeds or too many failed, as on a cluster.

The pod's name follows from the job and the attempt, so a crash between any two steps makes no
second pod. Only so many work at once; the others take turns. Ended jobs go after
``ttlSecondsAfterFinished``. Processes are ``pods``' business.
"""

import os
from collections.abc import Mapping
from typing import Any, Final

from slipway_operator.edges.clock import parse_time, render_time, utc_now
from slipway_operator.edges.queue import Backoff
from slipway_operator.local.kinds import JOB, POD
from slipway_operator.local.objects import (
    child_name,
    find_condition,
    name_of,
    namespace_of,
    set_condition,
    short_hash,
    uid_of,
)
from slipway_operator.local.pod_owner import PodOwner, build_pod
from slipway_operator.local.store import Store

Object = dict[str, Any]
RETRIES: Final = Backoff(first_seconds=2.0, cap_seconds=60.0)
# A build takes a processor and gigabytes: more of them at once end later, all of them.
MOST_AT_ONCE: Final = max(2, os.cpu_count() or 1)
TURN_SECONDS: Final = 0.5


class JobController(PodOwner):
    """Makes pods for jobs and writes jobs' statuses."""

    def __init__(self, *, store: Store) -> None:
        super().__init__(kind=JOB, store=store)

    def sync(self, owner: Object, pods: list[Object]) -> float | None:
        """One pod at a time, until one succeeds or the job has failed for good."""
        job = owner
        if find_condition(job, "Complete") or find_condition(job, "Failed"):
            return self._expire(job)
        status = dict(job.get("status") or {})
        failed = [p for p in pods if _phase(p) == "Failed"]
        succeeded = [p for p in pods if _phase(p) == "Succeeded"]
        active = [p for p in pods if p not in failed and p not in succeeded]
        status.setdefault("startTime", render_time(utc_now()))
        status["failed"] = max(len(failed), int(status.get("failed", 0)))
        status["succeeded"] = len(succeeded)
        status["active"] = len(active)
        conditions = list(status.get("conditions") or ())
        wait: float | None = None
        if succeeded:
            status["completionTime"] = render_time(utc_now())
            conditions = set_condition(
                conditions,
                type_="Complete",
                status=True,
                reason="CompletionsReached",
                message="Reached expected number of succeeded pods",
                now=utc_now(),
            )
        elif failed and (verdict := _judge(job, failed)) is not None:
            reason, message = verdict
            conditions = set_condition(
                conditions, type_="Failed", status=True, reason=reason, message=message,
                now=utc_now(),
            )  # fmt: skip
        elif not active:
            wait = _compute_wait(failed)
            if wait <= 0 and self._count_active() >= MOST_AT_ONCE:
                wait = TURN_SECONDS
            if wait <= 0:
                status["startTime"] = render_time(utc_now())
                status["active"], wait = 1, None
        status["conditions"] = conditions
        self._store.set_status(JOB, namespace_of(job), name_of(job), uid_of(job), status)
        if not active and not conditions and wait is None:
            self._store.apply(_build_pod(job, attempt=len(failed)), manager="slipway-jobs")
        return wait

    def _count_active(self) -> int:
        """How many pods of any job are at work."""
        return sum(
            _phase(pod) not in ("Failed", "Succeeded")
            and any(ref["kind"] == JOB.kind for ref in pod["metadata"].get("ownerReferences") or ())
            for pod in self._store.list(POD)
        )

    def _expire(self, job: Object) -> float | None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        ended = find_condition(job, "Complete") or find_condition(job, "Failed")
        if seconds is None or ended is None:
            return None
        age = (utc_now() - parse_time(ended["lastTransitionTime"])).total_seconds()
        if age < float(seconds):
            return float(seconds) - age
        self._store.delete(JOB, namespace_of(job), name_of(job), uid=uid_of(job))
        return None


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def _judge(job: Mapping[str, Any], failed: list[Object]) -> tuple[str, str] | None:
    """Why the job has failed for good, or None when it may try again."""
    newest = max(failed, key=lambda pod: int(pod["metadata"]["resourceVersion"]))
    status = newest.get("status") or {}
    if status.get("reason") == "DeadlineExceeded":
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    if len(failed) > int(job["spec"].get("backoffLimit", 6)):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    return None


def _compute_wait(failed: list[Object]) -> float:
    """Seconds until the next attempt; the first goes at once."""
    if not failed:
        return 0.0
    ends = [
        parse_time(state["finishedAt"])
        for pod in failed
        for key in ("initContainerStatuses", "containerStatuses")
        for container in (pod.get("status") or {}).get(key) or ()
        if (state := (container.get("state") or {}).get("terminated")) is not None
    ]
    if not ends:
        return 0.0
    due = RETRIES.compute_ceiling(len(failed)) - (utc_now() - max(ends)).total_seconds()
    return max(0.0, due)


def _build_pod(job: Mapping[str, Any], *, attempt: int) -> Object:
    suffix = short_hash(uid_of(job), str(attempt), length=5)
    pod = build_pod(
        job,
        name=child_name(name_of(job), suffix),
        labels={
            "batch.kubernetes.io/job-name": name_of(job),
            "batch.kubernetes.io/controller-uid": uid_of(job),
        },
    )
    pod["spec"].setdefault("restartPolicy", "Never")
    deadline = job["spec"].get("activeDeadlineSeconds")
    if deadline is not None:
        pod["spec"].setdefault("activeDeadlineSeconds", deadline)
    return pod
