"""A rollout and its evidence as short words. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from slipway_operator.shown.words import age_of, format_age, format_seconds, read_time

Object = Mapping[str, Any]
HISTORY_HEADER: Final = ("REVISION", "OUTCOME", "REASON", "STARTED", "TOOK")
_MILLION: Final = 1_000_000


def list_history(entries: Sequence[Object]) -> list[list[str]]:
    """A row for each rollout that ended, in the order given (the status has the newest first)."""
    return [
        [
            str(each.get("revision", "")),
            str(each.get("outcome", "")),
            str(each.get("reason") or ""),
            str(each.get("startedAt") or ""),
            _measure(each),
        ]
        for each in entries
    ]


def _measure(entry: Object) -> str:
    began, ended = read_time(entry.get("startedAt")), read_time(entry.get("finishedAt"))
    if began is None or ended is None or ended < began:
        return ""
    return format_seconds((ended - began).total_seconds())


def format_share(millionths: int | None) -> str:
    """A share of the requests: `25 %`, `24.1 %`. A millionth more or less only keeps a slot open.

    >>> [format_share(share) for share in (None, 0, 1, 2_500, 241_300, 999_800, 999_999)]
    ['', '0 %', '0 %', '0.25 %', '24.1 %', '99.98 %', '100 %']
    """
    if millionths is None:
        return ""
    if millionths <= 1 or millionths >= _MILLION - 1:
        return "0 %" if millionths <= 1 else "100 %"
    digits = 1 if 10_000 <= millionths < 990_000 else 2
    return f"{millionths / 10_000:.{digits}f}".rstrip("0").rstrip(".") + " %"


def format_rate(counts: Object | None) -> str:
    """The share of bad requests: `0.39 %`; `–` where there were none."""
    number = int((counts or {}).get("total") or 0)
    if number == 0:
        return "–"
    return f"{int((counts or {}).get('bad') or 0) / number * 100:.2f} %"


def has_stable(metric: Object) -> bool:
    """Whether a metric counts requests of both: one of the answers to the same request does not."""
    return metric.get("stable") is not None or metric.get("canary") is None


def describe_evidence(metric: Object) -> str:
    """How far the evidence against the new revision is from ending its rollout: `0.4/100`."""
    evidence, threshold = metric.get("evidence"), metric.get("threshold")
    return "" if evidence is None else f"{evidence}/{threshold or '?'}"


def describe_outlook(metric: Object, *, at: str | None, now: datetime) -> str:
    """What became of a metric, or when it may pass. `at`: when that was worked out."""
    match metric.get("verdict"):
        case "Pass":
            return "passed"
        case "Fail":
            return "failed"
        case "Unavailable":
            return "cannot be read"
        case _:
            eta, written = metric.get("etaSeconds"), read_time(at)
    if eta is None:
        return "undecided"
    left = float(eta) - (max((now - written).total_seconds(), 0.0) if written else 0.0)
    return f"passes in ~{format_age(left)}" if left >= 1 else "passes any moment"


def describe_age(analysis: Object, now: datetime) -> str:
    """How old the evidence is: it is read from the status, which is written once a minute."""
    at = analysis.get("at")
    return f"as of {age_of(at, now)} ago" if at else ""
