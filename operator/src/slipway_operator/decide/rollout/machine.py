"""Where a rollout goes from here: the candidate, its share of the requests, or its end.

Everything is decided anew from the spec, the status written before and what is observed; a pass
that is repeated, or lost, changes nothing. Weight is only ever raised for a revision whose pods are
all there, and taken away without asking for evidence or pods.
"""

from dataclasses import replace

import msgspec

from slipway_operator.api.reasons import say
from slipway_operator.api.status_rollout import RolloutState, RolloutStatus
from slipway_operator.decide.rollout.candidate import (
    choose_candidate,
    find_target,
    is_known_good,
    is_rejected,
    list_rejected,
    reject_aborted,
)
from slipway_operator.decide.rollout.ending import abort, find_cause, measure_patience
from slipway_operator.decide.rollout.observing import hear_pause, observe
from slipway_operator.decide.rollout.position import Standing, enter, find_position, go_to
from slipway_operator.decide.rollout.scene import SHOWN, Course, Scene, is_tried, list_slots
from slipway_operator.decide.traffic import Goal
from slipway_operator.state.command import Verb
from slipway_operator.state.slots import MILLION, MOST, Mirror


def decide_rollout(scene: Scene) -> Course:
    """The next step of the rollout."""
    rejected = list_rejected(scene)
    target = find_target(scene, rejected)
    if target is not None:
        return _bring_back(scene, target, rejected)
    candidate = choose_candidate(scene, rejected)
    if candidate != scene.before.canary_revision:
        # A command for the one before says nothing of this one, unless it is the same model.
        rejected = reject_aborted(scene, rejected)
        scene = replace(scene, verb=None)
        candidate = choose_candidate(scene, rejected)
    if candidate is None:
        return _stay(scene, rejected)
    if scene.stable is None:
        return _begin_first(scene, candidate, rejected)
    position = find_position(scene, candidate)
    cause = find_cause(scene, candidate, position)
    if cause is not None:
        return abort(scene, candidate, position, rejected, cause=cause)
    course = _go_on(scene, candidate, _hear(scene, candidate, position), rejected)
    if scene.path.stops and not is_tried(course.rollout):
        course = replace(course, wait_seconds=measure_patience(scene, candidate, course.rollout))
    return replace(course, is_fast=bool(scene.path.stops) and is_known_good(scene, candidate))


def _bring_back(scene: Scene, target: str, rejected: tuple[str, ...]) -> Course:
    """A rollback: all requests as soon as its pods are there. No step, no pause and no evidence
    stands in its way; while it has no pod it gets nothing."""
    last = len(scene.path.stops)
    course = _go_on(scene, target, go_to(find_position(scene, target), index=last), rejected)
    former = (scene.stable or "")[:SHOWN]
    words = say("RollingBack", revision=target[:SHOWN], former=former)
    return replace(
        course,
        rollout=msgspec.structs.replace(
            course.rollout, target=target, reason="RollingBack", message=words
        ),
        is_fast=True,
        target=target,
        takes_back=is_rejected(scene.asked, stable=target, rejected=rejected),
    )


def _stay(scene: Scene, rejected: tuple[str, ...]) -> Course:
    """Everything goes to the stable revision, whatever was under way."""
    before = scene.rollout
    refused = is_rejected(scene.asked, stable=scene.stable, rejected=rejected)
    keeps = refused or before.state is RolloutState.ABORTING
    rollout = RolloutStatus(
        attempt=before.attempt,
        state=before.state,
        step_index=before.step_index if refused else 0,
        started_at=before.started_at,
        step_started_at=before.step_started_at,
        reason=before.reason if keeps else None,
        message=before.message if keeps else None,
        outcome=before.outcome,
    )
    return Course(
        candidate=None,
        goal=Goal(base=scene.stable),
        rollout=rollout,
        rejected=rejected,
        is_rejected=refused,
    )


def _begin_first(scene: Scene, candidate: str, rejected: tuple[str, ...]) -> Course:
    """With nothing that serves there is nothing to compare with, and nobody to protect."""
    carries = candidate in list_slots(scene) and candidate in scene.answering
    enters = candidate in scene.complete or carries
    return Course(
        candidate=candidate,
        goal=Goal(base=None, guest=candidate, weight=MILLION) if enters else Goal(base=None),
        rollout=find_position(scene, candidate),
        rejected=rejected,
    )


