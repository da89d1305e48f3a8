"""One metric that counts bad requests, from the first tick of a rollout to its verdict."""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from slipway_operator.api.status_rollout import Verdict
from slipway_operator.decide.analysis.dispersion import Dispersion
from slipway_operator.decide.analysis.evidence import EProcess
from slipway_operator.decide.analysis.rates import (
    LIKES,
    MULTIPLES,
    RATIOS,
    SHARES,
    Counts,
    factors_of_excess,
    factors_of_likeness,
    factors_of_regression,
    factors_of_safety,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is asked of a share of bad requests, each as a rate from 0 to 1.

    Attributes:
        tolerated: the rate that is always accepted, whatever the stable's is.
        ceiling: the rate below which a step passes.
        relative: the accepted ratio to the stable's rate; None: it is not compared.
        likeness: whether a step passes also above the ceiling, with proof that the rate is less
            than twice what is accepted relative to the stable's.
    """

    tolerated: float
    ceiling: float
    relative: float | None = 1.0
    likeness: bool = False


_LIMIT: Final = 2.0  # times `relative`: what passing has to rule out


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The evidence so far; all that a restart needs.

    Evidence against the canary is of the whole rollout, evidence for it of the step alone. Bursts
    weaken the former only: a step that passes by luck is followed by others, and all the time what
    speaks against the canary is counted.

    Attributes:
        canary, stable: requests of the whole rollout.
        step_canary, step_stable: those of the step.
        bound: where bad means slow, the seconds above which a request is; None: not chosen.
    """

    regression: EProcess = field(default_factory=partial(EProcess.begin, len(RATIOS)))
    excess: EProcess = field(default_factory=partial(EProcess.begin, len(MULTIPLES)))
    safety: EProcess = field(default_factory=partial(EProcess.begin, len(SHARES)))
    likeness: EProcess = field(default_factory=partial(EProcess.begin, len(LIKES)))
    dispersion: Dispersion = field(default_factory=Dispersion)
    canary: Counts = field(default_factory=Counts)
    stable: Counts = field(default_factory=Counts)
    step_canary: Counts = field(default_factory=Counts)
    step_stable: Counts = field(default_factory=Counts)
    bound: float | None = None

    def begin_step(self) -> "Trial":
        """The next step passes by its own requests."""
        return replace(
            self,
            safety=EProcess.begin(len(SHARES)),
            likeness=EProcess.begin(len(LIKES)),
            step_canary=Counts(),
            step_stable=Counts(),
        )

    def observe(self, rule: Rule, *, canary: Counts, stable: Counts) -> "Trial":
        """After a tick, of the same window for both."""
        spread = self.dispersion.factor
        excess = factors_of_excess(canary, tolerated=rule.tolerated)
        safety = factors_of_safety(canary, ceiling=rule.ceiling)
        regression, likeness = self.regression, self.likeness
        if rule.relative is not None:
            factors = factors_of_regression(canary, stable, relative=rule.relative)
            regression = regression.grow(factors, dispersion=spread)
        if rule.relative is not None and rule.likeness:
            limit = _LIMIT * rule.relative
            likeness = likeness.grow(factors_of_likeness(canary, stable, limit=limit))
        return replace(
            self,
            regression=regression,
            excess=self.excess.grow(excess, dispersion=spread),
            safety=self.safety.grow(safety),
            likeness=likeness,
            dispersion=self.dispersion.observe(stable),
            canary=self.canary + canary,
            stable=self.stable + stable,
            step_canary=self.step_canary + canary,
            step_stable=self.step_stable + stable,
        )

    def log_against(self, rule: Rule) -> float:
        """The logarithm of the evidence that the canary is worse than may be.

        The smaller of two: both claims have to be refuted, "at most what is tolerated" and "at most
        so many times the stable".
        """
        if rule.relative is None:
            return self.excess.log
        return min(self.regression.log, self.excess.log)

    def log_for(self, rule: Rule) -> float:
        """The logarithm of the evidence that the canary does well.

        The mean of two e-processes is one: each refutes a claim that holds whenever the canary
        does badly.
        """
        if not rule.likeness:
            return self.safety.log
        return EProcess((self.safety.log, self.likeness.log)).log

    def judge(self, rule: Rule, *, false_abort: float, false_pass: float) -> Verdict:
        """Fail, Pass or Insufficient, with at most these chances of being wrong."""
        if self.log_against(rule) >= -math.log(false_abort):
            return Verdict.FAIL
        passes = self.log_for(rule) >= -math.log(false_pass)
        return Verdict.PASS if passes else Verdict.INSUFFICIENT
