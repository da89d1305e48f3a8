"""Every factor of evidence has an expected value of at most 1 while its claim holds.

That is all that the promise "at most α of healthy canaries are ever stopped" rests on (Ville). It
is computed, not drawn: by a sum over everything that may happen in a tick.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from slipway_operator.decide.analysis.evidence import EProcess
from slipway_operator.decide.analysis.paired import Pairs, factors_of_gain, factors_of_loss
from slipway_operator.decide.analysis.rates import (
    Counts,
    factors_of_excess,
    factors_of_regression,
    factors_of_safety,
)
from slipway_operator.decide.analysis.split import Split

ROUNDING = 1e-9
FEW = st.integers(1, 12)
RATE = st.floats(0.001, 0.999)
SPREAD = st.floats(1.0, 10.0)


def chance_of(hits: int, n: int, rate: float) -> float:
    return math.comb(n, hits) * rate**hits * (1 - rate) ** (n - hits)


def greatest_mean(
    happens: Iterable[tuple[float, Sequence[float]]], *, dispersion: float = 1.0
) -> float:
    """The largest expected factor of a grid; `happens`: chances, with the factors then."""
    sums: list[float] = []
    for chance, factors in happens:
        grown = EProcess.begin(len(factors)).grow(factors, dispersion=dispersion).logs
        sums = sums or [0.0] * len(grown)
        sums = [total + chance * math.exp(log) for total, log in zip(sums, grown, strict=True)]
    return max(sums)


def one_rate(
    n: int, rate: float, factors: Callable[[Counts], Sequence[float]]
) -> list[tuple[float, Sequence[float]]]:
    return [(chance_of(bad, n, rate), factors(Counts(n, bad))) for bad in range(n + 1)]


@given(n=FEW, tolerated=RATE, share=st.floats(0, 1), dispersion=SPREAD)
def test_a_rate_within_what_is_tolerated(
    n: int, tolerated: float, share: float, dispersion: float
) -> None:
    happens = one_rate(
        n, share * tolerated, lambda counts: factors_of_excess(counts, tolerated=tolerated)
    )
    assert greatest_mean(happens, dispersion=dispersion) <= 1 + ROUNDING


@given(n=FEW, ceiling=RATE, share=st.floats(0, 1), dispersion=SPREAD)
def test_a_rate_above_the_ceiling(n: int, ceiling: float, share: float, dispersion: float) -> None:
    rate = ceiling + share * (1 - ceiling)
    happens = one_rate(n, rate, lambda counts: factors_of_safety(counts, ceiling=ceiling))
    assert greatest_mean(happens, dispersion=dispersion) <= 1 + ROUNDING


@given(canary=FEW, stable=FEW, rate=RATE, share=st.floats(0, 1), dispersion=SPREAD)
@example(canary=12, stable=12, rate=0.5, share=1.0, dispersion=1.0)
def test_a_canary_no_worse_than_the_stable(
    canary: int, stable: int, rate: float, share: float, dispersion: float
) -> None:
    """Also where rates are large, and requests so few that counts are far from Poisson's."""
    happens = [
        (
            chance_of(ours, canary, share * rate) * chance_of(theirs, stable, rate),
            factors_of_regression(Counts(canary, ours), Counts(stable, theirs)),
        )
        for ours in range(canary + 1)
        for theirs in range(stable + 1)
    ]
    assert greatest_mean(happens, dispersion=dispersion) <= 1 + ROUNDING


@given(canary=FEW, stable=FEW, bad=FEW, relative=st.floats(0.2, 5), share=st.floats(0.01, 1))
def test_a_canary_no_worse_than_so_many_times_the_stable(
    canary: int, stable: int, bad: int, relative: float, share: float
) -> None:
    """Given how many failed: whose they are, where rates are small."""
    odds = share * relative * canary
    happens = [
        (
            chance_of(ours, bad, odds / (odds + stable)),
            factors_of_regression(
                Counts(canary, ours), Counts(stable, bad - ours), relative=relative
            ),
        )
        for ours in range(bad + 1)
    ]
    assert greatest_mean(happens) <= 1 + ROUNDING


def rows_of(n: int, won: float, lost: float) -> list[tuple[float, Pairs]]:
    """Every result of n rows, with its chance."""
    return [
        (
            math.comb(n, wins) * math.comb(n - wins, losses)
            * won**wins * lost**losses * (1 - won - lost) ** (n - wins - losses),
            Pairs(won=wins, lost=losses, tied=n - wins - losses),
        )
        for wins in range(n + 1)
        for losses in range(n - wins + 1)
    ]  # fmt: skip


ROWS = st.integers(1, 8)
HALF = st.floats(0, 0.5)
ROOM = st.floats(0, 0.4)


@given(n=ROWS, won=HALF, lost=HALF, room=ROOM)
def test_an_accuracy_of_at_least_the_minimum(n: int, won: float, lost: float, room: float) -> None:
    minimum = won - lost - room
    happens = [
        (chance, factors_of_loss(rows, minimum=minimum)) for chance, rows in rows_of(n, won, lost)
    ]
    assert greatest_mean(happens) <= 1 + ROUNDING


@given(n=ROWS, won=HALF, lost=HALF, room=ROOM)
def test_an_accuracy_of_at_most_the_minimum(n: int, won: float, lost: float, room: float) -> None:
    minimum = won - lost + room
    happens = [
        (chance, factors_of_gain(rows, minimum=minimum)) for chance, rows in rows_of(n, won, lost)
    ]
    assert greatest_mean(happens) <= 1 + ROUNDING


@given(n=st.integers(1, 60), weight=st.floats(0.001, 0.999))
def test_requests_that_are_split_by_the_weight(n: int, weight: float) -> None:
    """It is a martingale: the expected evidence is exactly 1, at any number of requests."""
    mean = sum(
        chance_of(ours, n, weight)
        * math.exp(Split(weight=weight).observe(canary=ours, stable=n - ours).log)
        for ours in range(n + 1)
    )
    assert math.isclose(mean, 1, rel_tol=1e-6)
