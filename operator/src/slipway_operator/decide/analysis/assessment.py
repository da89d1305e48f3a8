"""What the books of a rollout say now: every metric's verdict, and what stops a rollout at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from slipway_operator.api.spec_rollout import Analysis as AnalysisSpec
from slipway_operator.api.spec_rollout import Guardrails
from slipway_operator.api.status_rollout import Analysis, MetricEvidence, Verdict
from slipway_operator.decide.analysis.gate import Gate, compare, is_asked, judge, list_chances
from slipway_operator.decide.analysis.ledger import Ledger, Pair
from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.decide.analysis.shadow import render_shadow
from slipway_operator.decide.analysis.trial import Trial
from slipway_operator.state.instants import render_instant
from slipway_operator.state.slots import MILLION

SPLIT_CHANCE: Final = 0.0001  # of holding a rollout whose requests are split as they should be


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The evidence of one moment.

    Attributes:
        shown: for the status.
        failed: the words of the gating metric that failed.
        passed: whether every gating metric passed.
        errors: requests and failures of the step.
        is_idle: as far as anybody looked, the step had no request at all.
        guardrail: which guardrail is broken, as words.
        crowded: the canary's share of the requests where it gets more than the route says, in
            millionths.
        unread_since: since when pods cannot be read, with `unread` saying why.
    """

    shown: Analysis
    failed: str | None
    passed: bool
    errors: Pair
    is_idle: bool
    guardrail: str | None
    crowded: int | None
    unread_since: datetime | None
    unread: str


def assess(
    ledger: Ledger,
    *,
    gates: Sequence[Gate],
    spec: AnalysisSpec,
    now: datetime,
    shadow: bool = False,
) -> Assessment:
    """Judge the books.

    Args:
        shadow: the canary gets copies alone. In any other step nothing is compared answer by
            answer, so that such a metric neither passes nor fails it; its evidence stays shown.
    """
    chances = list_chances(gates, spec)
    metrics = tuple(
        judge(
            gate,
            ledger.trials.get(gate.name, Trial()),
            false_abort=chances[gate.name],
            false_pass=float(spec.false_pass),
            seconds=ledger.seconds,
        )
        for gate in gates
    )
    gating = [
        one
        for gate, one in zip(gates, metrics, strict=True)
        if gate.is_gating and is_asked(gate, shadow=shadow)
    ]
    failed = next((one for one in gating if one.verdict is Verdict.FAIL), None)
    passed = all(one.verdict is Verdict.PASS for one in gating)
    verdict = Verdict.FAIL if failed else Verdict.PASS if passed else Verdict.INSUFFICIENT
    if ledger.unread_since is not None and failed is None:
        verdict = Verdict.UNAVAILABLE
    return Assessment(
        shown=Analysis(
            verdict=verdict,
            at=render_instant(now),
            metrics=metrics,
            shadow=render_shadow(ledger.shadow),
        ),
        failed=None if failed is None else _describe(failed),
        passed=passed,
        errors=ledger.errors,
        is_idle=_is_idle(ledger),
        guardrail=_find_guardrail(ledger.errors, spec.guardrails),
        crowded=_find_crowd(ledger),
        unread_since=ledger.unread_since,
        unread=ledger.unread,
    )


def _is_idle(ledger: Ledger) -> bool:
    """A restart forgets who was asked in the step, but not what the metrics have counted in it."""
    steps = [(trial.step_canary, trial.step_stable) for trial in ledger.trials.values()]
    is_used = ledger.is_used or any(counts.n for pair in steps for counts in pair)
    return ledger.seconds > 0 and not is_used


def _describe(evidence: MetricEvidence) -> str:
    return f"{evidence.name}: {compare(evidence)}"


def _find_guardrail(errors: Pair, rails: Guardrails) -> str | None:
    """A rate of failures that needs no statistics; one that the stable has as well is no news."""
    limit = float(rails.error_rate)
    if errors.canary.n < rails.min_requests or _rate(errors.canary) < limit:
        return None
    if errors.stable.n >= rails.min_requests and _rate(errors.stable) >= limit / 2:
        return None
    return f"canary {errors.canary.bad} of {errors.canary.n} failed, the guardrail is {limit:g}"


def _rate(counts: Counts) -> float:
    return counts.bad / counts.n if counts.n else 0.0


def _find_crowd(ledger: Ledger) -> int | None:
    """Requests that reach pods beside the gateway make the canary's share smaller, never larger."""
    split = ledger.split
    if split is None or not split.is_refuted(chance=SPLIT_CHANCE):
        return None
    observed = split.canary / (split.canary + split.stable)
    return int(observed * MILLION) if observed > split.weight else None
