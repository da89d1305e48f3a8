"""Tries the conversions in order and decides how the model is served.

The ladder: asked for native → known to convert wrongly → each attempt until one is proven → native
with the reason, or a refusal where ONNX was asked for.
"""

from dataclasses import dataclass
from typing import Literal

from slipway_runtime.artifact.manifest import Attempt as Tried
from slipway_runtime.artifact.manifest import Fallback
from slipway_runtime.contract_of.unwrap import describe
from slipway_runtime.convert.from_sklearn import (
    Attempt,
    Converted,
    Unsupported,
    convert_sklearn,
    list_attempts,
)
from slipway_runtime.convert.original import Original
from slipway_runtime.convert.rewrite import denied_reason
from slipway_runtime.convert.session import (
    Answered,
    Runner,
    SessionCrashed,
    SessionFailed,
    feeds_of,
)
from slipway_runtime.errors import BuildError
from slipway_runtime.parity.check import Evidence, check_conversion
from slipway_runtime.parity.compare import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A conversion and what it answered; `comparison` None: there was nothing to compare with."""

    converted: Converted
    answered: Answered
    comparison: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How the model is served: `onnx`, or None with the reason; and all that was tried.

    `comparison` is that of the conversion served, else of the last one that ran.
    """

    onnx: Proven | None
    fallback: Fallback | None
    attempts: tuple[Tried, ...]
    comparison: Comparison | None


def decide_runtime(
    original: Original,
    evidence: Evidence,
    *,
    runtime: Literal["Auto", "ONNX", "Native"],
    run: Runner,
) -> Decision:
    """Convert and prove, or say why not.

    Raises:
        BuildError: the reason why not, when ONNX was asked for: `ConversionUnsupported`,
            `ParityExceeded`, or how onnxruntime's process ended (`ModelRejected`, `OutOfMemory`,
            `DeadlineExceeded`).
    """
    if runtime == "Native":
        return Decision(onnx=None, fallback=None, attempts=(), comparison=None)
    name = describe(original.model)
    denied = denied_reason(original.model)
    if denied is not None:
        why = Fallback(
            reason="ConversionUnsupported",
            message=f"{name} is known to convert to another answer ({denied}).",
        )
        return _fall_back(why, (), None, runtime)
    tried: list[Tried] = []
    exceeded: Comparison | None = None
    crash: SessionCrashed | None = None
    for attempt in list_attempts(original):
        if not _is_worth_trying(attempt, exceeded):
            continue
        try:
            outcome, proven = _try(original, evidence, attempt, run)
        except SessionCrashed as error:
            outcome, proven = Tried(options=attempt.name, outcome="Failed", detail=str(error)), None
            crash = crash or error
        tried.append(outcome)
        if outcome.outcome in ("Verified", "NotVerified") and proven is not None:
            return Decision(
                onnx=proven,
                fallback=None,
                attempts=tuple(tried),
                comparison=proven.comparison,
            )
        if proven is not None and exceeded is None:
            exceeded = proven.comparison
        if outcome.outcome == "Unsupported":
            break
    return _fall_back(_explain(name, tried, exceeded, crash), tuple(tried), exceeded, runtime)


def _try(
    original: Original, evidence: Evidence, attempt: Attempt, run: Runner
) -> tuple[Tried, Proven | None]:
    """Make one attempt and hold it against the original.

    Raises:
        SessionCrashed: it ended onnxruntime.
    """
    try:
        converted = convert_sklearn(original, attempt, flat=_flat_outputs(original, evidence))
    except Unsupported as error:
        outcome = "Unsupported" if error.final else "Failed"
        return Tried(options=attempt.name, outcome=outcome, detail=str(error)), None
    try:
        feeds = feeds_of(evidence.rows, converted.inputs)
        answered = run(converted.content, feeds)
    except SessionCrashed:
        raise
    except SessionFailed as error:
        return Tried(options=attempt.name, outcome="Failed", detail=f"onnxruntime: {error}"), None
    if not evidence.answers:
        unproven = Proven(converted=converted, answered=answered, comparison=None)
        return Tried(options=attempt.name, outcome="NotVerified", detail=evidence.refusal), unproven
    comparison = check_conversion(original, evidence, answered.answers)
    proven = Proven(converted=converted, answered=answered, comparison=comparison)
    verdict = "Verified" if comparison.passed else "Exceeded"
    return Tried(options=attempt.name, outcome=verdict, detail=comparison.detail), proven


def _flat_outputs(original: Original, evidence: Evidence) -> frozenset[str]:
    """Outputs of one number a row; where the original answers nothing, as its kind mostly does."""
    if not evidence.answers:
        return frozenset(one.name for one in original.outputs if one.role in ("Label", "Value"))
    return frozenset(name for name, values in evidence.answers.items() if values.ndim == 1)


def _is_worth_trying(attempt: Attempt, last: Comparison | None) -> bool:
    """Settling ties alone cures labels only: not probabilities that differ."""
    if not attempt.ties or attempt.double:
        return True
    return last is not None and last.label_flips > 0 and last.numbers_passed


def _explain(
    name: str, tried: list[Tried], exceeded: Comparison | None, crash: SessionCrashed | None
) -> Fallback:
    """Say why no attempt held: another answer, then a crash, then an error; the first of each."""
    if exceeded is not None:
        return Fallback(
            reason="ParityExceeded",
            message=f"The converted {name} answers differently: {exceeded.detail}.",
        )
    if crash is not None:
        return Fallback(reason=crash.reason, message=f"The converted {name} does not run: {crash}.")
    cause = (tried[0].detail or "the converter failed")[:240].rstrip(". ")
    return Fallback(
        reason="ConversionUnsupported", message=f"{name} does not convert to ONNX: {cause}."
    )


def _fall_back(
    why: Fallback, tried: tuple[Tried, ...], exceeded: Comparison | None, runtime: str
) -> Decision:
    if runtime == "ONNX":
        raise BuildError(
            why.reason,
            f'{why.message} spec.model.runtime is "ONNX"; set it to "Auto" or "Native" to serve '
            "the original, or change the model.",
        )
    return Decision(onnx=None, fallback=why, attempts=tried, comparison=exceeded)
