"""How much more than by chance the stable's bad requests vary from tick to tick.

Where they come in bursts a tick of the canary proves less than its counts say, and evidence is
taken to the power 1/φ. The estimate is Pearson's statistic over its degrees of freedom
(P. McCullagh, J. Nelder, *Generalized Linear Models*, 1989, §4.5), of past ticks alone, so that it
is known before the tick that it is used for.
"""

from dataclasses import dataclass, field
from typing import Final

from slipway_operator.decide.analysis.rates import Counts

_TICKS_OF_DOUBT: Final = 10  # it starts as if so many ticks had varied by chance
_MOST: Final = 20.0


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What the ticks so far tell. `squares`: the sum of (bad - expected)² / variance."""

    total: Counts = field(default_factory=Counts)
    ticks: int = 0
    squares: float = 0.0

    @property
    def factor(self) -> float:
        """φ, from 1 to 20."""
        told = (self.squares + _TICKS_OF_DOUBT) / (self.ticks + _TICKS_OF_DOUBT)
        return min(max(told, 1.0), _MOST)

    def observe(self, stable: Counts) -> "Dispersion":
        """After a tick of the stable.

        >>> bursts = Dispersion()
        >>> for bad in (1, 1, 1, 40, 1, 1):
        ...     bursts = bursts.observe(Counts(100, bad))
        >>> Dispersion().observe(Counts(100, 1)).factor, bursts.factor
        (1.0, 20.0)
        """
        total = self.total + stable
        if not 0 < self.total.bad < self.total.n or stable.n == 0:
            return Dispersion(total=total, ticks=self.ticks, squares=self.squares)
        rate = self.total.bad / self.total.n
        square = (stable.bad - stable.n * rate) ** 2 / (stable.n * rate * (1 - rate))
        return Dispersion(total=total, ticks=self.ticks + 1, squares=self.squares + square)
