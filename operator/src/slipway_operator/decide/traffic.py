"""Where requests shall go, one verified step at a time.

Enter: the idle slot is repointed at one millionth, then the slots swap weights, then the old slot
is repointed. Leaving is the same with the other revision as the target. A step is taken only when
the gateway has confirmed the last one; no weight is ever 0 and no slot names what does not exist.
"""

from collections.abc import Collection
from dataclasses import dataclass

from slipway_operator.state.slots import RouteState, Slots, fill_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficDecision:
    """`slots` as the route shall say now (None: there is no route yet). `arrived`: the revision to
    which every request goes, confirmed; None while anything is under way."""

    slots: Slots | None
    arrived: str | None
    step: str


def decide_target(
    *,
    desired: str | None,
    stable: str | None,
    slots: Slots | None,
    complete: Collection[str],
    answering: Collection[str],
) -> str | None:
    """The revision that should get the requests now.

    `complete` have every pod that is wanted, `answering` at least one.
    """
    # Nothing new to move to, or the new one is the old one (a revert): back to the stable.
    if desired is None or desired == stable:
        return stable
    if desired in complete:
        return desired
    # It carries the traffic already: one pod that is replaced is no reason to turn round.
    if slots is not None and slots.main.revision == desired and desired in answering:
        return desired
    return stable


def decide_traffic(
    *,
    route: RouteState | None,
    target: str | None,
    known: Collection[str],
    able: Collection[str],
) -> TrafficDecision:
    """The next step of the route towards `target`.

    `known` are the revisions that can be rebuilt, so that a slot may go on naming them; `able`
    those whose Service exists and whose pods answer (or are zero on purpose), so that a slot may
    begin to.
    """
    if route is None:
        if target is None or target not in able:
            return TrafficDecision(slots=None, arrived=None, step="wait for the first revision")
        return TrafficDecision(slots=fill_slots(target), arrived=None, step="create")
    slots = route.slots
    # Somebody edited the route into another shape or towards something that does not exist: that
    # cannot wait for the gateway, which fails such requests.
    if slots is None or not slots.revisions <= set(known):
        if target is None or target not in able:
            return TrafficDecision(slots=slots, arrived=None, step="wait for a revision")
        return TrafficDecision(slots=fill_slots(target), arrived=None, step="restore")
    if not slots.is_at_rest:
        return TrafficDecision(slots=slots.rest(), arrived=None, step="restore weights")
    if not route.verified:
        return TrafficDecision(slots=slots, arrived=None, step="verify")
    if target is None or slots.names_only(target):
        return TrafficDecision(slots=slots, arrived=target, step="done")
    # A revision that lost its pods on the way gets nothing more until they are back.
    if target not in able:
        return TrafficDecision(slots=slots, arrived=None, step="hold")
    if slots.main.revision == target or slots.idle.revision != target:
        return TrafficDecision(slots=slots.repoint_idle(target), arrived=None, step="repoint")
    return TrafficDecision(slots=slots.swap(), arrived=None, step="swap")
