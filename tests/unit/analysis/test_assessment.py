"""The verdict of all metrics together, and what stops a rollout without any."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway_operator.api.spec_rollout import Analysis, Guardrails
from slipway_operator.api.status_rollout import Verdict
from slipway_operator.api.vocabulary import MetricType
from slipway_operator.decide.analysis.assessment import Assessment, assess
from slipway_operator.decide.analysis.gate import Gate
from slipway_operator.decide.analysis.ledger import Ledger, Pair
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.shadow import Shadow
from slipway_operator.decide.analysis.split import Split
from slipway_operator.decide.analysis.trial import Rule, Trial

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
RULE = Rule(tolerated=0.005, ceiling=0.01)


def lead(canary: Counts, ticks: int = 10) -> Trial:
    trial = Trial()
    for _ in range(ticks):
        trial = trial.observe(RULE, canary=canary, stable=Counts(900, 1))
    return trial


GOOD, BAD, YOUNG = lead(Counts(100)), lead(Counts(100, 20)), lead(Counts(10), 1)


def look(*, warns: tuple[str, ...] = (), spec: Analysis | None = None, **books: Any) -> Assessment:
    """The assessment of these books; the metrics are those that they have."""
    ledger = replace(Ledger(rollout="r"), **books)
    gates = [
        Gate(name=name, type=MetricType.ERROR_RATE, rule=RULE, is_gating=name not in warns)
        for name in (ledger.trials or {"a": Trial()})
    ]
    return assess(ledger, gates=gates, spec=spec or Analysis(), now=NOW)


@pytest.mark.parametrize(
    ("trials", "warns", "unread", "verdict", "passed"),
    [
        pytest.param({}, (), False, "Insufficient", False, id="nothing yet"),
        pytest.param({"a": GOOD, "b": GOOD}, (), False, "Pass", True, id="all pass"),
        pytest.param({"a": GOOD, "b": YOUNG}, (), False, "Insufficient", False, id="not all"),
        pytest.param({"a": GOOD, "b": BAD}, (), False, "Fail", False, id="one fails"),
        pytest.param({"a": GOOD, "b": YOUNG}, ("b",), False, "Pass", True, id="one only warns"),
        pytest.param({"a": GOOD, "b": BAD}, ("b",), False, "Pass", True, id="a failed warning"),
        pytest.param({"a": YOUNG, "b": YOUNG}, (), True, "Unavailable", False, id="unread"),
        pytest.param({"a": GOOD}, (), True, "Unavailable", True, id="passed before it was unread"),
        pytest.param({"a": BAD}, (), True, "Fail", False, id="failed before it was unread"),
    ],
)
def test_the_worst_verdict_counts(
    trials: dict[str, Trial], warns: tuple[str, ...], unread: bool, verdict: str, passed: bool
) -> None:
    since: dict[str, Any] = {}
    if unread:
        since = {"unread_since": NOW, "unread": 'pod "p": gone'}
    found = look(warns=warns, trials=trials, **since)
    assert (found.shown.verdict, found.passed) == (Verdict(verdict), passed)
    assert found.shown.at == "2026-03-04T09:00:00Z"
    assert (found.failed is not None) == (verdict == "Fail")
    assert found.unread_since == (NOW if unread else None)
    assert found.unread == ('pod "p": gone' if unread else "")
    assert [one.name for one in found.shown.metrics] == list(trials or {"a": Trial()})


def test_the_first_metric_that_failed_is_told_with_its_counts() -> None:
    found = look(trials={"a": GOOD, "b": BAD, "c": BAD})
    assert found.failed is not None
    assert found.failed.startswith("b: canary 200 of 1000 against stable 10 of 9000, evidence ")
    assert found.failed.endswith(" of 300")


@pytest.mark.parametrize(
    ("canary", "stable", "is_broken"),
    [
        pytest.param(Counts(20, 4), Counts(), True, id="nothing to compare with"),
        pytest.param(Counts(20, 3), Counts(), False, id="less than the limit"),
        pytest.param(Counts(19, 19), Counts(), False, id="too few requests"),
        pytest.param(Counts(20, 20), Counts(200, 19), True, id="the stable is fine"),
        pytest.param(Counts(20, 20), Counts(200, 20), False, id="the stable fails as well"),
        pytest.param(Counts(20, 20), Counts(19, 19), True, id="too few to compare with"),
        pytest.param(Counts(), Counts(), False, id="no requests"),
    ],
)
def test_a_guardrail_needs_no_statistics(canary: Counts, stable: Counts, is_broken: bool) -> None:
    found = look(errors=Pair(canary=canary, stable=stable))
    words = f"canary {canary.bad} of {canary.n} failed, the guardrail is 0.2"
    assert found.guardrail == (words if is_broken else None)


def test_a_guardrail_is_where_the_spec_has_it() -> None:
    errors = Pair(canary=Counts(10, 5))
    rails = [
        Guardrails(error_rate=rate, min_requests=least)
        for rate, least in (("0.5", 10), ("0.51", 10), ("0.5", 11))
    ]
    found = [look(errors=errors, spec=Analysis(guardrails=one)).guardrail for one in rails]
    assert found == ["canary 5 of 10 failed, the guardrail is 0.5", None, None]


def test_a_guardrail_of_few_requests_does_not_take_no_requests_for_many() -> None:
    rails = Guardrails(error_rate="0", min_requests=1)
    assert look(errors=Pair(), spec=Analysis(guardrails=rails)).guardrail is None


@pytest.mark.parametrize(
    ("split", "crowded"),
    [
        pytest.param(None, None, id="not known"),
        pytest.param(Split(weight=0.1, canary=100, stable=900), None, id="as it should be"),
        pytest.param(Split(weight=0.1, canary=500, stable=500), 500_000, id="too many"),
        pytest.param(Split(weight=0.1, canary=3, stable=3), None, id="too few to tell"),
        pytest.param(Split(weight=0.5, canary=100, stable=900), None, id="fewer than that"),
    ],
)
def test_more_requests_than_the_route_says_are_told(
    split: Split | None, crowded: int | None
) -> None:
    assert look(split=split).crowded == crowded


def test_a_step_is_idle_as_long_as_nothing_speaks_of_a_request() -> None:
    assert look(seconds=60).is_idle
    assert look(seconds=60, trials={"a": GOOD.begin_step()}).is_idle
    assert not look(seconds=60, trials={"a": GOOD}).is_idle
    assert not look(seconds=60, is_used=True).is_idle
    # Nobody has looked yet.
    assert not look().is_idle


# ── a shadow ─────────────────────────────────────────────────────────────────────────────────
AGREEMENT = Gate(
    name="agreement", type=MetricType.AGREEMENT, rule=Rule(tolerated=0.02, ceiling=0.02,
                                                           relative=None), tolerance=1e-6,
)  # fmt: skip
ERRORS = Gate(name="errors", type=MetricType.ERROR_RATE, rule=RULE)


@pytest.mark.parametrize(
    ("agreement", "shadow", "verdict"),
    [
        pytest.param(Counts(50), True, "Pass", id="they agree"),
        pytest.param(Counts(1), True, "Insufficient", id="too few"),
        pytest.param(Counts(50, 20), True, "Fail", id="they do not"),
        pytest.param(Counts(50, 20), False, "Pass", id="it is not asked"),
        pytest.param(Counts(1), False, "Pass", id="it is not waited for"),
    ],
)
def test_agreement_is_asked_in_a_shadow_alone(
    agreement: Counts, shadow: bool, verdict: str
) -> None:
    trial = Trial()
    for _ in range(10):
        trial = trial.observe(AGREEMENT.rule, canary=agreement, stable=Counts())
    ledger = Ledger(
        rollout="r",
        trials={"errors": GOOD, "agreement": trial},
        shadow=Shadow(pairs=500, disagreements=3),
    )
    found = assess(ledger, gates=[ERRORS, AGREEMENT], spec=Analysis(), now=NOW, shadow=shadow)
    assert found.shown.verdict is Verdict(verdict)
    assert found.passed == (verdict == "Pass")
    assert [one.name for one in found.shown.metrics] == ["errors", "agreement"]
    assert found.shown.shadow is not None
    assert (found.shown.shadow.pairs, found.shown.shadow.disagreements) == (500, 3)
    if verdict == "Fail":
        assert found.failed is not None
        assert found.failed.startswith("agreement: 200 of 500 answers are not the stable's, ")
