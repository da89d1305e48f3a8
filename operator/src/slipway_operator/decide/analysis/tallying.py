"""Evidence from the counters of a spec's own queries.

Prometheus scrapes each process at its own moment, so that at most looks one revision has counted
and the other has not. Events are put aside until both have some, or for a minute: what is judged
are windows of both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from slipway_operator.api.vocabulary import MetricType
from slipway_operator.decide.analysis.gate import Gate
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Trial
from slipway_operator.state.tallies import Tally, count_events

PATIENCE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was counted `since`, and is not judged yet, beside what the counters said last."""

    since: datetime
    canary: Tally
    stable: Tally
    ours: Counts = field(default_factory=Counts)
    theirs: Counts = field(default_factory=Counts)


def advance_tallies(
    *,
    gates: Sequence[Gate],
    trials: Mapping[str, Trial],
    windows: Mapping[str, Window],
    tallies: Mapping[tuple[str, str], Tally],
    canary: str,
    stable: str,
    at: datetime,
) -> tuple[dict[str, Trial], dict[str, Window]]:
    """The trials and windows after a look. `tallies`: by metric and revision; one that could not be
    asked for is not in it, and the next look covers it."""
    found_trials, found_windows = dict(trials), dict(windows)
    for gate in gates:
        if gate.type is not MetricType.PROMETHEUS:
            continue
        trial = trials.get(gate.name, Trial())
        ours, theirs = tallies.get((gate.name, canary)), tallies.get((gate.name, stable))
        if ours is not None and theirs is not None:
            before = windows.get(gate.name, Window(since=at, canary=ours, stable=theirs))
            window = _extend(before, ours, theirs)
            if _is_due(window, at):
                trial = trial.observe(gate.rule, canary=window.ours, stable=window.theirs)
                window = replace(window, since=at, ours=Counts(), theirs=Counts())
            found_windows[gate.name] = window
        found_trials[gate.name] = trial
    return found_trials, found_windows


def _extend(window: Window, canary: Tally, stable: Tally) -> Window:
    return replace(
        window,
        canary=canary.after(window.canary),
        stable=stable.after(window.stable),
        ours=window.ours + Counts(*count_events(window.canary, canary)),
        theirs=window.theirs + Counts(*count_events(window.stable, stable)),
    )


def _is_due(window: Window, at: datetime) -> bool:
    ours, theirs = window.ours.n, window.theirs.n
    return (ours > 0 and theirs > 0) or (ours + theirs > 0 and at - window.since >= PATIENCE)
