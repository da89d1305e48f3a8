"""Plans of the crash campaign: every write of a life, and three kinds of bad luck at each.

The writes are those of a life without a fault. Method: Sieve (OSDI 2022), which crashes a
controller around each of its writes and compares the end with an undisturbed run; oracles are
the end state, field by field, and how often each object was created and deleted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cluster_operator import Operator
from crash_life import Outcome
from fault_acts import call, drop
from fault_proxy import FaultProxy
from fault_requests import Request


class Luck(StrEnum):
    """What happens at a write."""

    BEFORE = "killed before it"
    AFTER = "killed after it, before its answer"
    LOST = "its answer is lost"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The n-th (from 1) write of a verb and a resource, and what happens there."""

    verb: str
    resource: str
    number: int
    luck: Luck

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} #{self.number}: {self.luck}"

    def harm(self, proxy: FaultProxy, operator: Operator) -> None:
        """Have it happen."""

        def kill() -> None:
            operator.kill()
            operator.start()

        match self.luck:
            case Luck.BEFORE:
                act = call(kill, committed=False)
            case Luck.AFTER:
                act = call(kill, committed=True)
            case Luck.LOST:
                act = drop(committed=True)
        proxy.strike(act, self.verb, resource=self.resource, which=self.number)


def list_plans(writes: Iterable[Request]) -> list[Plan]:
    """All plans for the writes of an undisturbed life, in the order of the life."""
    seen: Counter[tuple[str, str]] = Counter()
    plans = []
    for write in writes:
        seen[write.verb, write.resource] += 1
        number = seen[write.verb, write.resource]
        plans += [
            Plan(verb=write.verb, resource=write.resource, number=number, luck=luck)
            for luck in Luck
        ]
    return plans


def sample_plans(plans: Sequence[Plan], count: int) -> list[Plan]:
    """So many of them, spread over the life and over the kinds of luck."""
    writes = len(plans) // len(Luck)
    chosen = [number * writes // count for number in range(count)]
    return [plans[write * len(Luck) + number % len(Luck)] for number, write in enumerate(chosen)]


class Oracle:
    """Tells what a life left otherwise than undisturbed ones did."""

    def __init__(self, references: Sequence[Outcome]) -> None:
        """What differs among the references (times, addresses) is not compared."""
        self._expected = references[0]
        self._varying = {
            _general(place)
            for other in references[1:]
            for place, _ in references[0].objects.items() ^ other.objects.items()
        }

    @property
    def varying(self) -> list[str]:
        """The fields that are not compared."""
        return sorted(self._varying)

    def compare(self, outcome: Outcome) -> list[str]:
        """A line for each difference; none is as it should be."""
        wanted, found = self._expected.objects, outcome.objects
        places = {place for place, _ in wanted.items() ^ found.items()}
        different = [
            f"{place}: {_show(found, place)} instead of {_show(wanted, place)}"
            for place in sorted(places)
            if _general(place) not in self._varying
        ]
        often, right = outcome.counts, self._expected.counts
        counts = [
            f"{' '.join(what)}: {often[what]} times instead of {right[what]}"
            for what in sorted(right.keys() | often.keys())
            if often[what] != right[what]
        ]
        return different + counts


def _general(place: str) -> str:
    return re.sub(r"\[\d+\]", "[]", place)


def _show(objects: Mapping[str, str], place: str) -> str:
    return f"{objects.get(place, 'absent'):.80}"
