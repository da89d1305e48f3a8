"""The distance of two distributions of predictions, and a band that holds."""

import numpy as np
import pytest

from slipway_operator.decide.analysis.drift import measure_distance


def test_equal_shares_are_no_distance_apart() -> None:
    found = measure_distance([30, 70], [300, 700])
    assert (found.estimate, found.lower) == (0, 0)
    assert 0 < found.upper < 1


def test_the_band_narrows_with_what_was_seen() -> None:
    few, many = (measure_distance([9 * n, n], [7 * n, 3 * n]) for n in (10, 1000))
    assert few.estimate == many.estimate == pytest.approx(0.2)
    assert few.lower == 0
    assert 0.15 < many.lower < 0.2 < many.upper < 0.25


@pytest.mark.parametrize(("canary", "stable"), [([0, 0], [3, 4]), ([3, 4], [0, 0])])
def test_without_predictions_nothing_is_known(canary: list[int], stable: list[int]) -> None:
    found = measure_distance(canary, stable)
    assert (found.estimate, found.lower, found.upper) == (0, 0, 1)


def test_looked_at_all_the_time_the_band_holds_the_truth() -> None:
    """200 pairs of streams of 20 bins, looked at after every batch; one in ten may miss it."""
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(200):
        shares = [random.dirichlet(np.ones(20)) for _ in range(2)]
        truth = abs(shares[0] - shares[1]).sum() / 2
        canary, stable = np.zeros(20, int), np.zeros(20, int)
        for _ in range(40):
            canary += random.multinomial(25, shares[0])
            stable += random.multinomial(225, shares[1])
            found = measure_distance(canary.tolist(), stable.tolist(), chance=0.1)
            if not found.lower <= truth <= found.upper:
                missed += 1
                break
    assert missed <= 20
