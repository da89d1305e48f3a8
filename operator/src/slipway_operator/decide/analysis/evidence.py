"""Evidence that may be looked at at any time: e-processes.

An e-process is a running product of factors, each of which has an expected value of at most 1 as
long as what is to be refuted (the null) holds. The chance that it *ever* reaches 1/α is then at
most α, however often one looks (J. Ville, *Étude critique de la notion de collectif*, 1939).

A mean of e-processes is one as well, so a grid of alternatives is mixed with equal weights. A
factor that is cut off, or taken to a power of at most 1 (Jensen), has an expected value of at most
1 as well: both cost power and keep the bound.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# One tick says no more than "ten times as likely": an incident of one tick decides nothing.
MOST_A_TICK: Final = math.log(10)


@dataclass(frozen=True, slots=True)
class EProcess:
    """The running products of a grid, as natural logarithms; all of the state there is.

    >>> coin = EProcess.begin(1)
    >>> for _ in range(8):  # eight heads; refuted is "fair", the alternative 0.9
    ...     coin = coin.grow([math.log(0.9 / 0.5)])
    >>> round(math.exp(coin.log), 1), coin.reaches(0.01), coin.grow(coin.logs).reaches(0.01)
    (110.2, True, True)
    """

    logs: tuple[float, ...]

    @classmethod
    def begin(cls, alternatives: int) -> "EProcess":
        """Nothing is known: every product is 1."""
        return cls((0.0,) * alternatives)

    def grow(self, factors: Sequence[float], *, dispersion: float = 1.0) -> "EProcess":
        """After a tick.

        Args:
            factors: the logarithm of the tick's factor for each alternative.
            dispersion: how much more than by chance such counts vary (at least 1); it has to be
                known before the tick.
        """
        return EProcess(
            tuple(
                log + min(factor / dispersion, MOST_A_TICK)
                for log, factor in zip(self.logs, factors, strict=True)
            )
        )

    @property
    def log(self) -> float:
        """The logarithm of the mean of the products."""
        most = max(self.logs)
        return most + math.log(sum(math.exp(log - most) for log in self.logs) / len(self.logs))

    def reaches(self, chance: float) -> bool:
        """Whether the null is refuted, with at most this chance of being wrong."""
        return self.log >= -math.log(chance)
