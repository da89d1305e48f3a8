"""How a revision's pods are doing, and in whose words to say so.

Never raises an alarm for a pod that is merely starting; never waits for the deadline to name a
cause that is already known.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from slipway_operator.api.reasons import say
from slipway_operator.state.instants import compute_seconds_left, read_instant
from slipway_operator.state.observed import Json, read_conditions
from slipway_operator.state.pods import Trouble, assess_pods
from slipway_operator.state.revision import RevisionState

CRASHES: Final = 3  # restarts after which a crash is a fact about the revision, not an accident
_SHOWN: Final = 4  # characters of a revision's hash in a sentence, as in the columns


class Level(StrEnum):
    """How much of a revision is there."""

    READY = "Ready"  # every pod that is wanted
    PARTIAL = "Partial"  # it answers, with fewer pods
    STARTING = "Starting"  # no pod answers, none is known to be ill
    FAILING = "Failing"  # no pod answers, and the cause is known or the deadline is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`overdue`: waiting longer is not expected to help. `seconds_left` until that is decided."""

    level: Level
    reason: str
    message: str
    overdue: bool = False
    seconds_left: float | None = None

    @property
    def answers(self) -> bool:
        """Whether at least one pod takes requests."""
        return self.level in {Level.READY, Level.PARTIAL} and self.reason != "ScaledToZero"


def assess_revision(
    *, state: RevisionState, replicas: int, progress_deadline_seconds: int, now: datetime
) -> Health:
    """Judge one revision of which `replicas` pods are wanted."""
    revision = state.revision[:_SHOWN]
    # Zero pods are what was asked for, and there they all are.
    if replicas == 0:
        return Health(level=Level.READY, reason="ScaledToZero", message=say("ScaledToZero"))
    serving = say("Serving", revision=revision, ready=state.ready, desired=replicas)
    if state.ready >= replicas and state.is_observed and state.deployment is not None:
        return Health(level=Level.READY, reason="Serving", message=serving)
    left = _seconds_left(state, progress_deadline_seconds=progress_deadline_seconds, now=now)
    overdue = left == 0
    if state.ready > 0:
        return Health(
            level=Level.PARTIAL,
            reason="Serving",
            message=serving,
            overdue=overdue,
            seconds_left=left or None,
        )
    # The API server's refusal explains why there is no pod that could say anything.
    refused = _assess_refusal(state)
    if refused is not None:
        reason, message = refused
        return Health(
            level=Level.FAILING,
            reason=reason,
            message=message,
            overdue=overdue,
            seconds_left=left or None,
        )
    trouble = assess_pods(state.pods)
    if trouble is not None and (overdue or _is_fact(trouble)):
        reason, message = _name_trouble(trouble, revision=revision)
        return Health(
            level=Level.FAILING,
            reason=reason,
            message=message,
            overdue=overdue,
            seconds_left=left or None,
        )
    if overdue:
        detail = f"no pod became ready within {progress_deadline_seconds} seconds."
        return Health(
            level=Level.FAILING,
            reason="ReplicasUnavailable",
            message=say(
                "ReplicasUnavailable",
                revision=revision,
                ready=state.ready,
                desired=replicas,
                detail=detail,
            ),
            overdue=True,
        )
    starting = say("Starting", revision=revision, ready=state.ready, desired=replicas)
    return Health(
        level=Level.STARTING,
        reason="Starting",
        message=f"{starting} {trouble.message}." if trouble else starting,
        seconds_left=left,
    )


def _is_fact(trouble: Trouble) -> bool:
    return trouble.kind in {"ImagePull", "Unschedulable"} or trouble.restarts >= CRASHES


def _name_trouble(trouble: Trouble, *, revision: str) -> tuple[str, str]:
    detail = f"{trouble.message.rstrip('.')}."
    if trouble.kind == "Unschedulable":
        return "Unschedulable", say("Unschedulable", revision=revision, detail=detail)
    if trouble.kind == "ImagePull":
        return "ImagePullFailed", say("ImagePullFailed", detail=detail)
    if trouble.kind == "OutOfMemory":
        return "OutOfMemory", say("OutOfMemory", detail=detail)
    if trouble.restarts >= CRASHES:
        return "CrashLoop", say("CrashLoop", revision=revision, detail=detail)
    return "RevisionUnhealthy", say("RevisionUnhealthy", revision=revision, detail=detail)


def _assess_refusal(state: RevisionState) -> tuple[str, str] | None:
    condition = read_conditions(state.deployment or {}).get("ReplicaFailure") or {}
    if condition.get("status") != "True":
        return None
    words = f"{str(condition.get('message') or 'Pods cannot be made').rstrip('.')}."
    reason = "QuotaExceeded" if "exceeded quota" in words else "PodRejected"
    return reason, say(reason, detail=words)


def _is_to_begin(deployment: Json, state: RevisionState) -> bool:
    """Whether it had no pods on purpose, and its controller has yet to see that it shall."""
    was_seen = "observedGeneration" in deployment.get("status", {})
    return state.desired == 0 or (was_seen and not state.is_observed)


def _seconds_left(
    state: RevisionState, *, progress_deadline_seconds: int, now: datetime
) -> float | None:
    """Seconds until a revision that is not ready counts as failed; None: it has not begun."""
    if state.deployment is None or _is_to_begin(state.deployment, state):
        return None
    available = read_conditions(state.deployment).get("Available") or {}
    changed = None
    # A revision that was ready once has the whole deadline again from when it was lost.
    if available.get("status") == "False":
        changed = read_instant(available.get("lastTransitionTime"))
    created = read_instant(state.deployment.get("metadata", {}).get("creationTimestamp"))
    known = [instant for instant in (changed, created) if instant is not None]
    if not known:
        return None
    return compute_seconds_left(since=max(known), wait_seconds=progress_deadline_seconds, now=now)
