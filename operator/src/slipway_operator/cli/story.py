"""What a ModelDeployment's status says, in the words of the command line. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from slipway_operator.api.reasons import REASONS
from slipway_operator.contract import STAGES
from slipway_operator.shown.columns import find_condition
from slipway_operator.shown.words import count

Object = Mapping[str, Any]


class Outcome(StrEnum):
    """How far an applied generation is."""

    DONE = "Done"
    FAILED = "Failed"
    WORKING = "Working"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What to tell of an object now. `reason` and `message` are Ready's, or Stalled's."""

    outcome: Outcome
    stages: tuple[str, ...]
    reason: str
    message: str
    action: str


def assess_progress(item: Object, *, generation: int) -> Progress:
    """Whether this generation is up to date, has failed for good, or is on its way."""
    stalled = _current(item, "Stalled", generation)
    up_to_date = _current(item, "UpToDate", generation)
    ready = _current(item, "Ready", generation)
    if up_to_date.get("status") == "True" and _is_reachable(item, generation):
        outcome, source = Outcome.DONE, ready
    elif stalled.get("status") == "True":
        outcome, source = Outcome.FAILED, stalled
    else:
        outcome, source = Outcome.WORKING, ready
    reason = str(source.get("reason", ""))
    return Progress(
        outcome=outcome,
        stages=_reached(item, STAGES[-1] if outcome is Outcome.DONE else _stage(item, generation)),
        reason=reason,
        message=str(source.get("message", "")),
        action=advice(reason),
    )


def _is_reachable(item: Object, generation: int) -> bool:
    """A revision answers, and the gateway has confirmed the way to it."""
    if _current(item, "Available", generation).get("status", "True") != "True":
        return False
    traffic = _current(item, "TrafficProgrammed", generation)
    return bool((item.get("status") or {}).get("url")) and traffic.get("status", "True") == "True"


def advice(reason: str) -> str:
    """What the catalogue says the user should do, or an empty text."""
    found = REASONS.get(reason)
    return found.action if found else ""


def is_warning(reason: str) -> bool:
    """Whether the catalogue holds this reason for trouble."""
    found = REASONS.get(reason)
    return found is not None and found.event == "Warning"


def describe_parity(parity: Mapping[str, Any] | None) -> str:
    """One line: what was compared and how far the answers are apart."""
    if not parity:
        return ""
    verdict = str(parity.get("verdict", ""))
    if verdict == "NotNeeded":
        return "not needed: the model is served as it came"
    if verdict == "NotVerified":
        return "not verified: there were no rows to compare"
    rows, flips = int(parity.get("rows") or 0), int(parity.get("labelFlips") or 0)
    labels = "no label differs" if flips == 0 else f"{count(flips, 'label')} differ"
    error = parity.get("maxAbsoluteError")
    parts = [f"{verdict.lower()} on {count(rows, 'row')}"]
    if error is not None:
        parts.append(f"largest difference {error:.2g}")
    return ", ".join([*parts, labels])


def describe_runtime(item: Object) -> str:
    """`ONNX`, or `Native` with the reason why."""
    status = item.get("status") or {}
    runtime = str(status.get("runtime") or "")
    fallback = (report_of(item)).get("fallback")
    if not fallback:
        return runtime
    return f"{runtime} ({fallback.get('reason')}: {fallback.get('message')})"


def report_of(item: Object) -> Mapping[str, Any]:
    """The last build report in status, or an empty one."""
    build = (item.get("status") or {}).get("build") or {}
    return build.get("report") or {}


def stable_artifact(item: Object) -> str | None:
    """The address of the artifact that answers now."""
    status = item.get("status") or {}
    for revision in status.get("revisions") or []:
        if revision.get("role") == "Stable":
            found = revision.get("artifact")
            return None if found is None else str(found)
    built = (status.get("build") or {}).get("artifact")
    return None if built is None else str(built)


def _current(item: Object, kind: str, generation: int) -> Mapping[str, Any]:
    found = find_condition(item, kind)
    return found if int(found.get("observedGeneration", 0)) >= generation else {}


def _stage(item: Object, generation: int) -> str | None:
    """The last stage that this generation's build has reached."""
    status = item.get("status") or {}
    if int(status.get("observedGeneration", 0)) < generation:
        return None
    return (status.get("build") or {}).get("stage")


def _reached(item: Object, last: str | None) -> tuple[str, ...]:
    """The stages up to `last`; Verified is none of them when nothing could be compared."""
    if last not in STAGES:
        return ()
    verdict = (report_of(item).get("parity") or {}).get("verdict")
    skipped = "Verified" if verdict == "NotVerified" else None
    return tuple(stage for stage in STAGES[: STAGES.index(last) + 1] if stage != skipped)
