"""The books of a shadow: answers of the stable and of the canary to the same request, joined.

The gateway gives a request and its copy the same id, and two pods tell of them at their own times:
what has no partner yet waits for it, not for long and not in any number. A pod that is asked for
the first time begins to tell; what it may have told others before is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from slipway_operator.api.status_rollout import (
    EXAMPLE_CHARACTERS,
    MOST_EXAMPLES,
    MOST_SEGMENTS,
    SHORT,
    ShadowEvidence,
    ShadowExample,
    ShadowSegment,
)
from slipway_operator.contract import SOURCE_MIRROR, SOURCE_ROUTE
from slipway_operator.decide.analysis.comparison import measure, measure_numbers
from slipway_operator.decide.analysis.segments import Row, Segments
from slipway_operator.state.answers import Answer, Answers
from slipway_operator.state.readings import Source

WAIT: Final = timedelta(seconds=30)
MOST_WAITING: Final = 4096
_BUSY: Final = 1000  # answers of a tick: more of them and fewer are kept
_CALM: Final = 250
_MOST_RENDERED: Final = 50  # of a tick, to find some that are unlike
_LEAST_KEEP: Final = 1 / 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer whose partner was not told yet."""

    answer: Answer
    since: datetime


@dataclass(frozen=True, slots=True)
class Example:
    """Two answers that differ, and how far they are apart: what decides, then their numbers."""

    distance: tuple[float, float]
    shown: ShadowExample


