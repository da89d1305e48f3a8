"""Where a revision is on its way: the step, and the weight that belongs to it."""

from dataclasses import dataclass

import msgspec

from slipway_operator.api.status_rollout import RolloutState, RolloutStatus, Weights
from slipway_operator.decide.rollout.path import Stop
from slipway_operator.decide.rollout.scene import ENDED, Scene, is_tried
from slipway_operator.state.instants import render_instant
from slipway_operator.state.slots import MILLION


def find_position(scene: Scene, candidate: str) -> RolloutStatus:
    """Where the candidate stands: at its beginning, or where the status says."""
    before, path = scene.rollout, scene.path
    is_running = scene.before.canary_revision == candidate and (
        before.state not in ENDED or scene.stable is None
    )
    if not is_running:
        now = render_instant(scene.now)
        return RolloutStatus(
            attempt=before.attempt + 1,
            state=RolloutState.PREPARING,
            started_at=now,
            step_started_at=now,
            weights=Weights(desired=0, programmed=0),
            path=path.hash,
            outcome=before.outcome,
        )
    if before.path == path.hash:
        return before
    # Other steps than before: it stays where it is and goes on from there.
    weight = before.weights.desired if before.weights else 0
    index = len(path.stops) if before.state is RolloutState.PROMOTING else path.find(weight)
    # Nor does it wait for an approval that nobody asks for any more.
    paused = None if before.paused == "ApprovalNeeded" else before.paused
    return msgspec.structs.replace(before, path=path.hash, step_index=index, paused=paused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A position while it is being worked out."""

    at: RolloutStatus
    wait_seconds: float | None = None


def enter(scene: Scene, position: RolloutStatus) -> RolloutStatus:
    """At the weight of its step; where it had another one, on the way there."""
    stops, index = scene.path.stops, position.step_index
    stop = stops[index] if index < len(stops) else Stop(weight=MILLION)
    weight, shadow = stop.weight, stop.shadow
    has_it = position.weights is not None and position.weights.desired == weight
    if has_it and position.shadow == shadow:
        return position
    return msgspec.structs.replace(
        position,
        state=RolloutState.PROMOTING if weight == MILLION else RolloutState.SHIFTING,
        weights=Weights(desired=weight, programmed=0),
        shadow=shadow,
    )


def advance(scene: Scene, position: RolloutStatus) -> Standing:
    return Standing(at=enter(scene, go_to(position, index=position.step_index + 1)))


def go_to(position: RolloutStatus, *, index: int) -> RolloutStatus:
    """At another step, with nothing in its way."""
    return msgspec.structs.replace(
        position,
        step_index=index,
        state=RolloutState.SHIFTING if is_tried(position) else position.state,
        paused=None,
        held_since=None,
        reason=None,
        message=None,
    )
