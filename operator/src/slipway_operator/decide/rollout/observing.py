"""At the weight of a step: what the evidence, the clock and the commands say."""

from datetime import timedelta
from typing import Final

import msgspec

from slipway_operator.api.reasons import say
from slipway_operator.api.status_rollout import RolloutState, RolloutStatus
from slipway_operator.api.vocabulary import OnInconclusive, OnUnavailable
from slipway_operator.decide.analysis.assessment import Assessment
from slipway_operator.decide.analysis.ledger import Pair
from slipway_operator.decide.rollout.path import Stop
from slipway_operator.decide.rollout.position import Standing, advance
from slipway_operator.decide.rollout.scene import Scene, render_percent
from slipway_operator.state.command import Verb
from slipway_operator.state.instants import compute_seconds_left, read_instant, render_instant

UNREAD_SECONDS: Final = 10  # so long unread, and it is no hiccup
# At the weight of a step, or at its share of copies, with nothing in the way.
_WATCHED: Final = frozenset({RolloutState.OBSERVING, RolloutState.SHADOWING})


def is_over(scene: Scene, position: RolloutStatus) -> bool:
    """Whether the longest time of a step is over without a verdict."""
    began, index = read_instant(position.step_started_at), position.step_index
    if position.state not in _WATCHED or began is None:
        return False
    if index >= len(scene.path.stops) or not scene.path.stops[index].evidence:
        return False
    if scene.evidence is not None and scene.evidence.passed:
        return False
    most = scene.path.stops[index].most
    return compute_seconds_left(since=began, wait_seconds=most, now=scene.now) == 0


def hear_pause(scene: Scene, position: RolloutStatus) -> RolloutStatus:
    """Pausing and going on, by command or by the spec."""
    if position.paused is None and (scene.spec.paused or scene.verb is Verb.PAUSE):
        return msgspec.structs.replace(
            position,
            paused="PausedBySpec" if scene.spec.paused else "Paused",
            held_since=None,
            reason=None,
            message=None,
        )
    is_let_go = position.paused == "PausedBySpec" and not scene.spec.paused
    if is_let_go or scene.verb is Verb.RESUME:
        return msgspec.structs.replace(
            position,
            paused=None,
            reason=None,
            message=None,
            step_started_at=render_instant(scene.now),
        )
    return position


def observe(scene: Scene, position: RolloutStatus) -> Standing:
    """At the weight of a step: what the evidence, the clock and the commands say."""
    stop = scene.path.stops[position.step_index]
    if scene.verb is Verb.PROMOTE:
        return advance(scene, position)
    if position.state not in _WATCHED | {RolloutState.HELD, RolloutState.PAUSED}:
        position = msgspec.structs.replace(position, step_started_at=render_instant(scene.now))
    if position.paused is not None:
        return Standing(at=msgspec.structs.replace(position, state=RolloutState.PAUSED))
    if stop.approval:
        return _pause(position, "ApprovalNeeded", None)
    held = _find_hold(scene)
    if held is not None:
        return _hold(scene, position, reason=held[0], message=held[1])
    watched = RolloutState.SHADOWING if stop.shadow else RolloutState.OBSERVING
    position = _release(scene, msgspec.structs.replace(position, state=watched))
    return _judge(scene, position, stop)


def _pause(position: RolloutStatus, reason: str, message: str | None) -> Standing:
    return Standing(
        at=msgspec.structs.replace(
            position,
            state=RolloutState.PAUSED,
            paused=reason,
            held_since=None,
            reason=reason,
            message=message,
        )
    )


def _find_hold(scene: Scene) -> tuple[str, str] | None:
    """What keeps it from being judged."""
    evidence = scene.evidence
    if evidence is None:
        return None
    if measure_unread(scene) >= UNREAD_SECONDS:
        if scene.spec.analysis.on_unavailable is OnUnavailable.PROCEED:
            return None
        detail = f"{evidence.unread}."
        return "MetricsUnavailable", say("MetricsUnavailable", detail=detail)
    if evidence.crowded is not None:
        desired = scene.rollout.weights.desired if scene.rollout.weights else 0
        words = say(
            "TrafficSplitMismatch",
            observed=render_percent(evidence.crowded),
            desired=render_percent(desired),
        )
        return "TrafficSplitMismatch", words
    return None


def measure_unread(scene: Scene) -> float:
    since = scene.evidence.unread_since if scene.evidence else None
    return 0.0 if since is None else max((scene.now - since).total_seconds(), 0.0)


def _hold(scene: Scene, position: RolloutStatus, *, reason: str, message: str) -> Standing:
    since = read_instant(position.held_since) or scene.now
    left = compute_seconds_left(
        since=since, wait_seconds=scene.spec.analysis.hold_timeout_seconds, now=scene.now
    )
    if left == 0:
        return _pause(position, reason, message)
    return Standing(
        at=msgspec.structs.replace(
            position,
            state=RolloutState.HELD,
            held_since=render_instant(since),
            reason=reason,
            message=message,
        ),
        wait_seconds=left,
    )


def _release(scene: Scene, position: RolloutStatus) -> RolloutStatus:
    """The time in which it was held counts for nothing."""
    held, began = read_instant(position.held_since), read_instant(position.step_started_at)
    if held is None or began is None:
        return position
    later = began + max(scene.now - held, timedelta())
    return msgspec.structs.replace(
        position,
        step_started_at=render_instant(min(later, scene.now)),
        held_since=None,
        reason=None,
        message=None,
    )


def _judge(scene: Scene, position: RolloutStatus, stop: Stop) -> Standing:
    began = read_instant(position.step_started_at) or scene.now
    least = compute_seconds_left(since=began, wait_seconds=stop.least, now=scene.now)
    most = compute_seconds_left(since=began, wait_seconds=_limit(scene, stop), now=scene.now)
    evidence = scene.evidence
    if stop.evidence and least == 0 and evidence is not None and evidence.passed:
        return advance(scene, position)
    if most > 0:
        return Standing(at=position, wait_seconds=most if least == 0 else min(least, most))
    if not stop.evidence:
        return advance(scene, position)
    return _conclude_nothing(scene, position)


def _limit(scene: Scene, stop: Stop) -> int:
    """How long a step lasts at most, in seconds."""
    evidence, idle = scene.evidence, scene.idle_seconds
    is_idle = evidence is not None and evidence.is_idle
    is_told = scene.spec.analysis.on_inconclusive is not None
    if idle is None or is_told or not (stop.evidence and is_idle):
        return stop.most
    return min(idle, stop.most)


def _conclude_nothing(scene: Scene, position: RolloutStatus) -> Standing:
    """The longest time of a step is over, and there is no verdict."""
    if choose_policy(scene) is OnInconclusive.PROCEED:
        return advance(scene, position)
    return _pause(position, "AnalysisInconclusive", describe_nothing(scene.evidence))


def choose_policy(scene: Scene) -> OnInconclusive:
    """Where nobody asks for anything, nobody is hurt either."""
    evidence, policy = scene.evidence, scene.spec.analysis.on_inconclusive
    if policy is not None:
        return policy
    is_idle = evidence is not None and evidence.is_idle
    return OnInconclusive.PROCEED if is_idle else OnInconclusive.PAUSE


def describe_nothing(evidence: Assessment | None) -> str:
    errors = evidence.errors if evidence else Pair()
    return say("AnalysisInconclusive", canary=errors.canary.n, stable=errors.stable.n)
