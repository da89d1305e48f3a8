"""Where requests shall go, one verified step at a time.

Enter: a slot is repointed at one millionth, then weights move; to get everything the other slot is
repointed at last. Leaving is the same with the other revision. A step is taken only when the
gateway has confirmed the last one, but for taking weight away, which never waits. No weight is ever
0 and no slot names what does not exist.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from slipway_operator.state.slots import (
    LEAST,
    MILLION,
    MOST,
    Mirror,
    RouteState,
    Slots,
    fill_slots,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """How requests shall be split: `weight` millionths to `guest` (all with a million), the rest to
    `base`. Without a guest `base` gets them all. `mirror`: who gets copies."""

    base: str | None
    guest: str | None = None
    weight: int = 0
    mirror: Mirror | None = None

    @property
    def winner(self) -> str | None:
        """The revision that shall get every request; None: two share them, or there is none."""
        if self.guest is None or self.weight == 0:
            return self.base
        return self.guest if self.weight == MILLION else None

    def is_reached(self, route: RouteState | None) -> bool:
        """Whether the gateway confirmed exactly this."""
        if route is None or not route.verified or route.slots is None:
            return False
        if route.mirror != self.mirror:
            return False
        if self.winner is not None:
            return route.slots.names_only(self.winner)
        if self.base is None or self.guest is None:
            return False
        return (
            route.slots.weigh(self.guest) == self.weight
            and route.slots.weigh(self.base) == MILLION - self.weight
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficDecision:
    """`slots` and `mirror` as the route shall say now (None: there is no route yet, or nobody gets
    copies). `arrived`: the revision to which every request goes, confirmed; None while anything is
    under way."""

    slots: Slots | None
    arrived: str | None
    step: str
    mirror: Mirror | None = None


def decide_traffic(
    *,
    route: RouteState | None,
    goal: Goal,
    known: Collection[str],
    able: Collection[str],
) -> TrafficDecision:
    """The next step of the route towards the goal.

    `known` are the revisions that can be rebuilt, so that a slot may go on naming them; `able`
    those whose Service exists and whose pods answer (or are zero on purpose), so that a slot may
    begin to.
    """
    decision = _decide_slots(route=route, goal=goal, known=known, able=able)
    mirror = _decide_mirror(route=route, goal=goal, known=known, able=able)
    is_moved = route is not None and mirror != route.mirror
    return replace(decision, mirror=mirror, step="mirror" if is_moved else decision.step)


def _decide_mirror(
    *, route: RouteState | None, goal: Goal, known: Collection[str], able: Collection[str]
) -> Mirror | None:
    """Copies begin when the gateway has confirmed that no user is sent there; they end at once. A
    revision without pods harms nobody by getting some; one without a Service would fail every
    request."""
    wanted = goal.mirror
    if route is None or wanted is None:
        return None
    has_some = route.mirror is not None and route.mirror.revision == wanted.revision
    if has_some:
        return wanted if wanted.revision in known else None
    has_slot = route.slots is not None and wanted.revision in route.slots.revisions
    begins = route.verified and not has_slot and wanted.revision in able
    return wanted if begins else None


def _decide_slots(
    *, route: RouteState | None, goal: Goal, known: Collection[str], able: Collection[str]
) -> TrafficDecision:
    # The first revision of all has nobody to share with.
    target = goal.winner or (goal.guest if goal.base is None else goal.base)
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
    wanted, step = _step(slots, goal)
    takes_away = wanted.revisions == slots.revisions and _grows(slots, wanted) == goal.base
    if takes_away and (goal.base in able or goal.winner == goal.base):
        return TrafficDecision(slots=wanted, arrived=None, step=step)
    if not route.verified:
        return TrafficDecision(slots=slots, arrived=None, step="verify")
    if wanted == slots:
        return TrafficDecision(slots=slots, arrived=goal.winner, step="done")
    # A revision that lost its pods on the way gets nothing more until they are back.
    if (gains := _grows(slots, wanted)) is not None and gains not in able:
        return TrafficDecision(slots=slots, arrived=None, step="hold")
    return TrafficDecision(slots=wanted, arrived=None, step=step)


def _step(slots: Slots, goal: Goal) -> tuple[Slots, str]:
    """What the route says next, if nothing stands in the way."""
    winner = goal.winner
    if winner is None and (goal.base is None or goal.guest is None):
        # Between two revisions with neither: as it is, at weights of ours.
        return (slots, "done") if slots.is_at_rest else (slots.rest(), "restore weights")
    if winner is not None:
        if slots.names_only(winner):
            return (slots, "done") if slots.is_at_rest else (slots.rest(), "restore weights")
        if winner not in slots.revisions:
            return _enter(slots, winner, leaving=slots.idle.revision)
        other = slots.other(winner)
        if slots != slots.share(winner, MOST):
            return slots.share(winner, MOST), "shift"
        return slots.repoint(other, winner), "repoint"
    assert goal.base is not None  # noqa: S101  see above
    assert goal.guest is not None  # noqa: S101
    if slots.revisions == {goal.base, goal.guest}:
        shared = slots.share(goal.guest, goal.weight)
        return (slots, "done") if shared == slots else (shared, "shift")
    if goal.base in slots.revisions:
        leaving = slots.idle.revision if len(slots.revisions) == 1 else slots.other(goal.base)
        return _enter(slots, goal.guest, leaving=leaving)
    # Neither edit nor lost status may give everything to a revision on trial.
    return fill_slots(goal.base), "restore"


def _enter(slots: Slots, revision: str, *, leaving: str) -> tuple[Slots, str]:
    """The slot of `leaving` is emptied, then names `revision`, at one millionth."""
    if len(slots.revisions) == 1:
        if not slots.is_at_rest:
            return slots.rest(), "restore weights"
        return slots.repoint_idle(revision), "repoint"
    emptied = slots.share(leaving, LEAST)
    return (slots.repoint(leaving, revision), "repoint") if emptied == slots else (emptied, "shift")


def _grows(before: Slots, after: Slots) -> str | None:
    """The revision that gets more than it had."""
    return next(
        (
            revision
            for revision in sorted(after.revisions)
            if after.weigh(revision) > before.weigh(revision)
        ),
        None,
    )
