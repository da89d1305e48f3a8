"""How far the predictions of two revisions are apart, as counts of bins or classes.

The distance is total variation: half the sum of the differences of all shares, from 0 (equal) to 1
(nothing in common). It is a band that holds at all times at once: a better model may answer
otherwise, so it is told, and gates nothing unless asked to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The total variation between two distributions, and its band."""

    estimate: float
    lower: float
    upper: float


def measure_distance(
    canary: Sequence[int], stable: Sequence[int], *, chance: float = 0.01
) -> Distance:
    """The distance of two vectors of counts over the same bins.

    Args:
        chance: that the band ever misses the true distance.

    >>> same = measure_distance([300, 200, 500], [3000, 2000, 5000])
    >>> other = measure_distance([900, 50, 50], [3000, 2000, 5000])
    >>> same.estimate, same.lower, round(other.estimate, 1), round(other.lower, 1)
    (0.0, 0.0, 0.6, 0.5)
    """
    total, others = sum(canary), sum(stable)
    if total == 0 or others == 0:
        return Distance(estimate=0.0, lower=0.0, upper=1.0)
    pairs = zip(canary, stable, strict=True)
    estimate = sum(abs(ours / total - theirs / others) for ours, theirs in pairs) / 2
    radius = _radius(canary, chance / 2) + _radius(stable, chance / 2)
    return Distance(
        estimate=estimate, lower=max(0.0, estimate - radius), upper=min(1.0, estimate + radius)
    )


def _radius(counts: Sequence[int], chance: float) -> float:
    """How far the shares of these counts may be from the true ones, at all times at once.

    The mixture of R. Krichevsky and V. Trofimov (IEEE IT-27, 1981) over all distributions p is an
    e-process against each p. What it does not refute has n KL(shares, p) ≤ ln(1/chance) + regret,
    and by Pinsker's inequality the total variation is at most √(KL/2).
    """
    n, bins = sum(counts), len(counts)
    best = sum(count * math.log(count / n) for count in counts if count)
    mixed = math.lgamma(bins / 2) - math.lgamma(n + bins / 2)
    mixed += sum(math.lgamma(count + 0.5) - math.lgamma(0.5) for count in counts)
    return math.sqrt((best - mixed - math.log(chance)) / (2 * n))
