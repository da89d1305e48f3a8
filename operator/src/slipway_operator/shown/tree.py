"""A ModelDeployment as a tree: its state, revisions, pods and evidence. Pure: lines with tones.

Whoever draws them decides what a tone looks like, and whether there is colour at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from slipway_operator.api import defaults
from slipway_operator.api.reasons import REASONS
from slipway_operator.shown.columns import find_condition
from slipway_operator.shown.rollouts import (
    describe_age,
    describe_evidence,
    describe_outlook,
    format_rate,
    format_share,
    has_stable,
)
from slipway_operator.shown.words import age_of
from slipway_operator.state.identity import LABEL_REVISION

Object = Mapping[str, Any]
GAP: Final = "   "
HEADER: Final = ("NAME", "STATUS", "WEIGHT", "READY", "AGE")


class Tone(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    BUSY = "busy"
    WARNING = "warning"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `is_prose`: it may go on in the next line where it is too long; others are cut."""

    pieces: tuple[Piece, ...] = ()
    is_prose: bool = False

    @property
    def text(self) -> str:
        """Without tones."""
        return "".join(piece.text for piece in self.pieces)


_ICONS: Final = {Tone.GOOD: "✔", Tone.BAD: "✖", Tone.BUSY: "◌", Tone.WARNING: "⚠"}
# By state of the rollout: with the others Ready tells more.
_TONES: Final = {
    "Held": Tone.WARNING,
    "RolledBack": Tone.BAD,
    "Aborting": Tone.BAD,
    **dict.fromkeys(
        (
            "Preparing", "Shadowing", "Scaling", "Shifting", "Verifying", "Observing", "Promoting",
            "Superseding",
        ),
        Tone.BUSY,
    ),
}  # fmt: skip
_VERDICTS: Final = {"Pass": Tone.GOOD, "Fail": Tone.BAD, "Unavailable": Tone.WARNING}


def render_tree(item: Object, pods: Sequence[Object], now: datetime) -> list[Line]:
    """All lines. `pods`: those of the ModelDeployment; those of builds are left out."""
    return [
        *_render_head(item),
        *_render_position(item, now),
        *_render_revisions(item, pods, now),
        *_render_metrics(item, now),
    ]


def _sign(tone: Tone, word: str) -> Piece:
    return Piece(f"{_ICONS[tone]} {word}", tone)


def _render_head(item: Object) -> Iterator[Line]:
    rollout = _rollout_of(item)
    status, reason, message = _find_status(item)
    name = Piece(str(item["metadata"]["name"]), Tone.TITLE)
    pieces = [name, Piece(GAP), status, Piece(f"{GAP}{message}" if message else "")]
    yield Line(tuple(pieces), is_prose=True)
    found = REASONS.get(str(rollout.get("paused") or reason))
    if found is not None and found.action:
        yield Line((Piece(f"→ {found.action}"),), is_prose=True)


def _find_status(item: Object) -> tuple[Piece, str, str]:
    """What it does, the reason and the sentence."""
    rollout, ready = _rollout_of(item), find_condition(item, "Ready")
    state = str(rollout.get("state") or "")
    message = " ".join(str(ready.get("message") or "").split())
    reason = str(ready.get("reason") or "Unknown")
    if item["metadata"].get("deletionTimestamp"):
        return _sign(Tone.BUSY, "Deleting"), "", ""
    if state == "Paused":
        told = str(rollout.get("message") or message)
        return Piece("॥ Paused", Tone.WARNING), str(rollout.get("paused") or ""), told
    is_trouble = _is_warning(reason)
    if state in _TONES:
        told = str(rollout.get("message") or message)
        tone = Tone.WARNING if _TONES[state] is Tone.BUSY and is_trouble else _TONES[state]
        return _sign(tone, state), str(rollout.get("reason") or reason), told
    if ready.get("status") == "True":
        is_moving = find_condition(item, "Reconciling").get("status") == "True"
        return _sign(Tone.BUSY if is_moving else Tone.GOOD, reason), reason, message
    if find_condition(item, "Stalled").get("status") == "True":
        return _sign(Tone.BAD, reason), reason, message
    return _sign(Tone.WARNING if is_trouble else Tone.BUSY, reason), reason, message


def _is_warning(reason: str) -> bool:
    found = REASONS.get(reason)
    return found is not None and found.event == "Warning"


def _render_position(item: Object, now: datetime) -> Iterator[Line]:
    """Strategy, step and weights; nothing unless a revision is on its way."""
    status, rollout = item.get("status") or {}, _rollout_of(item)
    if not status.get("canaryRevision"):
        return
    weights = rollout.get("weights") or {}
    asked = ((item.get("spec") or {}).get("rollout") or {}).get("strategy")
    parts = [str(asked or defaults.STRATEGY)]
    if step := (status.get("display") or {}).get("step"):
        parts.append(f"step {step}")
    weight = f"weight {format_share(weights.get('desired', 0))}"
    if weights.get("observed") is not None:
        weight += f", observed {format_share(weights['observed'])}"
    copies = f"copies of {format_share(rollout.get('shadow'))}"
    parts.append(copies if rollout.get("shadow") else weight)
    if rollout.get("stepStartedAt"):
        parts.append(f"for {age_of(rollout['stepStartedAt'], now)}")
    yield Line((Piece(GAP.join(parts)),))


