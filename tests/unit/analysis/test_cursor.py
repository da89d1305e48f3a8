"""What a restart reads back: the same counts, and never more evidence than there was."""

import pytest

from slipway_operator.decide.analysis.cursor import dump_trial, load_trial
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.trial import Rule, Trial

RULE = Rule(tolerated=0.005, ceiling=0.01)


def lead(trial: Trial, ticks: int) -> Trial:
    for number in range(ticks):
        trial = trial.observe(
            RULE, canary=Counts(97, number % 5), stable=Counts(905, 2 + number % 3)
        )
    return trial


def test_it_goes_on_where_it_was() -> None:
    before = lead(Trial(), 40)
    text = dump_trial(before)
    assert len(text) < 400
    after = load_trial(text)
    assert after is not None
    assert (after.canary, after.stable) == (before.canary, before.stable)
    for ours, theirs in (
        (after.regression, before.regression),
        (after.excess, before.excess),
        (after.safety, before.safety),
    ):
        assert ours.logs == pytest.approx(theirs.logs, abs=1e-3)
        assert ours.log <= theirs.log + 1e-9
    assert after.dispersion.factor == pytest.approx(before.dispersion.factor, abs=1e-4)
    assert lead(after, 10).log_against(RULE) == pytest.approx(
        lead(before, 10).log_against(RULE), abs=1e-2
    )


def test_reading_and_writing_changes_nothing() -> None:
    for ticks in range(60):
        text = dump_trial(lead(Trial(), ticks))
        trial = load_trial(text)
        assert trial is not None
        assert dump_trial(trial) == text


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "[[0.0],[0.0],[0.0],0.0,0,[0,0],[0,0],[0,0]]", "not JSON"]
)
def test_what_cannot_be_read_begins_anew(text: str) -> None:
    assert load_trial(text) is None
