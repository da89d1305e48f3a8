"""The report of a step: written whole to the work folder, and cut to 4096 bytes for the kubelet.

Built by the process edge of each step; read by the control side (docs/wire.md).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from slipway_runtime.contract import MAX_TERMINATION_BYTES, REPORT_SCHEMA
from slipway_runtime.errors import BuildError

# What goes first when a report is too long for the termination log: the longest and least needed.
_DROPPABLE_FACTS = ("contract", "trainingVersions", "sandbox", "parity", "fallback", "estimator")
_MESSAGE_BYTES = 1024


class Report(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a step did, or why it stopped."""

    step: str
    ok: bool
    stages: tuple[str, ...] = ()
    reason: str | None = None
    message: str | None = None
    retryable: bool = False
    facts: Mapping[str, Any] = {}
    schema: str = REPORT_SCHEMA


def report_done(step: str, stages: tuple[str, ...], facts: Mapping[str, Any]) -> Report:
    """Report a step that reached its stages."""
    return Report(step=step, ok=True, stages=stages, facts=facts)


def report_failed(step: str, error: BuildError, facts: Mapping[str, Any] | None = None) -> Report:
    """Report a step that stopped, with the facts known until then."""
    return Report(
        step=step,
        ok=False,
        reason=error.reason,
        message=error.message,
        retryable=error.retryable,
        facts=facts or {},
    )


def render_whole(report: Report) -> bytes:
    """Render the report as JSON, nothing left out."""
    return msgspec.json.encode(report)


def render_short(report: Report, *, limit: int = MAX_TERMINATION_BYTES) -> bytes:
    """Render the report in at most `limit` bytes, leaving out the longest facts first.

    `facts.truncated` names what was left out; the whole report stays in the work folder and, for
    `publish`, in the artifact's manifest.
    """
    whole = render_whole(report)
    if len(whole) <= limit:
        return whole
    facts = dict(report.facts)
    message = report.message
    if message is not None and len(message.encode()) > _MESSAGE_BYTES:
        message = message.encode()[: _MESSAGE_BYTES - 3].decode(errors="ignore") + "…"
    left_out: list[str] = []
    known = [name for name in _DROPPABLE_FACTS if name in facts]
    others = sorted(
        facts.keys() - set(known), key=lambda name: -len(msgspec.json.encode(facts[name]))
    )
    for name in [None, *known, *others]:
        if name is not None:
            del facts[name]
            left_out.append(name)
        shown = {**facts, "truncated": left_out} if left_out else facts
        cut = render_whole(msgspec.structs.replace(report, facts=shown, message=message))
        if len(cut) <= limit:
            return cut
    return render_whole(msgspec.structs.replace(report, facts={}, message=message))


def write_report(report: Report, *, work: Path, termination_log: Path | None) -> None:
    """Write `<step>.json` atomically, and the short form to the termination log.

    Raises:
        OSError: the work folder cannot be written (the termination log is still tried).
    """
    if termination_log is not None:
        termination_log.write_bytes(render_short(report))
    work.mkdir(parents=True, exist_ok=True)
    target = work / f"{report.step}.json"
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(render_whole(report))
    partial.replace(target)


def read_report(work: Path, step: str) -> Report | None:
    """Read what an earlier step reported; None when it left nothing readable."""
    try:
        return msgspec.json.decode((work / f"{step}.json").read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError):
        return None
