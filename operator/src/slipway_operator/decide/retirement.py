"""When a revision that nobody asks for any more may go: first its pods, then the rest. One that
served not long ago is kept without pods, so that it can come back (`former`).

A revision that may still get a request is never touched: not while a slot names it, not while the
gateway has yet to confirm that none does.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from slipway_operator.api.status import Revision
from slipway_operator.state.instants import compute_seconds_left, read_instant
from slipway_operator.state.revision import RevisionState

EXIT_POLL_SECONDS: Final = 5


class Exit(StrEnum):
    """What can happen to a revision without traffic."""

    KEEP = "Keep"  # requests under way may still be answered
    STOP = "Stop"  # no pods any more
    PARK = "Park"  # without pods, until it comes back or is too old
    DELETE = "Delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """What happens to one revision, since when it is out, and when to look again."""

    exit: Exit
    retired_at: datetime
    seconds_left: float | None = None


def decide_retirements(
    *,
    states: Mapping[str, RevisionState],
    needed: Collection[str],
    before: Mapping[str, Revision],
    confirmed: bool,
    delays: Mapping[str, int],
    now: datetime,
    kept: Mapping[str, float | None] = MappingProxyType({}),
    inspected: Collection[str] = (),
) -> Mapping[str, Retirement]:
    """Judge every revision that is not among `needed`. `before` is what the status knew of each,
    `delays` for how many seconds each stays, `kept` for how many more each may come back.
    `inspected`: those that failed, of interest even if they never answered."""
    return {
        revision: decide_retirement(
            state=state,
            before=before.get(revision),
            confirmed=confirmed,
            scale_down_delay_seconds=delays[revision],
            now=now,
            is_kept=revision in kept,
            kept_seconds=kept.get(revision),
            is_inspected=revision in inspected,
        )
        for revision, state in states.items()
        if revision not in needed
    }


def decide_retirement(
    *,
    state: RevisionState,
    before: Revision | None,
    confirmed: bool,
    scale_down_delay_seconds: int,
    now: datetime,
    is_kept: bool = False,
    kept_seconds: float | None = None,
    is_inspected: bool = False,
) -> Retirement:
    """Judge one revision that no slot names. `confirmed`: the gateway says the same."""
    retired_at = (read_instant(before.retired_at) if before else None) or now
    if not confirmed:
        return Retirement(exit=Exit.KEEP, retired_at=retired_at)
    # One that never answered has nothing under way. One that the status forgot may have.
    if before is None or before.verified_at is not None or is_inspected:
        left = compute_seconds_left(
            since=retired_at, wait_seconds=scale_down_delay_seconds, now=now
        )
        if left > 0:
            return Retirement(exit=Exit.KEEP, retired_at=retired_at, seconds_left=left)
    # Pods end before their Service does, so that what is under way can be answered.
    stopped = state.desired == 0 and state.existing == 0 and state.is_observed
    if state.deployment is not None and not stopped:
        return Retirement(exit=Exit.STOP, retired_at=retired_at, seconds_left=EXIT_POLL_SECONDS)
    if is_kept:
        return Retirement(exit=Exit.PARK, retired_at=retired_at, seconds_left=kept_seconds)
    return Retirement(exit=Exit.DELETE, retired_at=retired_at)