def _render_revisions(item: Object, pods: Sequence[Object], now: datetime) -> Iterator[Line]:
    revisions = (item.get("status") or {}).get("revisions") or []
    order = {"Canary": 0, "Stable": 1}
    revisions = sorted(revisions, key=lambda each: order.get(str(each.get("role")), 2))
    if not revisions:
        return
    rows = [tuple(Piece(title, Tone.TITLE) for title in HEADER)]
    for each in revisions:
        is_last = each is revisions[-1]
        rows.append(_revision_row(item, each, "└─ " if is_last else "├─ ", now))
        ours = sorted(_pods_of(each, pods), key=lambda pod: str(pod["metadata"]["name"]))
        for pod in ours:
            branch = "└─ " if pod is ours[-1] else "├─ "
            rows.append(_pod_row(pod, ("   " if is_last else "│  ") + branch, now))
    yield Line()
    yield from _align(rows)


def _revision_row(item: Object, revision: Object, branch: str, now: datetime) -> tuple[Piece, ...]:
    weights = _rollout_of(item).get("weights") or {}
    role = str(revision.get("role") or "")
    share = None
    if (item.get("status") or {}).get("canaryRevision"):
        share = int(weights.get("programmed", 0))  # absent where it is 0
    if share is not None and role == "Stable":
        share = 1_000_000 - share
    began = revision.get("verifiedAt")
    if began is None and role == "Canary":
        began = _rollout_of(item).get("startedAt")
    age = age_of(began, now) if began else ""
    if revision.get("retiredAt"):
        age = f"retired {age_of(revision['retiredAt'], now)} ago"
    return (
        Piece(f"{branch}{revision.get('hash')}"),
        Piece(role),
        Piece(format_share(share) if role in {"Canary", "Stable"} else ""),
        Piece(f"{revision.get('ready', 0)}/{revision.get('desired', 0)}"),
        Piece(age),
    )


def _pods_of(revision: Object, pods: Sequence[Object]) -> list[Object]:
    wanted = revision.get("hash")
    return [
        pod for pod in pods if (pod["metadata"].get("labels") or {}).get(LABEL_REVISION) == wanted
    ]


def _pod_row(pod: Object, branch: str, now: datetime) -> tuple[Piece, ...]:
    meta, status = pod["metadata"], pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    total = len((pod.get("spec") or {}).get("containers") or containers)
    ready = sum(1 for each in containers if each.get("ready"))
    restarts = sum(int(each.get("restartCount") or 0) for each in containers)
    told = _pod_status(pod, is_ready=0 < total == ready)
    if restarts:
        told = Piece(f"{told.text}, restarts {restarts}", told.tone)
    return (
        Piece(f"{branch}{meta['name']}"),
        told,
        Piece(""),
        Piece(f"{ready}/{total}"),
        Piece(age_of(meta.get("creationTimestamp"), now)),
    )


def _pod_status(pod: Object, *, is_ready: bool) -> Piece:
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return _sign(Tone.BUSY, "Terminating")
    for container in status.get("containerStatuses") or []:
        reason = str(((container.get("state") or {}).get("waiting") or {}).get("reason") or "")
        if reason.endswith("BackOff") or reason.startswith("Err"):
            return _sign(Tone.BAD, reason)
    phase = str(status.get("phase") or "Pending")
    if phase == "Failed":
        return _sign(Tone.BAD, phase)
    return _sign(Tone.GOOD if is_ready else Tone.BUSY, phase)


def _render_metrics(item: Object, now: datetime) -> Iterator[Line]:
    analysis = (item.get("status") or {}).get("analysis") or {}
    metrics = analysis.get("metrics") or []
    if not metrics or not (item.get("status") or {}).get("canaryRevision"):
        return
    yield Line()
    age = describe_age(analysis, now)
    title = Piece("Analysis", Tone.TITLE)
    yield Line((title, Piece(f"{GAP}{age}" if age else "")))
    yield from _align([_metric_row(each, at=analysis.get("at"), now=now) for each in metrics])


def _metric_row(metric: Object, *, at: str | None, now: datetime) -> tuple[Piece, ...]:
    ours, theirs = metric.get("canary") or {}, metric.get("stable") or {}
    tone = _VERDICTS.get(str(metric.get("verdict")), Tone.BUSY)
    evidence = describe_evidence(metric)
    rates, totals = format_rate(ours), f"n={ours.get('total', 0)}"
    if has_stable(metric):
        rates, totals = f"{rates} vs {format_rate(theirs)}", f"{totals}/{theirs.get('total', 0)}"
    return (
        Piece(str(metric.get("name"))),
        _sign(tone, rates),
        Piece(totals),
        Piece(f"evidence {evidence}" if evidence else ""),
        Piece(describe_outlook(metric, at=at, now=now)),
    )


def _rollout_of(item: Object) -> Mapping[str, Any]:
    return (item.get("status") or {}).get("rollout") or {}


def _align(rows: Sequence[tuple[Piece, ...]]) -> Iterator[Line]:
    """Cells under each other; the last one ends the line without spaces."""
    widths = [max(len(row[at].text) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        pieces: list[Piece] = []
        full = max((at for at, cell in enumerate(row) if cell.text), default=0)
        for at, cell in enumerate(row[: full + 1]):
            pieces.append(cell)
            if at < full:
                pieces.append(Piece(" " * (widths[at] - len(cell.text)) + GAP))
        yield Line(tuple(pieces))
