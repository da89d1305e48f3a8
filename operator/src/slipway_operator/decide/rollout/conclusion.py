"""What became of a rollout in this pass, once it is known what the route says: for the status, the
history and the events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from slipway_operator.api.reasons import say
from slipway_operator.api.status import Status
from slipway_operator.api.status_rollout import (
    HistoryEntry,
    Outcome,
    RolloutState,
    RolloutStatus,
    Weights,
)
from slipway_operator.decide.rollout.path import Path
from slipway_operator.decide.rollout.scene import SHOWN, Course, render_percent
from slipway_operator.decide.traffic import TrafficDecision
from slipway_operator.state.instants import render_instant
from slipway_operator.state.slots import MILLION

HISTORY: Final = 10
_RETURNED: Final = "RolledBack"
# The clock of a step runs while it is in one of these.
_OBSERVED: Final = frozenset(
    {
        RolloutState.OBSERVING,
        RolloutState.SHADOWING,
        RolloutState.HELD,
        RolloutState.PAUSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """`canary`: the revision on its way in, or out. `events`: reasons with their sentences."""

    canary: str | None
    rollout: RolloutStatus
    history: tuple[HistoryEntry, ...]
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known when a pass ends. `stable`: the revision that serves now. `asked`: what the
    spec asks for. `is_draining`: a former revision still has pods. `copied`: the revisions that may
    still get copies of requests."""

    before: Status
    course: Course
    path: Path
    traffic: TrafficDecision
    stable: str | None
    asked: str | None
    is_draining: bool
    copied: frozenset[str]
    observed: int | None
    now: datetime


def conclude_rollout(ending: Ending) -> Conclusion:
    """The account of the rollout."""
    before, course = ending.before, ending.course
    canary = _find_canary(ending)
    outcome = _find_outcome(ending, canary=canary)
    state = _name_state(ending, canary=canary)
    previous = before.rollout or RolloutStatus()
    rollout = course.rollout
    slots = ending.traffic.slots
    weights = None
    if canary is not None:
        desired = rollout.weights.desired if rollout.weights else 0
        weights = Weights(
            desired=desired if course.candidate == canary else 0,
            programmed=slots.weigh(canary) if slots else 0,
            observed=ending.observed,
        )
    else:
        rollout = msgspec.structs.replace(
            rollout,
            step_index=rollout.step_index if course.is_rejected else 0,
            shadow=0,
            path=None,
            paused=None,
            held_since=None,
            **_tell_return(ending),
        )
    now = render_instant(ending.now)
    step_started_at = rollout.step_started_at
    is_new = rollout.step_index != previous.step_index
    if is_new or (state is not previous.state and state not in _OBSERVED):
        step_started_at = now
    return Conclusion(
        canary=canary,
        rollout=msgspec.structs.replace(
            rollout,
            state=state,
            weights=weights,
            step_started_at=step_started_at,
            outcome=outcome or previous.outcome,
        ),
        history=_extend_history(ending, outcome=outcome),
        events=tuple(_list_events(ending, canary=canary, outcome=outcome)),
    )


def _has_returned(ending: Ending) -> bool:
    """Whether what a rollback was to bring back serves now."""
    return ending.course.target is not None and ending.course.target == ending.stable


def _tell_return(ending: Ending) -> dict[str, Any]:
    """Nothing is to be brought back any more; where what is asked for was taken back, why."""
    if not _has_returned(ending):
        return {}
    told: dict[str, Any] = {"target": None, "reason": None, "message": None}
    if ending.course.takes_back:
        told |= {"reason": _RETURNED, "message": _say_returned(ending)}
    return told


def _say_returned(ending: Ending) -> str:
    former = (ending.before.stable_revision or "")[:SHOWN]
    detail = f"revision {former} was rolled back by command."
    return say(_RETURNED, revision=(ending.stable or "")[:SHOWN], detail=detail)


def _find_canary(ending: Ending) -> str | None:
    if ending.course.candidate is not None:
        promoted = ending.course.candidate == ending.stable
        return None if promoted else ending.course.candidate
    # A revision on its way out still holds a slot.
    slots = ending.traffic.slots
    others = (slots.revisions if slots else frozenset()) - {ending.stable}
    # So does one that still gets copies.
    copied = ending.copied - {ending.stable}
    return min(others or copied, default=None)


