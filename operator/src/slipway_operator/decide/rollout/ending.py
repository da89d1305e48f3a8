"""What ends a rollout before its time: a command, dead pods, or the evidence."""

from typing import Final

import msgspec

from slipway_operator.api.reasons import say
from slipway_operator.api.status_rollout import RolloutState, RolloutStatus
from slipway_operator.api.vocabulary import OnInconclusive, OnUnavailable
from slipway_operator.decide.rollout.candidate import add_rejected
from slipway_operator.decide.rollout.observing import (
    UNREAD_SECONDS,
    choose_policy,
    describe_nothing,
    is_over,
    measure_unread,
)
from slipway_operator.decide.rollout.scene import SHOWN, Course, Scene, is_tried
from slipway_operator.decide.traffic import Goal
from slipway_operator.state.command import Verb
from slipway_operator.state.instants import compute_seconds_left, read_instant
from slipway_operator.state.pods import find_begun

_DEAD: Final = frozenset({"CrashLoop", "OutOfMemory"})
_OWN_FAULT: Final = _DEAD | {"RevisionUnhealthy", "ReplicasUnavailable"}


def find_cause(scene: Scene, candidate: str, position: RolloutStatus) -> tuple[str, str] | None:
    """What ends the rollout now: a reason and its sentence. Needs neither metrics nor pods."""
    if scene.verb is Verb.ABORT:
        return "RolloutAborted", say("RolloutAborted", revision=candidate[:SHOWN])
    if not scene.path.stops:
        return None
    if not is_tried(position):
        return _find_unborn(scene, candidate, position)
    return _find_dead(scene, candidate) or _find_bad(scene, position)


def measure_patience(scene: Scene, candidate: str, position: RolloutStatus) -> float | None:
    """Seconds until a revision that has no requests yet counts as one that does not start; None:
    it may still start, or it is not its own fault that it does not.

    Only pods whose container ran speak of the model: those that no node takes, whose image or
    artifact cannot be pulled or that a quota forbids are told, and go on as soon as they can.
    """
    health = scene.health[candidate]
    begun = find_begun(scene.states[candidate].pods)
    if health.answers or health.reason not in _OWN_FAULT or begun is None:
        return None
    since = max(begun, read_instant(position.started_at) or begun)
    deadline = scene.spec.progress_deadline_seconds
    left = compute_seconds_left(since=since, wait_seconds=deadline, now=scene.now)
    return left if health.overdue else max(left, health.seconds_left or 0)


def _find_unborn(scene: Scene, candidate: str, position: RolloutStatus) -> tuple[str, str] | None:
    """Pods that ran and never became ready within the deadline."""
    if measure_patience(scene, candidate, position) != 0:
        return None
    health = scene.health[candidate]
    return health.reason, health.message


def _find_dead(scene: Scene, candidate: str) -> tuple[str, str] | None:
    """Pods that had requests and do not come back."""
    health = scene.health[candidate]
    crashes = health.reason in _DEAD and scene.spec.analysis.guardrails.crash_loop
    if crashes or (health.overdue and not health.answers):
        return health.reason, health.message
    return None


def _find_bad(scene: Scene, position: RolloutStatus) -> tuple[str, str] | None:
    """What the evidence says against it."""
    evidence = scene.evidence
    if evidence is None:
        return None
    if evidence.guardrail is not None:
        return "GuardrailBroken", say("GuardrailBroken", detail=f"{evidence.guardrail}.")
    if evidence.failed is not None:
        metric, _, comparison = evidence.failed.partition(": ")
        return "AnalysisFailed", say("AnalysisFailed", metric=metric, comparison=comparison)
    aborts_unread = scene.spec.analysis.on_unavailable is OnUnavailable.ABORT
    if aborts_unread and measure_unread(scene) >= UNREAD_SECONDS:
        return "MetricsUnavailable", say("MetricsUnavailable", detail=f"{evidence.unread}.")
    if is_over(scene, position) and choose_policy(scene) is OnInconclusive.ABORT:
        return "AnalysisInconclusive", describe_nothing(evidence)
    return None


def abort(
    scene: Scene,
    candidate: str,
    position: RolloutStatus,
    rejected: tuple[str, ...],
    *,
    cause: tuple[str, str],
) -> Course:
    """Everything back to the stable revision, and this model is not tried again by itself."""
    reason, message = cause
    return Course(
        candidate=None,
        goal=Goal(base=scene.stable),
        rollout=msgspec.structs.replace(
            position,
            state=RolloutState.ABORTING,
            weights=None,
            shadow=0,
            paused=None,
            held_since=None,
            target=None,
            reason=reason,
            message=message,
        ),
        rejected=add_rejected(scene, candidate, rejected, keeps=scene.stable or ""),
        is_rejected=scene.asked is not None and scene.asked.revision == candidate,
    )
