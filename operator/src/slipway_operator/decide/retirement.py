"""When a revision that nobody asks for any more may go: first its pods, then the rest.

A revision that may still get a request is never touched: not while a slot names it, not while the
gateway has yet to confirm that none does.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from slipway_operator.api.status import Revision
from slipway_operator.state.instants import compute_seconds_left, read_instant
from slipway_operator.state.revision import RevisionState

EXIT_POLL_SECONDS: Final = 5


class Exit(StrEnum):
    """The three things that can happen to a revision without traffic."""

    KEEP = "Keep"  # requests under way may still be answered
    STOP = "Stop"  # no pods any more
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
) -> Mapping[str, Retirement]:
    """Judge every revision that is not among `needed`. `before` is what the status knew of each,
    `delays` for how many seconds each stays."""
    return {
        revision: decide_retirement(
            state=state,
            before=before.get(revision),
            confirmed=confirmed,
            scale_down_delay_seconds=delays[revision],
            now=now,
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
) -> Retirement:
    """Judge one revision that no slot names. `confirmed`: the gateway says the same."""
    retired_at = (read_instant(before.retired_at) if before else None) or now
    if not confirmed:
        return Retirement(exit=Exit.KEEP, retired_at=retired_at)
    # One that never answered has nothing under way. One that the status forgot may have.
    if before is None or before.verified_at is not None:
        left = compute_seconds_left(
            since=retired_at, wait_seconds=scale_down_delay_seconds, now=now
        )
        if left > 0:
            return Retirement(exit=Exit.KEEP, retired_at=retired_at, seconds_left=left)
    # Pods end before their Service does, so that what is under way can be answered.
    stopped = state.desired == 0 and state.existing == 0 and state.is_observed
    if state.deployment is not None and not stopped:
        return Retirement(exit=Exit.STOP, retired_at=retired_at, seconds_left=EXIT_POLL_SECONDS)
    return Retirement(exit=Exit.DELETE, retired_at=retired_at)
