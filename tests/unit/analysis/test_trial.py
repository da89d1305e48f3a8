"""A metric's trial: what it takes to fail, to pass, and to be told apart from bad luck."""

import math

import numpy as np
import pytest

from slipway_operator.api.status_rollout import Verdict
from slipway_operator.decide.analysis.dispersion import Dispersion
from slipway_operator.decide.analysis.evidence import EProcess
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Rule, Trial

RULE = Rule(tolerated=0.005, ceiling=0.01)
ALONE = Rule(tolerated=0.005, ceiling=0.01, relative=None)


def lead(
    rule: Rule, *ticks: tuple[Counts, Counts], begun: Trial | None = None
) -> tuple[Trial, Verdict]:
    trial = begun or Trial()
    for canary, stable in ticks:
        trial = trial.observe(rule, canary=canary, stable=stable)
    return trial, judge(trial, rule)


def judge(trial: Trial, rule: Rule) -> Verdict:
    return trial.judge(rule, false_abort=0.01, false_pass=0.05)


def test_nothing_proves_nothing() -> None:
    trial, verdict = lead(RULE, (Counts(), Counts()), (Counts(), Counts(900, 4)))
    assert verdict is Verdict.INSUFFICIENT
    assert trial.log_against(RULE) == pytest.approx(0)
    assert trial.stable == Counts(900, 4)


def test_without_the_stables_requests_nothing_is_compared() -> None:
    trial, verdict = lead(RULE, *[(Counts(100, 30), Counts())] * 6)
    assert verdict is Verdict.INSUFFICIENT
    assert trial.regression == Trial().regression
    assert trial.excess.reaches(0.01)


def test_clean_requests_pass_and_the_next_step_takes_its_own() -> None:
    clean = [(Counts(100), Counts(900, 2))] * 5
    assert lead(RULE, *clean[:3])[1] is Verdict.INSUFFICIENT
    trial, verdict = lead(RULE, *clean)
    assert verdict is Verdict.PASS
    step = trial.begin_step()
    assert judge(step, RULE) is Verdict.INSUFFICIENT
    assert (step.regression, step.canary) == (trial.regression, trial.canary)
    assert lead(RULE, *clean, begun=step)[1] is Verdict.PASS


def test_a_bad_canary_fails_and_no_tick_decides_alone() -> None:
    worse = (Counts(100, 10), Counts(900, 2))
    assert lead(RULE, worse)[1] is Verdict.INSUFFICIENT
    assert lead(RULE, *[worse] * 4)[1] is Verdict.FAIL


def test_an_incident_of_both_fails_nobody() -> None:
    incident = (Counts(100, 20), Counts(900, 180))
    assert lead(RULE, *[incident] * 6)[1] is Verdict.INSUFFICIENT
    assert lead(ALONE, *[incident] * 6)[1] is Verdict.FAIL


def test_worse_than_the_stable_but_within_what_is_tolerated_fails_nobody() -> None:
    fine = (Counts(1000, 4), Counts(9000, 1))
    trial, verdict = lead(RULE, *[fine] * 20)
    assert verdict is Verdict.PASS
    assert trial.regression.reaches(0.01)


def test_a_failure_comes_before_a_pass() -> None:
    passed, _ = lead(ALONE, *[(Counts(100), Counts())] * 6)
    failed, verdict = lead(ALONE, *[(Counts(50, 20), Counts())] * 8, begun=passed)
    assert verdict is Verdict.FAIL
    assert failed.canary == Counts(1000, 160)


def test_bursts_of_the_stable_make_the_same_counts_prove_less() -> None:
    calm = bursting = Dispersion()
    for bad in (2, 1, 2, 1) * 10:
        calm = calm.observe(Counts(900, bad))
    for bad in (1, 0, 60, 0) * 10:
        bursting = bursting.observe(Counts(900, bad))
    assert calm.factor == 1
    assert bursting.factor > 5
    worse = [(Counts(100, 4), Counts(900, 1))] * 5
    for rule in (RULE, ALONE):
        assert lead(rule, *worse, begun=Trial(dispersion=calm))[1] is Verdict.FAIL
        assert lead(rule, *worse, begun=Trial(dispersion=bursting))[1] is Verdict.INSUFFICIENT


@pytest.mark.parametrize("n", [200, 20_000])
def test_chance_alone_is_no_burst_however_many_requests(n: int) -> None:
    dispersion = Dispersion()
    for bad in np.random.default_rng(5).binomial(n, 0.01, 300).tolist():
        dispersion = dispersion.observe(Counts(n, bad))
    assert 1 <= dispersion.factor < 1.3


def test_without_a_failure_or_without_requests_nothing_is_known_of_bursts() -> None:
    clean = Dispersion().observe(Counts(100)).observe(Counts(100)).observe(Counts())
    assert clean == Dispersion(total=Counts(200))


def test_evidence_is_the_mean_of_its_alternatives() -> None:
    process = EProcess((math.log(1), math.log(3)))
    assert process.log == pytest.approx(math.log(2))
    assert process.reaches(0.5)
    assert not process.reaches(0.49)
    assert EProcess((-2000.0, -3000.0)).log == pytest.approx(-2000 - math.log(2))
    with pytest.raises(ValueError, match="argument"):
        process.grow([0.0])
