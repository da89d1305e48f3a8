"""What the counters of a query say, series by series, and how many events lie between two looks.

Every series is followed by itself, as in Prometheus' own `increase`: a process that starts anew, or
comes or goes, is told from events. What was scraped (the target) is known by its labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Counters = Mapping[str, Mapping[str, int]]  # by target, then by all labels of the series


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The two queries of one metric for one revision, at one moment."""

    good: Counters = field(default_factory=dict)
    total: Counters = field(default_factory=dict)

    def after(self, before: "Tally") -> "Tally":
        """This one, with what was known of targets that are not in it: they may come back."""
        return Tally(good={**before.good, **self.good}, total={**before.total, **self.total})


def count_events(before: Tally, after: Tally) -> tuple[int, int]:
    """All events between two looks, and the bad ones among them.

    A target that nobody knew is left out, like all that was counted while nobody looked; a new
    series of one that is known began at 0. Where a count went back the target started anew, and its
    window is left out.

    >>> count_events(
    ...     Tally(total={"a": {"x": 10}}, good={"a": {"x": 9}}),
    ...     Tally(total={"a": {"x": 15, "y": 1}, "b": {"x": 99}}, good={"a": {"x": 12}}),
    ... )
    (6, 3)
    """
    events = good = 0
    for target in after.total.keys() & before.total.keys():
        more = _grow(before.total[target], after.total[target])
        better = _grow(before.good.get(target, {}), after.good.get(target, {}))
        if more is not None and better is not None:
            events += more
            good += better
    return events, max(events - good, 0)


def _grow(before: Mapping[str, int], after: Mapping[str, int]) -> int | None:
    """None: a count went back."""
    steps = [value - before.get(series, 0) for series, value in after.items()]
    return None if any(step < 0 for step in steps) else sum(steps)
