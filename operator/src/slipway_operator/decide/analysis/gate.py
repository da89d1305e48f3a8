"""What a spec asks of a new revision, as rules on counts, and what the evidence says about each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from slipway_operator.api.spec_rollout import Analysis, Metric
from slipway_operator.api.status_rollout import Counts as ShownCounts
from slipway_operator.api.status_rollout import MetricEvidence, Verdict
from slipway_operator.api.vocabulary import MetricAction, MetricType
from slipway_operator.decide.analysis.cursor import dump_trial
from slipway_operator.decide.analysis.forecast import forecast_pass
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Rule, Trial
from slipway_operator.state.readings import Reading

_LEAST_CEILING: Final = 0.01
_LEAST_SHARE: Final = 0.001  # of other answers, that passing has to rule out where none may be
TOLERANCE: Final = 1e-6  # of numbers, where a spec names none
_ENOUGH: Final = 100  # requests of the stable that tell which of them are slow
_MOST_SECONDS: Final = 604_800
# A spec says of its own counters only what is bad: at most 1 % of the events, or like the stable.
_COUNTERS: Final = Rule(tolerated=0.01, ceiling=0.02, relative=1.0, likeness=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One metric.

    Attributes:
        quantile: that of the stable's latency above which a request is slow.
        tolerance: where the answers to copies are compared, the difference of two numbers, as a
            share of the stable's (of 1 where that is less), up to which they are the same.
    """

    name: str
    type: MetricType
    rule: Rule
    is_gating: bool = True
    quantile: float | None = None
    tolerance: float | None = None


def list_gates(analysis: Analysis) -> tuple[Gate, ...]:
    """The metrics of a spec; without any errors, latency and violations."""
    if analysis.metrics:
        return tuple(_read_metric(metric) for metric in analysis.metrics)
    return (
        Gate(
            name="errors",
            type=MetricType.ERROR_RATE,
            rule=Rule(tolerated=0.005, ceiling=0.01, relative=1.0),
        ),
        _build_slow("latency", quantile=0.99, relative=1.5),
        Gate(
            name="violations",
            type=MetricType.VIOLATION_RATE,
            rule=Rule(tolerated=0.01, ceiling=0.02, relative=1.5, likeness=True),
        ),
    )


def _read_metric(metric: Metric) -> Gate:
    is_gating = metric.action is MetricAction.ABORT
    if metric.error_rate is not None:
        rates = metric.error_rate
        tolerated = float(rates.tolerated)
        rule = Rule(
            tolerated=tolerated,
            ceiling=_choose_ceiling(tolerated, rates.ceiling),
            relative=1.0 if rates.relative is None else float(rates.relative),
            likeness=rates.ceiling is None,
        )
        return Gate(name=metric.name, type=metric.type, rule=rule, is_gating=is_gating)
    if metric.slow_fraction is not None:
        slow = metric.slow_fraction
        return _build_slow(
            metric.name,
            quantile=float(slow.baseline_quantile),
            relative=float(slow.relative),
            is_gating=is_gating,
        )
    if metric.agreement is not None:
        tolerated = 1 - float(metric.agreement.minimum)
        tolerance = metric.agreement.tolerance
        return Gate(
            name=metric.name,
            type=metric.type,
            rule=Rule(tolerated=tolerated, ceiling=max(tolerated, _LEAST_SHARE), relative=None),
            is_gating=is_gating,
            tolerance=TOLERANCE if tolerance is None else float(tolerance),
        )
    if metric.prometheus is not None:
        return Gate(name=metric.name, type=metric.type, rule=_COUNTERS, is_gating=is_gating)
    assert metric.violation_rate is not None  # noqa: S101  all others are refused
    tolerated = float(metric.violation_rate.tolerated)
    relative = metric.violation_rate.relative
    rule = Rule(
        tolerated=tolerated,
        ceiling=_choose_ceiling(tolerated, None),
        relative=1.0 if relative is None else float(relative),
        likeness=True,
    )
    return Gate(name=metric.name, type=metric.type, rule=rule, is_gating=is_gating)


def _choose_ceiling(tolerated: float, ceiling: str | None) -> float:
    if ceiling is not None and float(ceiling) > 0:
        return float(ceiling)
    return min(max(2 * tolerated, _LEAST_CEILING), 1.0)


def _build_slow(name: str, *, quantile: float, relative: float, is_gating: bool = True) -> Gate:
    """Of the stable's requests the share 1 - quantile is slow, by the choice of the bound."""
    accepted = min((1 - quantile) * relative, 1.0)
    return Gate(
        name=name,
        type=MetricType.SLOW_FRACTION,
        rule=Rule(
            tolerated=accepted,
            ceiling=min(2 * accepted, 1.0),
            relative=relative,
            likeness=True,
        ),
        is_gating=is_gating,
        quantile=quantile,
    )


def stand_alone(gate: Gate, past: Counts) -> Gate:
    """The rule where the stable gets no request any more: a share of its own, nothing relative.

    `past` is what the stable has counted so far: a new revision that fails no more than it did is
    no worse. Its rate is taken at the upper end of a 95 % interval (bad counts as Poisson numbers,
    their root 1.7 times), so that luck of the stable costs the new one nothing.

    >>> errors = list_gates(Analysis())[0]
    >>> [stand_alone(errors, Counts(n, bad)).rule.tolerated for n, bad in ((1000, 0), (1000, 100))]
    [0.005, 0.117]
    """
    rule, tolerated = gate.rule, gate.rule.tolerated
    if gate.quantile is None and past.n >= _ENOUGH:
        usual = (past.bad + 1.7 * math.sqrt(past.bad)) / past.n * (rule.relative or 1.0)
        tolerated = min(max(tolerated, usual), 1.0)
    alone = replace(
        rule,
        tolerated=tolerated,
        ceiling=min(max(rule.ceiling, 2 * tolerated), 1.0),
        relative=None,
        likeness=False,
    )
    return replace(gate, rule=alone)


