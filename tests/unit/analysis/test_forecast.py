"""How much longer it takes is told in advance, and comes true."""

from slipway_operator.decide.analysis.evidence import EProcess
from slipway_operator.decide.analysis.forecast import forecast_pass
from slipway_operator.decide.analysis.rates import SHARES, Counts, factors_of_safety


def test_a_forecast_comes_true_or_a_little_earlier() -> None:
    """One failure in 500, ten requests a second: told after 1,000 requests, counted down since."""
    process, counts, seconds = EProcess.begin(len(SHARES)), Counts(), 0
    told: list[float] = []
    while not process.reaches(0.001):
        tick = Counts(500, 1)
        process = process.grow(factors_of_safety(tick, ceiling=0.01))
        counts, seconds = counts + tick, seconds + 50
        left = forecast_pass(process, counts, ceiling=0.01, chance=0.001, per_second=10)
        assert left is not None
        told.append(seconds + left)
    assert told[1] >= seconds
    assert told[1] - seconds < 0.5 * seconds


def test_there_is_none_without_requests_or_with_too_many_failures() -> None:
    fresh = EProcess.begin(len(SHARES))
    idle = forecast_pass(fresh, Counts(500), ceiling=0.01, chance=0.05, per_second=0)
    failing = forecast_pass(fresh, Counts(500, 5), ceiling=0.01, chance=0.05, per_second=9)
    assert (idle, failing) == (None, None)


def test_what_has_passed_takes_no_longer() -> None:
    passed = EProcess((20.0,) * len(SHARES))
    assert forecast_pass(passed, Counts(900), ceiling=0.01, chance=0.05, per_second=9) == 0
