"""How much longer a verdict may take, if all goes on as it did."""

import math

from slipway_operator.decide.analysis.evidence import EProcess
from slipway_operator.decide.analysis.rates import Counts, factors_of_safety


def forecast_pass(
    process: EProcess, counts: Counts, *, ceiling: float, chance: float, per_second: float
) -> float | None:
    """Seconds until a rate is proven to be below `ceiling`; None: not as it goes now.

    Takes the rate as it is so far (half a bad request is added: none so far is not none ever) and
    the alternative that will win.

    Args:
        process: the evidence so far.
        counts: what it is made of.
        chance: of passing wrongly.
        per_second: requests.

    >>> from slipway_operator.decide.analysis.rates import SHARES
    >>> fresh = EProcess.begin(len(SHARES))
    >>> round(forecast_pass(fresh, Counts(100), ceiling=0.01, chance=0.05, per_second=10))
    303
    >>> forecast_pass(fresh, Counts(100, 5), ceiling=0.01, chance=0.05, per_second=10) is None
    True
    """
    needed = math.log(len(process.logs)) - math.log(chance)
    rate = (counts.bad + 0.5) / (counts.n + 1)
    scale = 1_000_000
    factors = factors_of_safety(Counts(scale, round(rate * scale)), ceiling=ceiling)
    waits = [
        max(0.0, needed - log) / (factor / scale * per_second)
        for log, factor in zip(process.logs, factors, strict=True)
        if factor > 0 and per_second > 0
    ]
    return min(waits, default=None)