Differing = tuple[tuple[float, float], Answer, Answer, int]  # distance, answers, row


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What was compared so far.

    Attributes:
        cursors: by the pod's uid, where its answers are to be read on.
        keep: the share of requests whose answers pods are to keep.
        stable, canary: by id, the answers that wait.
        pairs: requests of which both answers were compared.
        disagreements: those of them that were answered otherwise.
        unmatched: answers to copies whose originals were not told. What was not copied is told by
            the stable alone, and not counted.
    """

    cursors: Mapping[str, int] = field(default_factory=dict)
    keep: float = 1.0
    stable: Mapping[str, Waiting] = field(default_factory=dict)
    canary: Mapping[str, Waiting] = field(default_factory=dict)
    pairs: int = 0
    disagreements: int = 0
    unmatched: int = 0
    examples: tuple[Example, ...] = ()
    segments: Segments = field(default_factory=Segments)


def observe(
    shadow: Shadow,
    told: Sequence[tuple[Source, Answers]],
    *,
    canary: str,
    stable: str,
    tolerance: float,
    at: datetime,
) -> tuple[Shadow, tuple[float, ...]]:
    """After a tick.

    Args:
        told: what pods of the two revisions have told.
        tolerance: the distance up to which two answers are the same.

    Returns:
        The books, and of every pair of the tick how far its answers are apart.
    """
    theirs, ours = dict(shadow.stable), dict(shadow.canary)
    pairs: list[tuple[Answer, Answer]] = []
    for source, answers in told:
        if source.uid not in shadow.cursors:
            continue
        for answer in answers.answers:
            if source.revision == stable and answer.source == SOURCE_ROUTE:
                mine, others = theirs, ours
            elif source.revision == canary and answer.source == SOURCE_MIRROR:
                mine, others = ours, theirs
            else:
                continue
            partner = others.pop(answer.id, None)
            if partner is None:
                mine[answer.id] = Waiting(answer, at)
            elif mine is theirs:
                pairs.append((answer, partner.answer))
            else:
                pairs.append((partner.answer, answer))
    kept = _forget(ours, at)
    after = replace(
        shadow,
        cursors=_advance(shadow.cursors, told),
        keep=_choose_keep(shadow.keep, [answers for _, answers in told]),
        stable=_forget(theirs, at),
        canary=kept,
        unmatched=shadow.unmatched + len(ours) - len(kept),
    )
    return _compare(after, pairs, tolerance=tolerance)


def _advance(
    cursors: Mapping[str, int], told: Iterable[tuple[Source, Answers]]
) -> Mapping[str, int]:
    """Where to read on: of a pod that is new, behind all that it has."""
    return {
        source.uid: answers.next + (0 if source.uid in cursors else answers.left)
        for source, answers in told
    }


def _choose_keep(keep: float, told: Sequence[Answers]) -> float:
    """Fewer where pods forget some, or where there is more to read than is worth it."""
    total = sum(len(answers.answers) + answers.left + answers.dropped for answers in told)
    if total > _BUSY or any(answers.dropped for answers in told):
        return max(keep / 2, _LEAST_KEEP)
    return min(keep * 2, 1.0) if total < _CALM else keep


def _forget(waiting: Mapping[str, Waiting], at: datetime) -> Mapping[str, Waiting]:
    """Those that still have a chance; the oldest come first."""
    young = {key: one for key, one in waiting.items() if at - one.since <= WAIT}
    return dict(islice(young.items(), max(len(young) - MOST_WAITING, 0), None))


def _compare(
    shadow: Shadow, pairs: Sequence[tuple[Answer, Answer]], *, tolerance: float
) -> tuple[Shadow, tuple[float, ...]]:
    measured = [
        (stable, canary, distances)
        for stable, canary in pairs
        if (distances := measure(stable, canary)) is not None
    ]
    worst = tuple(max(distances) for _, _, distances in measured)
    rows: list[tuple[Row, bool]] = []
    differing: list[Differing] = []
    for (stable, canary, distances), most in zip(measured, worst, strict=True):
        rows += _list_rows(stable, canary, distances, tolerance)
        if most > tolerance:
            row = distances.index(most)
            far = most, measure_numbers(stable, canary, row)
            differing.append((far, stable, canary, row))
    after = replace(
        shadow,
        pairs=shadow.pairs + len(worst),
        disagreements=shadow.disagreements + len(differing),
        examples=_choose_examples(shadow.examples, differing),
        segments=shadow.segments.observe(rows),
    )
    return after, worst


def _choose_examples(
    before: Iterable[Example], differing: Iterable[Differing]
) -> tuple[Example, ...]:
    """The furthest apart; of those that look alike one is enough."""
    found = {_look(example): example for example in before}
    ranked = sorted(differing, key=lambda one: one[0], reverse=True)
    for distance, stable, canary, row in ranked[:_MOST_RENDERED]:
        example = Example(distance, _render_example(stable, canary, row))
        if (known := found.get(_look(example))) is None or known.distance < distance:
            found[_look(example)] = example
    best = sorted(found.values(), key=lambda example: example.distance, reverse=True)
    return tuple(best[:MOST_EXAMPLES])


def _look(example: Example) -> tuple[str | None, str, str]:
    return example.shown.inputs, example.shown.stable, example.shown.canary


def _list_rows(
    stable: Answer, canary: Answer, distances: tuple[float, ...], tolerance: float
) -> Iterable[tuple[Row, bool]]:
    """The inputs of each row, and whether it was answered otherwise."""
    inputs = stable.inputs or canary.inputs
    count = min((len(column) for column in inputs.values()), default=0)
    if stable.code != canary.code or stable.rows != canary.rows:  # of the whole request
        distances = distances * count
    for at, distance in zip(range(count), distances, strict=False):
        yield {name: column[at] for name, column in inputs.items()}, distance > tolerance


def _render_example(stable: Answer, canary: Answer, row: int) -> ShadowExample:
    inputs = stable.inputs or canary.inputs
    values = {name: column[row] for name, column in inputs.items() if row < len(column)}
    return ShadowExample(
        request_id=stable.id[:EXAMPLE_CHARACTERS],
        inputs=_cut(values) if values else None,
        stable=_render_answer(stable, row),
        canary=_render_answer(canary, row),
    )


def _render_answer(answer: Answer, row: int) -> str:
    outputs = {name: column[row] for name, column in answer.outputs.items() if row < len(column)}
    return _cut(outputs) if outputs else f"HTTP {answer.code}"


def _cut(document: object) -> str:
    """JSON, and where that is too long its beginning."""
    text = msgspec.json.encode(document).decode()
    if len(text) <= EXAMPLE_CHARACTERS:
        return text
    return text[: EXAMPLE_CHARACTERS - 1] + "…"


def render_shadow(shadow: Shadow) -> ShadowEvidence | None:
    """For the status; None: nothing was compared."""
    if shadow.pairs == 0 and shadow.unmatched == 0:
        return None
    return ShadowEvidence(
        pairs=shadow.pairs,
        disagreements=shadow.disagreements,
        unmatched=shadow.unmatched,
        examples=tuple(example.shown for example in shadow.examples),
        segments=tuple(
            ShadowSegment(
                column=segment.column[:SHORT],
                value=segment.value[:SHORT],
                pairs=segment.counts.n,
                disagreements=segment.counts.bad,
            )
            for segment in shadow.segments.explain(MOST_SEGMENTS)
        ),
    )


def restore_shadow(evidence: ShadowEvidence | None) -> Shadow:
    """As far as the status kept it: counts and examples; which rows differ is found anew."""
    if evidence is None:
        return Shadow()
    return Shadow(
        pairs=evidence.pairs,
        disagreements=evidence.disagreements,
        unmatched=evidence.unmatched,
        examples=tuple(Example((0.0, 0.0), example) for example in evidence.examples),
    )