def _name_state(ending: Ending, *, canary: str | None) -> RolloutState:
    course, traffic = ending.course, ending.traffic
    if ending.stable is None:
        return RolloutState.PENDING if ending.asked is None else RolloutState.INITIALIZING
    if canary is None:
        if course.is_rejected or course.takes_back:
            return RolloutState.ROLLED_BACK
        return RolloutState.DRAINING if ending.is_draining else RolloutState.STABLE
    if course.candidate is None:
        return RolloutState.ABORTING
    if course.rollout.paused is not None:
        return RolloutState.PAUSED
    state = course.rollout.state
    if state is RolloutState.SHIFTING and traffic.step in ("verify", "done"):
        return RolloutState.VERIFYING
    return state


def _find_outcome(ending: Ending, *, canary: str | None) -> Outcome | None:
    """How the rollout of the revision that was on its way ended, if it just did."""
    before = ending.before
    last = before.canary_revision
    # With the status lost nothing is known to have ended just now.
    if before.observed_generation == 0:
        return None
    if ending.stable is not None and before.stable_revision != ending.stable:
        return Outcome.FAST_PROMOTED if ending.course.is_fast else Outcome.PROMOTED
    if last is None:
        return None
    if last == canary:
        return _find_end_of_former_try(ending)
    models = {row.hash: row.model for row in before.revisions}
    if last in ending.course.rejected or models.get(last) in ending.course.rejected:
        return Outcome.ABORTED
    return Outcome.ROLLED_BACK if ending.asked == ending.stable else Outcome.SUPERSEDED


def _find_end_of_former_try(ending: Ending) -> Outcome | None:
    """One that is asked for again before it had lost its last request has ended all the same."""
    was = ending.before.rollout
    if was is None or was.state is not RolloutState.ABORTING or ending.course.candidate is None:
        return None
    return Outcome.ROLLED_BACK if was.reason is None else Outcome.ABORTED


def _extend_history(ending: Ending, *, outcome: Outcome | None) -> tuple[HistoryEntry, ...]:
    before = ending.before
    if outcome is None:
        return before.history
    promoted = outcome in (Outcome.PROMOTED, Outcome.FAST_PROMOTED)
    rollout = before.rollout or RolloutStatus()
    # One without requests is out in the very pass that ends it.
    reason = ending.course.rollout.reason or rollout.reason
    is_aborted = outcome is Outcome.ABORTED
    entry = HistoryEntry(
        revision=(ending.stable if promoted else before.canary_revision) or "",
        outcome=outcome,
        reason=_RETURNED if _has_returned(ending) else reason if is_aborted else None,
        started_at=rollout.started_at,
        finished_at=render_instant(ending.now),
    )
    return (entry, *before.history)[:HISTORY]


def _list_events(
    ending: Ending, *, canary: str | None, outcome: Outcome | None
) -> Iterator[tuple[str, str]]:
    before, stable = ending.before, ending.stable
    last = (before.canary_revision or "")[:SHOWN]
    match outcome:
        case Outcome.FAST_PROMOTED if _has_returned(ending):
            # Where what is asked for is refused, Ready tells the same.
            if not ending.course.takes_back:
                yield _RETURNED, _say_returned(ending)
        case Outcome.PROMOTED | Outcome.FAST_PROMOTED if stable is not None:
            yield outcome.value, say(outcome.value, revision=stable[:SHOWN])
        case Outcome.SUPERSEDED:
            newer = (canary or ending.asked or stable or "")[:SHOWN]
            yield "Superseded", say("Superseded", revision=last, newer=newer)
        case Outcome.ABORTED | Outcome.ROLLED_BACK if before.canary_revision != canary:
            detail = f"revision {last} gets no request any more."
            answers = (stable or "")[:SHOWN]
            yield "RolledBack", say("RolledBack", revision=answers, detail=detail)
        case _:
            pass
    weight = ending.course.rollout.weights.desired if ending.course.rollout.weights else 0
    was = before.rollout.weights.desired if before.rollout and before.rollout.weights else 0
    shadow = ending.course.rollout.shadow
    was_shadow = before.rollout.shadow if before.rollout else 0
    is_told = weight not in (0, MILLION, was) or shadow not in (0, was_shadow)
    if ending.course.candidate is not None and is_told:
        yield describe_step(ending.course, ending.path)


def describe_step(course: Course, path: Path) -> tuple[str, str]:
    """How far a rollout is: a reason and its sentence."""
    weight = course.rollout.weights.desired if course.rollout.weights else 0
    reason = "CanaryRunning" if weight else "ShadowRunning"
    return reason, say(
        reason,
        revision=(course.candidate or "")[:SHOWN],
        percent=render_percent(weight or course.rollout.shadow),
        step=render_step(course.rollout, path),
    )


def render_step(rollout: RolloutStatus, path: Path) -> str:
    """Such as 2/4."""
    return f"{min(rollout.step_index + 1, len(path.stops))}/{len(path.stops)}"
