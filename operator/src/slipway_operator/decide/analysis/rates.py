"""The factors of one tick about a share of bad requests: too many, or few enough.

Bad is what a metric says: failed, slow, violating the contract, answered otherwise than by the
stable. All that is needed is how many there were, and how many of them were bad.
"""

import math
from dataclasses import dataclass
from typing import Final

RATIOS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
MULTIPLES: Final = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
LIKES: Final = (0.1, 0.2, 0.35, 0.5, 0.7)
_LEAST: Final = 1e-9  # a tolerated rate of 0 means: one bad request is too many
_MOST: Final = 1 - _LEAST  # where all may be bad nothing is ever proven


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests, and the bad ones among them."""

    n: int = 0
    bad: int = 0

    @property
    def good(self) -> int:
        return self.n - self.bad

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.n + other.n, self.bad + other.bad)


def factors_of_regression(
    canary: Counts, stable: Counts, *, relative: float = 1.0
) -> tuple[float, ...]:
    """Against "the canary's rate is at most `relative` times the stable's".

    Given the bad requests m of both in the tick, those of the canary are Binomial(m, θ(ρ)) with
    θ(ρ) = ρ n_c / (ρ n_c + n_s) (J. Przyborowski, H. Wilenski, Biometrika 31, 1940). The rate
    itself is gone from it: an incident that both share in, or another weight in every tick, changes
    nothing. At `relative` 1 this also bounds counts out of n (W. Hoeffding, JASA 58, 1963, §6);
    beyond it is exact for rates of a few percent. Alternatives: ρ = RATIOS x `relative`.

    >>> factors = factors_of_regression(Counts(100, 5), Counts(900, 5))
    >>> [round(factor, 2) for factor in factors[:3]]
    [0.87, 1.54, 2.51]
    """
    if canary.n == 0 or stable.n == 0:
        return (0.0,) * len(RATIOS)
    usual = _expected_share(canary, stable, relative)
    shares = (_expected_share(canary, stable, ratio * relative) for ratio in RATIOS)
    return tuple(_factor(canary.bad, stable.bad, share, usual) for share in shares)


def factors_of_excess(counts: Counts, *, tolerated: float) -> tuple[float, ...]:
    """Against "the rate is at most `tolerated`". Alternatives: MULTIPLES x `tolerated`.

    The likelihood ratio of Bernoulli trials (A. Wald, *Sequential Analysis*, 1947, §5).

    >>> [round(factor, 1) for factor in factors_of_excess(Counts(100, 5), tolerated=0.01)[:3]]
    [1.5, 2.5, 3.6]
    """
    null = min(max(tolerated, _LEAST), _MOST)
    rates = (min(multiple * null, (1 + null) / 2) for multiple in MULTIPLES)
    return tuple(_factor(counts.bad, counts.good, rate, null) for rate in rates)


def factors_of_safety(counts: Counts, *, ceiling: float) -> tuple[float, ...]:
    """Against "the rate is at least `ceiling`". Alternatives: SHARES x `ceiling`.

    >>> clean = [factors_of_safety(Counts(n), ceiling=0.01) for n in (300, 400)]
    >>> from slipway_operator.decide.analysis.evidence import EProcess
    >>> [EProcess(factors).reaches(0.05) for factors in clean]
    [False, True]
    """
    null = min(max(ceiling, _LEAST), _MOST)
    return tuple(_factor(counts.bad, counts.good, share * null, null) for share in SHARES)


def factors_of_likeness(canary: Counts, stable: Counts, *, limit: float) -> tuple[float, ...]:
    """Against "the canary's rate is at least `limit` times the stable's".

    The counterpart of `factors_of_regression`: where the stable fails as well, no ceiling is
    proven, but that the canary is no worse. Alternatives: LIKES x `limit`.

    >>> factors = factors_of_likeness(Counts(500, 5), Counts(4500, 45), limit=2)
    >>> [round(factor, 1) for factor in factors]
    [-2.6, -0.2, 1.0, 1.3, 1.0]
    """
    if canary.n == 0 or stable.n == 0:
        return (0.0,) * len(LIKES)
    usual = _expected_share(canary, stable, limit)
    shares = (_expected_share(canary, stable, share * limit) for share in LIKES)
    return tuple(_factor(canary.bad, stable.bad, share, usual) for share in shares)


def _expected_share(canary: Counts, stable: Counts, ratio: float) -> float:
    return ratio * canary.n / (ratio * canary.n + stable.n)


def _factor(hits: int, misses: int, alternative: float, null: float) -> float:
    """The logarithm of the likelihood ratio of two Bernoulli rates, both strictly within (0, 1)."""
    return hits * math.log(alternative / null) + misses * math.log((1 - alternative) / (1 - null))
