"""Whatever order answers come in, whatever is lost or comes twice: what is compared is the same."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_operator.decide.analysis.segments import (
    MISSING,
    MOST_COLUMNS,
    MOST_VALUES,
    Segments,
)
from slipway_operator.decide.analysis.shadow import MOST_WAITING, WAIT, Shadow, observe
from slipway_operator.state.answers import Answer, Answers, Scalar
from slipway_operator.state.readings import Source

fixed = settings(derandomize=True, deadline=None)

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
PODS = tuple(
    Source(pod=pod, uid=pod, revision=pod[0], address="10.1.0.9:9090", ready_since=START)
    for pod in ("s0", "s1", "c0", "c1")
)
TOLERANCE = 0.25
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


def told(source: Source, name: str, value: float) -> Answer:
    return Answer(
        id=name,
        source="route" if source.revision == "s" else "mirror",
        code=200,
        rows=1,
        inputs={"id": (name,)},
        outputs={"y": (value,)},
    )


def run(events: Sequence[tuple[int, int, Answer]]) -> Shadow:
    """The books after answers that came in these ticks from these pods."""
    books = Shadow(cursors={pod.uid: 0 for pod in PODS})
    for tick in range(max((tick for tick, _, _ in events), default=-1) + 1):
        answers = [
            tuple(answer for when, pod, answer in events if (when, pod) == (tick, number))
            for number in range(len(PODS))
        ]
        books, _ = observe(
            books,
            [
                (pod, Answers(next=tick, answers=mine))
                for pod, mine in zip(PODS, answers, strict=True)
            ],
            canary="c",
            stable="s",
            tolerance=TOLERANCE,
            at=START + timedelta(seconds=2 * tick),
        )
    return books


@fixed
@given(
    values=st.lists(
        st.tuples(
            st.sampled_from((0.0, 0.125, 1.0)),  # how far the canary's answer is away
            st.booleans(),  # whether the stable's comes
            st.booleans(),  # whether the canary's comes
            st.integers(0, 10),
            st.integers(0, 10),
            st.booleans(),  # whether it comes twice, in the same tick
        ),
        max_size=40,
    ),
    seed=st.integers(0, 2**32),
)
def test_every_request_that_both_answered_is_compared_once(
    values: list[tuple[float, bool, bool, int, int, bool]], seed: int
) -> None:
    events, expected, differ = [], 0, 0
    for number, (far, has_stable, has_canary, first, second, twice) in enumerate(values):
        name, pod = str(number), number % 2
        if has_stable:
            events += [(first, pod, told(PODS[pod], name, 1.0))] * (1 + twice)
        if has_canary:
            events.append((second, 2 + pod, told(PODS[2 + pod], name, 1.0 + far)))
        expected += has_stable and has_canary
        differ += has_stable and has_canary and far > TOLERANCE
    shuffled = events[:]
    random.Random(seed).shuffle(shuffled)
    for order in (events, shuffled):
        books = run(order)
        assert (books.pairs, books.disagreements) == (expected, differ)
        shown = {example.shown.request_id for example in books.examples}
        assert len(shown) == min(differ, 5)
        assert all(values[int(name)][0] > TOLERANCE for name in shown)
        assert (books.segments.total.n, books.segments.total.bad) == (expected, differ)


@fixed
@given(
    ticks=st.lists(st.integers(0, 60), min_size=1, max_size=20),
    each=st.integers(1, 700),
)
def test_what_waits_is_bounded_in_number_and_in_time(ticks: list[int], each: int) -> None:
    books, now, number = Shadow(cursors={"s0": 0, "c0": 0}), START, 0
    for seconds in ticks:
        now += timedelta(seconds=seconds)
        answers = [
            (pod, Answers(next=1, answers=tuple(
                told(pod, f"{pod.uid}-{number + at}", 1.0) for at in range(each)
            )))
            for pod in (PODS[0], PODS[2])
        ]  # fmt: skip
        number += each
        books, found = observe(
            books,
            answers,
            canary="c",
            stable="s",
            tolerance=TOLERANCE,
            at=now,
        )
        assert found == ()
        assert len(books.stable) == len(books.canary) <= MOST_WAITING
        assert all(now - one.since <= WAIT for one in books.canary.values())
        assert len(books.canary) + books.unmatched == number


@fixed
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(("text", "number", "missing")),
    ticks=st.integers(1, 5),
)
def test_a_planted_segment_is_found_first(seed: int, kind: str, ticks: int) -> None:
    draw = random.Random(seed)
    rows: list[tuple[dict[str, Scalar], bool]] = []
    for _ in range(600):
        row: dict[str, Scalar] = {
            "island": draw.choice(("Biscoe", "Dream", "Torgersen")),
            "mass": draw.choice((None, draw.uniform(0, 100), draw.uniform(0, 100))),
            "year": draw.randint(2007, 2009),
            "noise": draw.gauss(0, 1),
        }
        if kind == "text":
            planted = row["island"] == "Dream"
        elif kind == "missing":
            planted = row["mass"] is None
        else:
            planted = row["year"] == 2008
        rows.append((row, draw.random() < (0.4 if planted else 0.02)))
    seen = Segments()
    step = len(rows) // ticks
    for at in range(0, len(rows), step):
        seen = seen.observe(rows[at : at + step])
    best = seen.explain(5)[0]
    assert (best.column, best.value) == {
        "text": ("island", "Dream"),
        "number": ("year", "2008"),
        "missing": ("mass", MISSING),
    }[kind]


@fixed
@given(
    ticks=st.lists(
        st.lists(
            st.tuples(st.dictionaries(st.text(max_size=3), SCALARS, max_size=90), st.booleans()),
            max_size=20,
        ),
        max_size=6,
    )
)
def test_whatever_rows_hold_they_are_counted_in_bounded_memory(
    ticks: list[list[tuple[dict[str, Scalar], bool]]],
) -> None:
    seen = Segments()
    for rows in ticks:
        seen = seen.observe(rows)
    assert seen.total.n == sum(len(rows) for rows in ticks)
    assert seen.total.bad == sum(bad for rows in ticks for _, bad in rows)
    assert len(seen.columns) <= MOST_COLUMNS
    for column in seen.columns.values():
        assert len(column.tallies) <= MOST_VALUES
    for segment in seen.explain(5):
        assert 0 < segment.counts.bad <= segment.counts.n <= seen.total.n
