"""Whether requests are split as the route says: the verification of a weight by what arrived.

The sample ratio test of M. Lindon and A. Malek, *Anytime-Valid Inference for Multinomial Count
Data* (NeurIPS 2022), for two versions. A gateway that deals requests out in turn keeps closer to
the weight than chance would, which makes the test careful, never wrong.
"""

import math
from dataclasses import dataclass
from typing import Final

_CONCENTRATION: Final = 100.0  # of the mixture around the weight: some percent more or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Requests at one weight. Another weight begins another split.

    Attributes:
        weight: the canary's share as the route says, strictly between 0 and 1.
    """

    weight: float
    canary: int = 0
    stable: int = 0

    def observe(self, *, canary: int, stable: int) -> "Split":
        """After a tick."""
        return Split(weight=self.weight, canary=self.canary + canary, stable=self.stable + stable)

    @property
    def log(self) -> float:
        """The logarithm of the evidence against the weight.

        Of the counts (a, b) it is B(kw + a, k(1-w) + b) / B(kw, k(1-w)) / (wᵃ (1-w)ᵇ): an equal
        mixture over all shares, weighted by Beta(kw, k(1-w)).

        >>> fine = Split(weight=0.1).observe(canary=104, stable=896)
        >>> ignored = Split(weight=0.1).observe(canary=500, stable=500)
        >>> fine.log < 0, ignored.log > math.log(1e9)
        (True, True)
        """
        ours, theirs = _CONCENTRATION * self.weight, _CONCENTRATION * (1 - self.weight)
        mixed = _log_beta(ours + self.canary, theirs + self.stable) - _log_beta(ours, theirs)
        plain = self.canary * math.log(self.weight) + self.stable * math.log(1 - self.weight)
        return mixed - plain

    def is_refuted(self, *, chance: float) -> bool:
        """Whether it is not the weight, with at most this chance of being wrong."""
        return self.log >= -math.log(chance)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
