"""The rollout of a ModelDeployment and its evidence, drawn for `describe`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console

from slipway_operator.cli.screen import print_table
from slipway_operator.cli.sections import on_one_line, print_line, print_title
from slipway_operator.cli.story import advice
from slipway_operator.shown.rollouts import (
    describe_age,
    describe_evidence,
    describe_outlook,
    format_share,
    has_stable,
)
from slipway_operator.shown.words import age_of

Object = Mapping[str, Any]
_HEADER = ("METRIC", "VERDICT", "CANARY", "STABLE", "EVIDENCE")


def print_rollout(console: Console, item: Object, now: datetime) -> None:
    """Where it stands, why, and the last command; nothing where there never was one."""
    status = item.get("status") or {}
    rollout, command = status.get("rollout") or {}, status.get("lastCommand") or {}
    if not rollout and not command:
        return
    print_title(console, "Rollout")
    print_line(console, "  State", rollout.get("state"))
    print_line(console, "  Revision", status.get("canaryRevision"))
    print_line(console, "  Step", (status.get("display") or {}).get("step"))
    print_line(console, "  Weight", _describe_weights(rollout.get("weights") or {}))
    print_line(console, "  Started", _describe_time(rollout.get("startedAt"), now))
    print_line(console, "  This step", _describe_time(rollout.get("stepStartedAt"), now))
    _print_cause(console, rollout, now)
    print_line(console, "  Last outcome", rollout.get("outcome"))
    if command:
        told = [str(command.get("result") or "not answered")]
        if command.get("by"):
            told.append(f"given by {command['by']}")
        message = on_one_line(command.get("message"))
        told_line = ", ".join(told) + (f": {message}" if message else "")
        print_line(console, "  Last command", told_line)


def _print_cause(console: Console, rollout: Object, now: datetime) -> None:
    """Why it is paused or held, or ended where it did, and what to do about it."""
    paused, reason = rollout.get("paused"), rollout.get("reason")
    print_line(console, "  Paused", paused)
    print_line(console, "  Held since", _describe_time(rollout.get("heldSince"), now))
    if reason != paused:
        print_line(console, "  Reason", reason)
    print_line(console, "  Because", on_one_line(rollout.get("message")))
    print_line(console, "  What to do", advice(str(paused or reason or "")))


def print_analysis(console: Console, item: Object, now: datetime) -> None:
    """The evidence for each metric, of the last rollout where none is running; nothing where
    nothing was judged."""
    status = item.get("status") or {}
    analysis, is_running = status.get("analysis") or {}, bool(status.get("canaryRevision"))
    metrics = analysis.get("metrics") or []
    if not metrics:
        return
    age = describe_age(analysis, now)
    title = "Analysis" if is_running else "Analysis of the last rollout"
    print_title(console, f"{title} ({age})" if age else title)
    rows = [
        [
            str(each.get("name", "")),
            str(each.get("verdict") or "Insufficient"),
            _describe_counts(each.get("canary")),
            _describe_counts(each.get("stable")) if has_stable(each) else "–",
            describe_evidence(each),
            *([describe_outlook(each, at=analysis.get("at"), now=now)] if is_running else []),
        ]
        for each in metrics
    ]
    header = (*_HEADER, "OUTLOOK") if is_running else _HEADER
    print_table(console, header, rows, indent="  ")


def _describe_weights(weights: Object) -> str:
    """What the step asks for, what the route was told and what the pods counted."""
    if not weights:
        return ""
    parts = [
        f"{format_share(weights.get('desired', 0))} asked for",
        f"{format_share(weights.get('programmed', 0))} programmed",
    ]
    if weights.get("observed") is not None:
        parts.append(f"{format_share(weights['observed'])} observed")
    return ", ".join(parts)


def _describe_time(moment: str | None, now: datetime) -> str:
    return f"{moment} ({age_of(moment, now)} ago)" if moment else ""


def _describe_counts(counts: Object | None) -> str:
    """`12 bad of 310`."""
    found = counts or {}
    return f"{found.get('bad', 0)} bad of {found.get('total', 0)}"