def _go_on(
    scene: Scene, candidate: str, position: RolloutStatus, rejected: tuple[str, ...]
) -> Course:
    if list_slots(scene) - {scene.stable, candidate}:
        return Course(
            candidate=candidate,
            goal=Goal(base=scene.stable),
            rollout=msgspec.structs.replace(position, state=RolloutState.SUPERSEDING),
            rejected=rejected,
        )
    if is_tried(position):
        standing = _move(scene, candidate, enter(scene, position))
    else:
        standing = Standing(at=_prepare(scene, candidate, position))
    weight, is_scaling = _limit(scene, candidate, standing.at)
    at = standing.at
    if is_scaling and at.paused is None:
        at = msgspec.structs.replace(at, state=RolloutState.SCALING)
    return Course(
        candidate=candidate,
        goal=_aim(scene, candidate, weight=weight, shadow=at.shadow),
        rollout=at,
        rejected=rejected,
        wait_seconds=standing.wait_seconds,
    )


def _hear(scene: Scene, candidate: str, position: RolloutStatus) -> RolloutStatus:
    """What a command or the spec says about the steps."""
    last = len(scene.path.stops)
    skips = last == 0 or is_known_good(scene, candidate)
    is_there = position.step_index == last and position.held_since is None
    # What was paused at the end stays so, until it is told otherwise.
    if scene.verb is Verb.PROMOTE_FULL or (skips and not is_there):
        position = go_to(position, index=last)
    return hear_pause(scene, position)


def _prepare(scene: Scene, candidate: str, position: RolloutStatus) -> RolloutStatus:
    """Until every pod is there nothing is sent to it."""
    position = msgspec.structs.replace(position, state=RolloutState.PREPARING)
    if scene.verb is Verb.PROMOTE:
        waits = position.paused == "ApprovalNeeded"
        position = go_to(position, index=position.step_index + 1 if waits else position.step_index)
    if candidate not in scene.complete or position.paused is not None:
        return position
    if _needs_approval(scene, position):
        return msgspec.structs.replace(position, paused="ApprovalNeeded")
    return enter(scene, position)


def _needs_approval(scene: Scene, position: RolloutStatus) -> bool:
    stops, index = scene.path.stops, position.step_index
    return index < len(stops) and stops[index].approval


def _move(scene: Scene, candidate: str, position: RolloutStatus) -> Standing:
    """To the weight of the step, and there what the evidence says."""
    if position.step_index >= len(scene.path.stops):
        return Standing(at=msgspec.structs.replace(position, state=RolloutState.PROMOTING))
    weight = position.weights.desired if position.weights else 0
    goal = _aim(scene, candidate, weight=weight, shadow=position.shadow)
    if goal.is_reached(scene.route) or scene.verb is Verb.PROMOTE:
        return observe(scene, position)
    return Standing(at=msgspec.structs.replace(position, state=RolloutState.SHIFTING))


def _aim(scene: Scene, candidate: str, *, weight: int, shadow: int) -> Goal:
    return Goal(
        base=scene.stable,
        guest=candidate if weight else None,
        weight=weight,
        mirror=Mirror(revision=candidate, share=shadow) if shadow else None,
    )


def _limit(scene: Scene, candidate: str, position: RolloutStatus) -> tuple[int, bool]:
    """The weight that it may have now, and whether that waits for pods."""
    wanted = position.weights.desired if position.weights else 0
    current = scene.route.slots.weigh(candidate) if scene.route and scene.route.slots else 0
    # Zero pods that were asked for answer nothing, and are complete.
    if wanted > 0 and candidate not in scene.answering and candidate not in scene.complete:
        # Its share of the requests would fail: none, until it is back.
        return 0, True
    if position.paused is not None:
        return min(wanted, current), False
    # To let go of the other slot's millionth is no more than it has.
    raises = wanted > current and not (wanted == MILLION and current >= MOST)
    if raises and candidate not in scene.complete:
        return current, True
    return wanted, False
