"""What the answers to copied requests say, as short words. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from slipway_operator.api.vocabulary import Strategy
from slipway_operator.shown.rollouts import format_rate

Object = Mapping[str, Any]
SEGMENT_HEADER: Final = ("COLUMN", "VALUE", "DIFFER", "OF ROWS", "RATE")
EXAMPLE_HEADER: Final = ("REQUEST", "STABLE", "CANARY", "INPUTS")
_QUANTILE: Final = 1.959964  # of the normal distribution: 95 % are within it on both sides


def find_compared(status: Object) -> str | None:
    """The revision whose answers were compared: the one on its way, or that of the last rollout."""
    if on_its_way := status.get("canaryRevision"):
        return str(on_its_way)
    ended: Sequence[Object] = status.get("history") or ()
    return f"{ended[0].get('revision')}, {ended[0].get('outcome')}" if ended else None


def describe_pairs(shadow: Object) -> str:
    """How many were compared, and how many had nothing to be compared with.

    >>> describe_pairs({"pairs": 1240, "unmatched": 16})
    '1240 requests; 16 copies had no partner'
    """
    unmatched = int(shadow.get("unmatched") or 0)
    alone = f"; {unmatched} copies had no partner" if unmatched else ""
    return f"{int(shadow.get('pairs') or 0)} requests{alone}"


def describe_disagreement(shadow: Object) -> str:
    """The share of other answers with the interval of E. B. Wilson (JASA 22, 1927).

    >>> describe_disagreement({"pairs": 1240, "disagreements": 38})
    '38 of 1240 (3.06 %; 95 % interval 2.24 % to 4.18 %)'
    >>> describe_disagreement({"pairs": 0})
    'nothing was compared'
    """
    n, bad = int(shadow.get("pairs") or 0), int(shadow.get("disagreements") or 0)
    if n == 0:
        return "nothing was compared"
    low, high = compute_interval(bad, n)
    interval = f"95 % interval {low * 100:.2f} % to {high * 100:.2f} %"
    return f"{bad} of {n} ({bad / n * 100:.2f} %; {interval})"


def compute_interval(bad: int, n: int) -> tuple[float, float]:
    """Of a rate, at 95 %. `n` is at least 1.

    >>> [round(bound, 4) for bound in compute_interval(0, 100)]
    [0.0, 0.037]
    """
    square = _QUANTILE**2
    middle = (bad + square / 2) / (n + square)
    spread = _QUANTILE / (n + square) * math.sqrt(bad * (n - bad) / n + square / 4)
    return max(middle - spread, 0.0), min(middle + spread, 1.0)


def list_segments(shadow: Object) -> list[list[str]]:
    """A row for each value that explains other answers, best first."""
    return [
        [
            str(each.get("column", "")),
            str(each.get("value", "")),
            str(each.get("disagreements", 0)),
            str(each.get("pairs", 0)),
            format_rate({"total": each.get("pairs"), "bad": each.get("disagreements")}),
        ]
        for each in shadow.get("segments") or ()
    ]


def list_examples(shadow: Object) -> list[list[str]]:
    """A row for each of the answers that are the furthest apart."""
    return [
        [str(each.get(key) or "") for key in ("requestId", "stable", "canary", "inputs")]
        for each in shadow.get("examples") or ()
    ]


def explain_absence(name: str, item: Object) -> str:
    """Why there is nothing to show, and what to do."""
    asked: Object = (item.get("spec") or {}).get("rollout") or {}
    steps: Sequence[Object] = asked.get("steps") or ()
    state = ((item.get("status") or {}).get("rollout") or {}).get("state")
    subject = f'modeldeployment "{name}"'
    if state == "Shadowing":
        return (
            f"{subject} has a shadow, but no two answers were compared so far; "
            "wait for requests and ask again."
        )
    if any(step.get("type") == "Shadow" for step in steps) or (
        not steps and asked.get("strategy") == Strategy.SHADOW
    ):
        return f"{subject} has no shadow now; one begins with the rollout of its next revision."
    return (
        f"{subject} has no shadow; add the step {{type: Shadow, shadow: {{percent: 100}}}} to "
        "spec.rollout.steps, and its next revision is compared before anybody is answered by it."
    )