def is_asked(gate: Gate, *, shadow: bool) -> bool:
    """Whether a step lets a metric judge: only in a shadow are answers compared one by one, and
    what comes of an answer can only be counted where somebody got it."""
    if gate.type is MetricType.PROMETHEUS:
        return not shadow
    return shadow or gate.tolerance is None


def find_tolerance(gates: Sequence[Gate]) -> float:
    """What answers are compared with for people to see: the first metric's tolerance."""
    return next((gate.tolerance for gate in gates if gate.tolerance is not None), TOLERANCE)


def choose_bound(gate: Gate, stable: Sequence[Reading]) -> float | None:
    """The seconds above which a request is slow: the least bound of the histogram with at least
    the quantile of the stable's requests below it; None: too few of them so far.

    >>> gate = _build_slow("latency", quantile=0.9, relative=1.5)
    >>> choose_bound(gate, [Reading(latency=((0.1, 80), (0.25, 190), (1.0, 200)))])
    0.25
    """
    merged: dict[float, int] = {}
    for reading in stable:
        for bound, count in reading.latency:
            merged[bound] = merged.get(bound, 0) + count
    total = max(merged.values(), default=0)
    if gate.quantile is None or total < _ENOUGH:
        return None
    bounds = sorted(bound for bound in merged if math.isfinite(bound))
    return next((bound for bound in bounds if merged[bound] >= gate.quantile * total), bounds[-1])


def count(gate: Gate, before: Reading, after: Reading, *, bound: float | None) -> Counts:
    """What one pod adds to a metric between two readings of it."""
    match gate.type:
        case MetricType.ERROR_RATE:
            return Counts(after.requests - before.requests, after.errors - before.errors)
        case MetricType.SLOW_FRACTION:
            if bound is None:
                return Counts()
            total = _above(after, 0.0) - _above(before, 0.0)
            return Counts(total, min(_above(after, bound) - _above(before, bound), total))
        case _:
            # Rows that are refused are not among those given to the model; a row may break two
            # rules and is one row.
            rows = after.rows - before.rows + after.refused - before.refused
            return Counts(rows, min(after.violations - before.violations, rows))


def _above(reading: Reading, bound: float) -> int:
    """How many requests took longer than one of the histogram's bounds."""
    total = max((number for _, number in reading.latency), default=0)
    return total - max((number for edge, number in reading.latency if edge <= bound), default=0)


def list_chances(gates: Sequence[Gate], analysis: Analysis) -> dict[str, float]:
    """How much of the chance of a false abort each metric may use up: equal shares; one that only
    warns takes none of the others'."""
    gating = sum(gate.is_gating for gate in gates)
    whole = float(analysis.false_abort)
    return {gate.name: whole / gating if gate.is_gating else whole for gate in gates}


def judge(
    gate: Gate, trial: Trial, *, false_abort: float, false_pass: float, seconds: float
) -> MetricEvidence:
    """The evidence of one metric, ready for the status. `seconds`: how long the step lasts."""
    verdict = trial.judge(gate.rule, false_abort=false_abort, false_pass=false_pass)
    eta = None
    if verdict is Verdict.INSUFFICIENT and seconds > 0:
        eta = forecast_pass(
            trial.safety,
            trial.step_canary,
            ceiling=gate.rule.ceiling,
            chance=false_pass / 2 if gate.rule.likeness else false_pass,
            per_second=trial.step_canary.n / seconds,
        )
    return MetricEvidence(
        name=gate.name,
        verdict=verdict,
        evidence=_render_log(trial.log_against(gate.rule)),
        threshold=f"{1 / false_abort:.0f}",
        canary=_show(trial.canary),
        stable=None if gate.tolerance is not None else _show(trial.stable),
        estimate=_render_rate(trial.canary),
        eta_seconds=None if eta is None or eta > _MOST_SECONDS else math.ceil(eta),
        cursor=dump_trial(trial),
    )


def _show(counts: Counts) -> ShownCounts:
    return ShownCounts(total=counts.n, bad=counts.bad)


def _render_log(log: float) -> str:
    """A ratio of evidence: 0.4, 37, or a power of ten.

    >>> [_render_log(math.log(ratio)) for ratio in (0.004, 0.42, 37.2, 1e9)]
    ['0.0', '0.4', '37', '1e9']
    """
    if log > math.log(1_000_000):
        return f"1e{min(int(log / math.log(10) + 1e-9), 999)}"
    ratio = math.exp(log)
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def _render_rate(counts: Counts) -> str | None:
    return None if counts.n == 0 else f"{counts.bad / counts.n:.4f}"


def compare(evidence: MetricEvidence) -> str:
    """The comparison as words.

    >>> compare(MetricEvidence(name="errors", verdict=Verdict.FAIL,
    ...     evidence="412", threshold="100", canary=ShownCounts(total=310, bad=12),
    ...     stable=ShownCounts(total=5890, bad=9)))
    'canary 12 of 310 against stable 9 of 5890, evidence 412 of 100'
    """
    nothing = ShownCounts(total=0, bad=0)
    ours, theirs = evidence.canary or nothing, evidence.stable
    if theirs is None and evidence.canary is not None:
        return (
            f"{ours.bad} of {ours.total} answers are not the stable's, "
            f"evidence {evidence.evidence} of {evidence.threshold}"
        )
    theirs = theirs or nothing
    return (
        f"canary {ours.bad} of {ours.total} against stable {theirs.bad} of {theirs.total}, "
        f"evidence {evidence.evidence} of {evidence.threshold}"
    )
