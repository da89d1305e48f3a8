"""The books of one rollout: what the pods of both revisions have counted, tick by tick.

A tick takes what each pod has counted since the tick before, of both revisions at the same moment;
one that cannot read every pod counts nothing and loses nothing, for the next one covers it. Pods
that are new are left out until they are warm. A count that went back is a new process: what it
has counted so far is left out, like everything that was counted while nobody read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from slipway_operator.api.spec_rollout import WarmUp
from slipway_operator.api.status_rollout import Analysis
from slipway_operator.api.vocabulary import MetricType
from slipway_operator.decide.analysis.cursor import load_trial
from slipway_operator.decide.analysis.gate import (
    Gate,
    choose_bound,
    count,
    find_tolerance,
    is_asked,
)
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.shadow import Shadow, observe, restore_shadow
from slipway_operator.decide.analysis.split import Split
from slipway_operator.decide.analysis.tallying import Window, advance_tallies
from slipway_operator.decide.analysis.trial import Trial
from slipway_operator.state.readings import Reading, Readings, Source
from slipway_operator.state.slots import MILLION

TICK_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Counts of both revisions."""

    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)

    def __add__(self, other: "Pair") -> "Pair":
        return Pair(canary=self.canary + other.canary, stable=self.stable + other.stable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What is known of one attempt. `past`: by metric, all that the stable's pods have counted.
    `totals`: by pod, requests and copies so far, warm or not; `is_used`: some came in the step.
    `windows`: by metric, what its own queries have counted. `errors`: requests and failures of the
    step, whatever the metrics are. `unread_since`: since when not every pod or metric could be
    read, with `unread` saying why. `shadow`: the answers that were compared.
    """

    rollout: str
    step: int = -1
    trials: Mapping[str, Trial] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    past: Mapping[str, Counts] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    is_used: bool = False
    windows: Mapping[str, Window] = field(default_factory=dict)
    errors: Pair = field(default_factory=Pair)
    split: Split | None = None
    seconds: float = 0.0
    at: datetime | None = None
    unread_since: datetime | None = None
    unread: str = ""
    shadow: Shadow = field(default_factory=Shadow)


def open_ledger(rollout: str, *, analysis: Analysis | None, step: int | None) -> Ledger:
    """The books of an attempt that nobody has at hand: anew, or as far as the status kept them.

    `step`: the step of what it kept; None: an earlier one.
    """
    if analysis is None:
        return Ledger(rollout=rollout)
    found = {
        metric.name: trial
        for metric in analysis.metrics
        if metric.cursor is not None and (trial := load_trial(metric.cursor)) is not None
    }
    return Ledger(
        rollout=rollout,
        step=-1 if step is None else step,
        trials=found,
        shadow=restore_shadow(analysis.shadow),
    )


def begin_step(
    ledger: Ledger, *, step: int, gates: Sequence[Gate] = (), shadow: bool = False
) -> Ledger:
    """The books at a step: each passes by its own requests. What a metric found that is not asked
    in it (`gates`, and whether it is a `shadow`) stands as it is."""
    if ledger.step == step:
        return ledger
    resting = {gate.name for gate in gates if not is_asked(gate, shadow=shadow)}
    return replace(
        ledger,
        step=step,
        trials={
            name: trial if name in resting else trial.begin_step()
            for name, trial in ledger.trials.items()
        },
        errors=Pair(),
        is_used=False,
        seconds=0.0,
    )


def take(
    ledger: Ledger,
    *,
    readings: Readings,
    canary: str,
    stable: str,
    gates: Sequence[Gate],
    warm_up: WarmUp,
    weight: int | None,
    shadow: bool = False,
) -> Ledger:
    """The books after a tick.

    Args:
        weight: the canary's share as the gateway confirmed it, in millionths; None: it is not
            known, and the split is not judged.
        shadow: the canary gets copies alone: it is judged by them, and by how its answers to them
            compare with the stable's.
    """
    unread = _find_unread(readings, gates, shadow=shadow)
    if unread:
        pod, why = min(unread.items())
        return replace(
            ledger,
            unread_since=ledger.unread_since or readings.at,
            unread=ledger.unread or f'pod "{pod}": {why}',
        )
    warm = {
        source.uid: (source, reading)
        for source, reading in readings.found
        if source.revision in (canary, stable)
        and _is_warm(source, reading, warm_up=warm_up, at=readings.at)
    }
    ours = _list_windows(ledger, warm, canary)
    if shadow:
        ours = [(before.copies, after.copies) for before, after in ours]
    theirs = _list_windows(ledger, warm, stable)
    known = [reading for source, reading in warm.values() if source.revision == stable]
    trials = {
        gate.name: _advance(
            ledger.trials.get(gate.name, Trial()), gate, ours=ours, theirs=theirs, known=known
        )
        for gate in gates
        if _is_of_pods(gate)
    }
    compared = ledger.shadow
    distances: tuple[float, ...] = ()
    if shadow:
        compared, distances = observe(
            ledger.shadow,
            [(source, told) for source, told in readings.answers if source.uid in warm],
            canary=canary,
            stable=stable,
            tolerance=find_tolerance(gates),
            at=readings.at,
        )
    # What was compared in a shadow stands while users are asked.
    trials |= {
        gate.name: _compare(ledger.trials.get(gate.name, Trial()), gate, distances)
        for gate in gates
        if gate.tolerance is not None
    }
    past = {
        gate.name: _sum(count(gate, Reading(), reading, bound=None) for reading in known)
        for gate in gates
        if _is_of_pods(gate)
    }
    told, windows = advance_tallies(
        gates=gates,
        trials=ledger.trials,
        windows=ledger.windows,
        tallies=readings.tallies,
        canary=canary,
        stable=stable,
        at=readings.at,
    )
    errors = Pair(canary=_count_errors(ours), stable=_count_errors(theirs))
    # With pods left out the counts are no split of all requests.
    judged = [s for s, _ in readings.found if s.revision in (canary, stable)]
    is_whole = len(ours) + len(theirs) == len(judged)
    seconds = 0.0
    if ledger.at is not None:
        seconds = max((readings.at - ledger.at).total_seconds(), 0.0)
    totals = {
        source.uid: reading.requests + reading.copies.requests for source, reading in readings.found
    }
    is_used = any(total > ledger.totals.get(uid, total) for uid, total in totals.items())
    return replace(
        ledger,
        trials={**told, **trials},
        windows=windows,
        totals=totals,
        is_used=ledger.is_used or is_used,
        past=past,
        readings={uid: reading for uid, (_, reading) in warm.items()},
        errors=ledger.errors + errors,
        split=_advance_split(
            ledger.split, errors, weight=weight if is_whole and not shadow else None
        ),
        seconds=ledger.seconds + seconds,
        at=readings.at,
        shadow=compared,
        **_tell_unread(ledger, readings),
    )


def _is_of_pods(gate: Gate) -> bool:
    """Whether a metric is counted by the pods themselves."""
    return gate.tolerance is None and gate.type is not MetricType.PROMETHEUS


def _tell_unread(ledger: Ledger, readings: Readings) -> dict[str, Any]:
    """All pods are read; a metric whose queries have no answer keeps nothing else from counting."""
    if not readings.untold:
        return {"unread_since": None, "unread": ""}
    metric, why = min(readings.untold.items())
    since = ledger.unread_since or readings.at
    return {"unread_since": since, "unread": f'metric "{metric}": {why}'}


def _is_warm(source: Source, reading: Reading, *, warm_up: WarmUp, at: datetime) -> bool:
    age = (at - source.ready_since).total_seconds()
    requests = reading.requests + reading.copies.requests
    return requests >= warm_up.requests and age >= warm_up.seconds


def _find_unread(readings: Readings, gates: Sequence[Gate], *, shadow: bool) -> Mapping[str, str]:
    """The pods without which nothing is judged: by name, why they could not be read."""
    compares = shadow and any(gate.is_gating and gate.tolerance is not None for gate in gates)
    return {**(readings.unanswered if compares else {}), **readings.unread}


def _list_windows(
    ledger: Ledger, warm: Mapping[str, tuple[Source, Reading]], revision: str
) -> list[tuple[Reading, Reading]]:
    """What each pod had counted at the last tick and has now."""
    return [
        (before, reading)
        for uid, (source, reading) in warm.items()
        if source.revision == revision
        and (before := ledger.readings.get(uid)) is not None
        and reading.is_after(before)
    ]


def _advance(
    trial: Trial,
    gate: Gate,
    *,
    ours: Sequence[tuple[Reading, Reading]],
    theirs: Sequence[tuple[Reading, Reading]],
    known: Sequence[Reading],
) -> Trial:
    if gate.quantile is not None and trial.bound is None:
        trial = replace(trial, bound=choose_bound(gate, known))
    canary = _sum(count(gate, a, b, bound=trial.bound) for a, b in ours)
    stable = _sum(count(gate, a, b, bound=trial.bound) for a, b in theirs)
    if canary.n == 0 and stable.n == 0:
        return trial
    return trial.observe(gate.rule, canary=canary, stable=stable)


def _compare(trial: Trial, gate: Gate, distances: Sequence[float]) -> Trial:
    if gate.tolerance is None or not distances:
        return trial
    bad = sum(distance > gate.tolerance for distance in distances)
    return trial.observe(gate.rule, canary=Counts(len(distances), bad), stable=Counts())


def _count_errors(windows: Sequence[tuple[Reading, Reading]]) -> Counts:
    return _sum(Counts(b.requests - a.requests, b.errors - a.errors) for a, b in windows)


def _sum(counts: Iterable[Counts]) -> Counts:
    return sum(counts, start=Counts())


def _advance_split(split: Split | None, tick: Pair, *, weight: int | None) -> Split | None:
    if weight is None:
        return None
    share = weight / MILLION
    # The tick in which the weight moved belongs to neither.
    if split is None or split.weight != share:
        return Split(weight=share)
    return split.observe(canary=tick.canary.n, stable=tick.stable.n)
