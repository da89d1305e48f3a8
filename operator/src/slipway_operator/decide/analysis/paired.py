"""Which of two revisions was right, row by row, once the truth arrived.

Rows where both were right or both wrong cancel out; the others are "won" or "lost" by the canary
(Q. McNemar, Psychometrika 12, 1947). What is judged is the difference of the two accuracies.
"""

import math
from dataclasses import dataclass
from typing import Final

_STAKES: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Rows whose truth is known.

    Attributes:
        won: the canary alone was right.
        lost: the stable alone was right.
        tied: all others.
    """

    won: int = 0
    lost: int = 0
    tied: int = 0


def factors_of_loss(pairs: Pairs, *, minimum: float) -> tuple[float, ...]:
    """Against "the canary's accuracy minus the stable's is at least `minimum`".

    A bet on a bounded value (I. Waudby-Smith, A. Ramdas, *Estimating means of bounded random
    variables by betting*, JRSS B 86, 2024): a row's difference X is 1, 0 or -1, and the factor
    1 - λ (X - minimum) has an expected value of at most 1 as long as the claim holds. λ: a share
    of what may be staked at all.

    >>> [round(factor, 2) for factor in factors_of_loss(Pairs(won=5, lost=25), minimum=-0.02)[:3]]
    [0.37, 0.92, 1.77]
    """
    return _bet(pairs, margin=minimum, side=-1.0)


def factors_of_gain(pairs: Pairs, *, minimum: float) -> tuple[float, ...]:
    """Against "the canary's accuracy minus the stable's is at most `minimum`"."""
    return _bet(pairs, margin=minimum, side=1.0)


def _bet(pairs: Pairs, *, margin: float, side: float) -> tuple[float, ...]:
    worst = 1 + side * margin  # of the values that the bet may lose
    stakes = (share / worst for share in _STAKES)
    return tuple(
        sum(
            rows * math.log1p(side * stake * (value - margin))
            for rows, value in ((pairs.won, 1), (pairs.lost, -1), (pairs.tied, 0))
        )
        for stake in stakes
    )
