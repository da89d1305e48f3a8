"""What a spec asks of a metric, what counts as bad, and the evidence as it is told."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from slipway_operator.api.spec_rollout import Analysis, Metric
from slipway_operator.api.status_rollout import Counts as ShownCounts
from slipway_operator.api.status_rollout import MetricEvidence, Verdict
from slipway_operator.api.vocabulary import MetricType
from slipway_operator.decide.analysis.cursor import load_trial
from slipway_operator.decide.analysis.gate import (
    Gate,
    choose_bound,
    compare,
    count,
    find_tolerance,
    judge,
    list_chances,
    list_gates,
)
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Rule, Trial
from slipway_operator.state.readings import Reading

INF = math.inf
ERRORS = Gate(name="errors", type=MetricType.ERROR_RATE, rule=Rule(tolerated=0.005, ceiling=0.01))
SLOW = Gate(
    name="latency",
    type=MetricType.SLOW_FRACTION,
    rule=Rule(tolerated=0.015, ceiling=0.03, likeness=True),
    quantile=0.9,
)
VIOLATIONS = Gate(
    name="violations", type=MetricType.VIOLATION_RATE, rule=Rule(tolerated=0.01, ceiling=0.02)
)


def read(*metrics: dict[str, Any]) -> tuple[Gate, ...]:
    return list_gates(Analysis(metrics=tuple(msgspec.convert(one, Metric) for one in metrics)))


def errors(name: str = "errors", action: str = "Abort", **how: str) -> dict[str, Any]:
    return {"name": name, "type": "ErrorRate", "action": action, "errorRate": how}


def test_without_metrics_there_are_three() -> None:
    gates = list_gates(Analysis())
    assert [(gate.name, gate.is_gating, gate.quantile) for gate in gates] == [
        ("errors", True, None),
        ("latency", True, 0.99),
        ("violations", True, None),
    ]
    assert gates[0].rule == Rule(tolerated=0.005, ceiling=0.01, relative=1.0)
    assert gates[1].rule.tolerated == pytest.approx(0.015)
    assert gates[1].rule.ceiling == pytest.approx(0.03)
    assert (gates[1].rule.relative, gates[1].rule.likeness) == (1.5, True)
    assert gates[2].rule == Rule(tolerated=0.01, ceiling=0.02, relative=1.5, likeness=True)


@pytest.mark.parametrize(
    ("how", "rule"),
    [
        pytest.param(
            {"tolerated": "0.02"},
            Rule(tolerated=0.02, ceiling=0.04, relative=1.0, likeness=True),
            id="no ceiling",
        ),
        pytest.param(
            {"tolerated": "0"},
            Rule(tolerated=0, ceiling=0.01, relative=1.0, likeness=True),
            id="nothing tolerated",
        ),
        pytest.param(
            {"tolerated": "0.8"},
            Rule(tolerated=0.8, ceiling=1.0, relative=1.0, likeness=True),
            id="nearly everything tolerated",
        ),
        pytest.param(
            {"tolerated": "0.02", "ceiling": "0.03", "relative": "2.5"},
            Rule(tolerated=0.02, ceiling=0.03, relative=2.5),
            id="all given",
        ),
        pytest.param(
            {"tolerated": "0.02", "ceiling": "0"},
            Rule(tolerated=0.02, ceiling=0.04, relative=1.0),
            id="a ceiling of nothing",
        ),
    ],
)
def test_an_error_rate_is_read(how: dict[str, str], rule: Rule) -> None:
    (gate,) = read(errors(**how))
    assert (gate.rule, gate.type, gate.is_gating) == (rule, MetricType.ERROR_RATE, True)


def test_a_share_of_slow_requests_is_read() -> None:
    slow = {"baselineQuantile": "0.9", "relative": "2"}
    (gate,) = read({"name": "p90", "type": "SlowFraction", "action": "Warn", "slowFraction": slow})
    assert (gate.name, gate.quantile, gate.is_gating) == ("p90", 0.9, False)
    assert gate.rule.tolerated == pytest.approx(0.2)
    assert gate.rule.ceiling == pytest.approx(0.4)
    assert (gate.rule.relative, gate.rule.likeness) == (2.0, True)


def test_no_share_is_more_than_all() -> None:
    slow = {"baselineQuantile": "0.5", "relative": "4"}
    (gate,) = read({"name": "p50", "type": "SlowFraction", "slowFraction": slow})
    assert (gate.rule.tolerated, gate.rule.ceiling) == (1.0, 1.0)


@pytest.mark.parametrize(("relative", "found"), [(None, 1.0), ("3", 3.0)])
def test_a_rate_of_violations_is_read(relative: str | None, found: float) -> None:
    how = {"tolerated": "0.05"} | ({} if relative is None else {"relative": relative})
    (gate,) = read({"name": "rows", "type": "ViolationRate", "violationRate": how})
    assert gate.type is MetricType.VIOLATION_RATE
    assert gate.rule == Rule(tolerated=0.05, ceiling=0.1, relative=found, likeness=True)


def test_gating_metrics_share_the_chance_of_a_false_abort() -> None:
    gates = read(
        errors("a", tolerated="0"), errors("b", tolerated="0"), errors("w", "Warn", tolerated="0")
    )
    assert list_chances(gates, Analysis(false_abort="0.02")) == {"a": 0.01, "b": 0.01, "w": 0.02}
    assert list_chances(gates[2:], Analysis(false_abort="0.02")) == {"w": 0.02}


# ── what is counted ──────────────────────────────────────────────────────────────────────────
def test_a_failed_request_is_bad() -> None:
    before, after = Reading(requests=10, errors=1), Reading(requests=30, errors=4)
    assert count(ERRORS, before, after, bound=None) == Counts(20, 3)


def test_a_request_above_the_bound_is_slow() -> None:
    before = Reading(latency=((0.1, 8), (0.5, 9), (INF, 10)))
    after = Reading(latency=((0.1, 80), (0.5, 95), (INF, 110)))
    assert count(SLOW, before, after, bound=0.1) == Counts(100, 28)
    assert count(SLOW, before, after, bound=0.5) == Counts(100, 14)
    assert count(SLOW, Reading(), after, bound=0.5) == Counts(110, 15)
    # Buckets of another version: the next lower one counts.
    assert count(SLOW, before, after, bound=0.3) == Counts(100, 28)
    assert count(SLOW, before, after, bound=0.01) == Counts(100, 100)


def test_before_there_is_a_bound_nothing_is_counted() -> None:
    assert count(SLOW, Reading(), Reading(latency=((0.1, 8), (INF, 10))), bound=None) == Counts()


def test_a_row_that_breaks_rules_is_bad_once_and_refused_ones_are_rows() -> None:
    before = Reading(rows=100, violations=10, refused=4)
    after = Reading(rows=150, violations=25, refused=14)
    assert count(VIOLATIONS, before, after, bound=None) == Counts(60, 15)
    twice = Reading(rows=110, violations=45, refused=4)
    assert count(VIOLATIONS, before, twice, bound=None) == Counts(10, 10)


# ── which requests are slow ──────────────────────────────────────────────────────────────────
def test_the_bound_is_the_stables_quantile() -> None:
    pods = [
        Reading(latency=((0.1, 80), (0.25, 95), (1.0, 99), (INF, 100))),
        Reading(latency=((0.1, 99), (0.25, 100), (1.0, 100), (INF, 100))),
    ]
    assert choose_bound(SLOW, pods) == 0.25
    assert choose_bound(SLOW, pods[1:]) == 0.1


def test_where_most_requests_take_longest_the_last_bound_is_taken() -> None:
    assert choose_bound(SLOW, [Reading(latency=((0.1, 0), (30.0, 50), (INF, 200)))]) == 30.0


@pytest.mark.parametrize(
    "pods",
    [[], [Reading()], [Reading(latency=((0.1, 98), (INF, 99)))]],
    ids=["no pods", "no requests", "too few"],
)
def test_too_few_requests_tell_no_bound(pods: list[Reading]) -> None:
    assert choose_bound(SLOW, pods) is None


def test_a_metric_without_quantile_has_no_bound() -> None:
    assert choose_bound(ERRORS, [Reading(latency=((0.1, 198), (INF, 199)))]) is None


# ── what is told ─────────────────────────────────────────────────────────────────────────────
def lead(canary: Counts, stable: Counts, ticks: int) -> Trial:
    trial = Trial()
    for _ in range(ticks):
        trial = trial.observe(ERRORS.rule, canary=canary, stable=stable)
    return trial


def tell(trial: Trial, *, gate: Gate = ERRORS, seconds: float = 20.0) -> MetricEvidence:
    return judge(gate, trial, false_abort=0.01, false_pass=0.05, seconds=seconds)


def test_nothing_seen_is_told_as_such() -> None:
    told = tell(Trial(), seconds=0.0)
    assert told.verdict is Verdict.INSUFFICIENT
    assert (told.name, told.evidence, told.threshold) == ("errors", "1.0", "100")
    assert (told.estimate, told.eta_seconds) == (None, None)
    assert told.canary == told.stable == ShownCounts(total=0, bad=0)


def test_counts_estimate_and_cursor_are_told() -> None:
    trial = lead(Counts(20, 1), Counts(180, 2), 2)
    told = tell(trial)
    assert told.verdict is Verdict.INSUFFICIENT
    assert (told.canary, told.stable) == (
        ShownCounts(total=40, bad=2),
        ShownCounts(total=360, bad=4),
    )
    assert told.estimate == "0.0500"
    assert told.cursor is not None
    kept = load_trial(told.cursor)
    assert kept is not None
    assert kept.canary == trial.canary


def test_how_long_it_takes_is_told_until_it_has_passed() -> None:
    few, many = tell(lead(Counts(20), Counts(180), 5)), tell(lead(Counts(20), Counts(180), 40))
    assert few.verdict is Verdict.INSUFFICIENT
    assert few.eta_seconds is not None
    assert 10 < few.eta_seconds < 1000
    assert (many.verdict, many.eta_seconds) == (Verdict.PASS, None)


def test_passing_by_likeness_as_well_takes_more() -> None:
    alike = replace(ERRORS, rule=replace(ERRORS.rule, likeness=True))
    trial = lead(Counts(20), Counts(180), 5)
    alone, both = tell(trial).eta_seconds, tell(trial, gate=alike).eta_seconds
    assert alone is not None
    assert both is not None
    assert both > alone


@pytest.mark.parametrize(
    ("trial", "seconds"),
    [
        pytest.param(lead(Counts(20), Counts(180), 5), 0.0, id="no time"),
        pytest.param(lead(Counts(1), Counts(9), 1), 10_000_000.0, id="more than a week"),
        pytest.param(lead(Counts(100, 2), Counts(900, 18), 1), 20.0, id="never as it goes"),
    ],
)
def test_what_cannot_be_foretold_is_not(trial: Trial, seconds: float) -> None:
    told = tell(trial, seconds=seconds)
    assert told.verdict is Verdict.INSUFFICIENT
    assert told.eta_seconds is None


def test_a_failure_is_told_with_its_evidence() -> None:
    told = tell(lead(Counts(100, 30), Counts(900, 2), 30))
    assert told.verdict is Verdict.FAIL
    assert told.evidence is not None
    assert told.evidence.startswith("1e")
    assert compare(told).startswith("canary 900 of 3000 against stable 60 of 27000, evidence 1e")


def test_what_was_never_told_compares_as_nothing() -> None:
    words = compare(
        MetricEvidence(name="errors", verdict=Verdict.INSUFFICIENT, evidence="1.0", threshold="100")
    )
    assert words == "canary 0 of 0 against stable 0 of 0, evidence 1.0 of 100"


# ── answers compared one by one ──────────────────────────────────────────────────────────────
def agreement(name: str = "agreement", **how: str) -> dict[str, Any]:
    return {"name": name, "type": "Agreement", "agreement": how}


@pytest.mark.parametrize(
    ("how", "tolerated", "ceiling", "tolerance"),
    [
        ({"min": "0.98"}, 0.02, 0.02, 1e-6),
        ({"min": "0.98", "tolerance": "0.001"}, 0.02, 0.02, 0.001),
        ({"min": "1"}, 0.0, 0.001, 1e-6),
        ({"min": "0.9999"}, 0.0001, 0.001, 1e-6),
        ({"min": "0", "tolerance": "0"}, 1.0, 1.0, 0.0),
    ],
)
def test_agreement_is_a_share_of_other_answers(
    how: dict[str, str], tolerated: float, ceiling: float, tolerance: float
) -> None:
    (gate,) = read(agreement(**how))
    assert gate.rule.tolerated == pytest.approx(tolerated)
    assert gate.rule.ceiling == pytest.approx(ceiling)
    assert (gate.rule.relative, gate.rule.likeness) == (None, False)
    assert gate.tolerance == tolerance


def compared(gate: Gate, pairs: Counts, ticks: int) -> Trial:
    trial = Trial()
    for _ in range(ticks):
        trial = trial.observe(gate.rule, canary=pairs, stable=Counts())
    return trial


@pytest.mark.parametrize(
    ("minimum", "pairs", "ticks", "verdict"),
    [
        pytest.param("0.98", Counts(50), 10, Verdict.PASS, id="all alike"),
        pytest.param("0.98", Counts(100, 1), 20, Verdict.PASS, id="few differ"),
        pytest.param("0.98", Counts(50), 1, Verdict.INSUFFICIENT, id="too few"),
        pytest.param("0.98", Counts(100, 2), 20, Verdict.INSUFFICIENT, id="as many as may"),
        pytest.param("0.98", Counts(100, 10), 10, Verdict.FAIL, id="too many differ"),
        pytest.param("1", Counts(500), 10, Verdict.PASS, id="none may and none does"),
        pytest.param("1", Counts(500, 1), 10, Verdict.FAIL, id="none may and some do"),
        pytest.param("0", Counts(100, 100), 50, Verdict.INSUFFICIENT, id="all may"),
    ],
)
def test_agreement_is_judged_without_the_stables_own_counts(
    minimum: str, pairs: Counts, ticks: int, verdict: Verdict
) -> None:
    (gate,) = read(agreement(min=minimum))
    told = tell(compared(gate, pairs, ticks), gate=gate)
    assert told.verdict is verdict
    assert told.canary == ShownCounts(total=pairs.n * ticks, bad=pairs.bad * ticks)
    assert told.stable is None
    assert compare(told).startswith(
        f"{pairs.bad * ticks} of {pairs.n * ticks} answers are not the stable's, evidence "
    )


def test_people_see_what_the_first_tolerance_finds() -> None:
    assert find_tolerance(list_gates(Analysis())) == 1e-6
    gates = read(errors(tolerated="0.01"), agreement("a", min="1", tolerance="0.5"),
                 agreement("b", min="1"))  # fmt: skip
    assert find_tolerance(gates) == 0.5


@pytest.mark.parametrize("tolerated", ["0.5", "1"])
def test_where_all_may_be_bad_nothing_is_proven(tolerated: str) -> None:
    (gate,) = read(errors(tolerated=tolerated))
    assert gate.rule.ceiling == 1.0
    assert tell(lead(Counts(100, 100), Counts(900, 2), 5), gate=gate).verdict is not Verdict.PASS
