"""The two slots of the route: which revisions they name, at which weights, and whether for sure.

"No traffic" means that no slot names a revision; "all traffic" that both do. Weights are shares of
a million and never 0: a gateway that sees 0 drops the backend and fails requests on the way back.
"""

from dataclasses import dataclass
from typing import Final

MILLION: Final = 1_000_000
LEAST: Final = 1  # the smallest share there is: holds a backend open without traffic worth a name
MOST: Final = MILLION - LEAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One weighted backend of the route."""

    revision: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Both backends, in the order of the route; positions never change, only what they name."""

    first: Slot
    second: Slot

    @property
    def main(self) -> Slot:
        """The slot with more weight; the first one when they are equal."""
        return self.first if self.first.weight >= self.second.weight else self.second

    @property
    def idle(self) -> Slot:
        """The other slot."""
        return self.second if self.main is self.first else self.first

    @property
    def revisions(self) -> frozenset[str]:
        """The revisions that may get a request."""
        return frozenset({self.first.revision, self.second.revision})

    @property
    def is_at_rest(self) -> bool:
        """Whether the weights are those between two steps: all but one millionth, and that one."""
        return (self.main.weight, self.idle.weight) == (MOST, LEAST)

    def names_only(self, revision: str) -> bool:
        """Whether every request goes to this revision."""
        return self.revisions == {revision}

    def weigh(self, revision: str) -> int:
        """The share of a revision, in millionths."""
        return sum(slot.weight for slot in (self.first, self.second) if slot.revision == revision)

    def other(self, revision: str) -> str:
        """The revision of the slot that does not name this one; two have to be named."""
        return self.second.revision if self.first.revision == revision else self.first.revision

    def share(self, revision: str, weight: int) -> "Slots":
        """One of two revisions gets this weight, the other one the rest."""
        rest = MILLION - weight
        mine = self.first.revision == revision
        return Slots(
            first=Slot(revision=self.first.revision, weight=weight if mine else rest),
            second=Slot(revision=self.second.revision, weight=rest if mine else weight),
        )

    def repoint(self, old: str, new: str) -> "Slots":
        """The slot that names one of two revisions names another one, its weight as it was."""
        return Slots(
            first=Slot(
                revision=new if self.first.revision == old else self.first.revision,
                weight=self.first.weight,
            ),
            second=Slot(
                revision=new if self.second.revision == old else self.second.revision,
                weight=self.second.weight,
            ),
        )

    def rest(self) -> "Slots":
        """The same revisions with the weights of rest."""
        return self._with(main=self.main.revision, idle=self.idle.revision)

    def repoint_idle(self, revision: str) -> "Slots":
        """The idle slot names another revision, at one millionth."""
        return self._with(main=self.main.revision, idle=revision)

    def _with(self, *, main: str, idle: str) -> "Slots":
        if self.main is self.first:
            return Slots(
                first=Slot(revision=main, weight=MOST), second=Slot(revision=idle, weight=LEAST)
            )
        return Slots(
            first=Slot(revision=idle, weight=LEAST), second=Slot(revision=main, weight=MOST)
        )


def fill_slots(revision: str) -> Slots:
    """Both slots name one revision: the first route of a model, and the end of every rollout."""
    return Slots(
        first=Slot(revision=revision, weight=MOST), second=Slot(revision=revision, weight=LEAST)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A share of all requests, in millionths, that is copied to a revision without a slot; nobody
    is given its answers."""

    revision: str
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteState:
    """The route as it was observed.

    `slots` is None when the route was edited into a shape that is not ours. `verified`: the gateway
    confirmed exactly what the route says now. `trouble` is the gateway's own reason and words when
    it refused. `rejected`, `last_command` and `target` are what a lost status would have
    forgotten. `chosen`: the revision of requests that choose it themselves.
    """

    slots: Slots | None
    stable: str | None
    verified: bool
    trouble: tuple[str, str] | None
    address: str | None
    mirror: Mirror | None = None
    rejected: tuple[str, ...] = ()
    last_command: str | None = None
    target: str | None = None
    chosen: str | None = None
