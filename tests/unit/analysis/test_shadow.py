"""The books of a shadow: which answers are a pair, and what is kept of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from slipway_operator.api.status_rollout import EXAMPLE_CHARACTERS, ShadowEvidence, ShadowExample
from slipway_operator.decide.analysis import shadow as module
from slipway_operator.decide.analysis.shadow import (
    Shadow,
    observe,
    render_shadow,
    restore_shadow,
)
from slipway_operator.state.answers import Answer, Answers
from slipway_operator.state.readings import Source

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
KNOWN = {"uid-stable-0": 1, "uid-stable-1": 1, "uid-canary-0": 1}


def source(pod: str) -> Source:
    return Source(
        pod=pod,
        uid=f"uid-{pod}",
        revision=pod.partition("-")[0],
        address="10.1.0.9:9090",
        ready_since=START,
    )


def theirs(name: str, value: Any = 1.0, **parts: Any) -> Answer:
    """What the stable answered."""
    given: dict[str, Any] = {
        "id": name, "source": "route", "code": 200, "rows": 1, "inputs": {"x": ("a",)},
        "outputs": {"y": (value,)}, **parts,
    }  # fmt: skip
    return Answer(**given)


def ours(name: str, value: Any = 1.0, **parts: Any) -> Answer:
    """What the canary answered."""
    return theirs(name, value, **{"source": "mirror", **parts})


def tick(
    shadow: Shadow | None = None,
    *,
    stable: Sequence[Answer] = (),
    canary: Sequence[Answer] = (),
    seconds: float = 0,
    **numbers: int,
) -> tuple[Shadow, tuple[float, ...]]:
    told = [
        (source("stable-0"), Answers(next=5, answers=tuple(stable), **numbers)),
        (source("canary-0"), Answers(next=6, answers=tuple(canary))),
    ]
    return observe(
        Shadow(cursors=KNOWN) if shadow is None else shadow,
        told,
        canary="canary",
        stable="stable",
        tolerance=1e-6,
        at=START + timedelta(seconds=seconds),
    )


def test_answers_to_the_same_request_are_a_pair_in_whatever_order_they_come() -> None:
    after, found = tick(stable=[theirs("a"), theirs("b")], canary=[ours("b", 3.0)])
    assert found == (2.0,)
    assert set(after.stable) == {"a"}
    after, found = tick(after, canary=[ours("a"), ours("c")], seconds=2)
    assert found == (0.0,)
    assert (after.stable, set(after.canary)) == ({}, {"c"})
    after, found = tick(after, stable=[theirs("c", 0.5)], seconds=4)
    assert found == (0.5,)
    assert (after.pairs, after.disagreements, after.unmatched) == (3, 2, 0)


def test_what_has_no_partner_is_forgotten_after_a_while() -> None:
    after, _ = tick(stable=[theirs("a")], canary=[ours("b")])
    after, _ = tick(after, seconds=30)
    assert after.unmatched == 0
    after, _ = tick(after, seconds=31)
    assert (after.stable, after.canary, after.unmatched) == ({}, {}, 1)
    after, found = tick(after, canary=[ours("a")], seconds=32)
    assert found == ()


def test_no_more_than_so_many_wait_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    after, _ = tick(
        stable=[theirs(str(number)) for number in range(5)],
        canary=[ours(str(number)) for number in range(5, 10)],
    )
    assert list(after.stable) == ["2", "3", "4"]
    assert list(after.canary) == ["7", "8", "9"]
    assert after.unmatched == 2


def test_the_later_of_two_answers_to_one_request_is_what_the_user_got() -> None:
    _, found = tick(stable=[theirs("a", 5.0, code=503, outputs={}), theirs("a")],
                    canary=[ours("a")])  # fmt: skip
    assert found == (0.0,)


def test_only_users_requests_and_their_copies_are_compared() -> None:
    after, found = tick(stable=[ours("a")], canary=[theirs("a")])
    assert (found, after.stable, after.canary) == ((), {}, {})
    told = [(source("other-0"), Answers(next=5, answers=(theirs("a"),)))]
    books = Shadow(cursors={"uid-other-0": 1})
    after, found = observe(books, told, canary="canary", stable="stable", tolerance=0, at=START)
    assert (after.stable, after.canary) == ({}, {})


def test_of_a_pod_that_is_new_nothing_is_taken_and_later_all() -> None:
    after, found = tick(Shadow(), stable=[theirs("a")], canary=[ours("a")], left=3)
    assert (found, after.pairs) == ((), 0)
    assert after.cursors == {"uid-stable-0": 8, "uid-canary-0": 6}
    after, found = tick(after, stable=[theirs("b")], canary=[ours("b")], left=3)
    assert found == (0.0,)
    assert after.cursors == {"uid-stable-0": 5, "uid-canary-0": 6}


@pytest.mark.parametrize(
    ("before", "count", "numbers", "after"),
    [
        (1.0, 10, {}, 1.0),
        (1.0, 10, {"dropped": 1}, 0.5),
        (1.0, 10, {"left": 1000}, 0.5),
        (1.0, 1001, {}, 0.5),
        (0.25, 10, {}, 0.5),
        (0.25, 250, {}, 0.25),
        (1 / 1024, 10, {"dropped": 1}, 1 / 1024),
    ],
)
def test_as_many_are_kept_as_can_be_read(
    before: float, count: int, numbers: dict[str, int], after: float
) -> None:
    books = Shadow(cursors=KNOWN, keep=before)
    found, _ = tick(books, stable=[theirs(str(number)) for number in range(count)], **numbers)
    assert found.keep == after


def test_the_worst_answers_are_shown() -> None:
    values = [2.0, 9.0, 1.5, 4.0, 3.0, 1.0, 8.0, 5.0]
    names = [f"r{at}" for at in range(len(values))]
    pairs = dict(zip(names, values, strict=True))
    after, _ = tick(
        stable=[theirs(name) for name in names],
        canary=[ours(name, value) for name, value in pairs.items()],
    )
    shown = render_shadow(after)
    assert shown is not None
    assert (shown.pairs, shown.disagreements) == (8, 7)
    assert [one.request_id for one in shown.examples] == ["r1", "r6", "r7", "r3", "r4"]
    assert shown.examples[0] == ShadowExample(
        request_id="r1", inputs='{"x":"a"}', stable='{"y":1.0}', canary='{"y":9.0}'
    )


def test_of_answers_with_other_classes_those_with_the_furthest_numbers_are_the_worst() -> None:
    sure = {"a": 0.6, "b": 0.9, "c": 0.7}
    after, _ = tick(
        stable=[theirs(name, outputs={"l": ("y",), "p": ((1.0, 0.0),)}) for name in sure],
        canary=[
            ours(name, outputs={"l": ("n",), "p": ((1.0 - p, p),)}) for name, p in sure.items()
        ],
    )
    assert [one.shown.request_id for one in after.examples] == ["b", "c", "a"]
    assert after.examples[0].shown.canary == '{"l":"n","p":[0.09999999999999998,0.9]}'


def test_examples_that_look_alike_are_shown_once() -> None:
    stable = [theirs(str(number)) for number in range(9)]
    canary = [ours(str(number), 3.0 if number else 2.0) for number in range(9)]
    after, _ = tick(stable=stable, canary=canary)
    assert [one.shown.request_id for one in after.examples] == ["1", "0"]
    # One that is only remembered gives way to the same one, seen again.
    again = replace(restore_shadow(render_shadow(after)), cursors=KNOWN)
    again, _ = tick(again, stable=[theirs("x")], canary=[ours("x", 2.0)])
    assert [one.shown.request_id for one in again.examples] == ["x", "1"]


def test_of_a_request_with_many_rows_the_worst_is_shown_and_each_is_counted() -> None:
    parts = {"rows": 3, "inputs": {"x": ("a", "b", "c")}}
    after, found = tick(
        stable=[theirs("r", outputs={"y": (1.0, 1.0, 1.0)}, **parts)],
        canary=[ours("r", outputs={"y": (1.0, 3.0, 1.5)}, **parts)],
    )
    assert found == (2.0,)
    assert after.examples[0].shown.inputs == '{"x":"b"}'
    assert (after.segments.total.n, after.segments.total.bad) == (3, 2)
    assert (after.pairs, after.disagreements) == (1, 1)


def test_a_canary_that_failed_is_shown_with_its_code_and_counts_for_every_row() -> None:
    after, found = tick(
        stable=[theirs("r", outputs={"y": (1.0, 2.0)}, rows=2, inputs={"x": ("a", "b")})],
        canary=[ours("r", code=500, outputs={}, rows=0, inputs={})],
    )
    assert len(found) == 1
    assert after.examples[0].shown.canary == "HTTP 500"
    assert (after.segments.total.n, after.segments.total.bad) == (2, 2)


def test_where_the_stable_refused_the_inputs_are_the_canarys() -> None:
    after, _ = tick(
        stable=[theirs("r", code=422, outputs={}, rows=0, inputs={})], canary=[ours("r")]
    )
    assert after.examples[0].shown.stable == "HTTP 422"
    assert after.examples[0].shown.inputs == '{"x":"a"}'


def test_what_cannot_be_compared_is_no_pair() -> None:
    after, found = tick(stable=[theirs("r", code=503, outputs={})], canary=[ours("r")])
    assert (found, after.pairs, after.segments.total.n) == ((), 0, 0)
    assert render_shadow(after) is None


def test_examples_are_bounded_text_and_may_have_no_inputs() -> None:
    after, _ = tick(
        stable=[theirs("r" * 999, inputs={"x": ("ü" * 999,)}), theirs("s", inputs={})],
        canary=[ours("r" * 999, ("z" * 999,)), ours("s", 9.0, inputs={})],
    )
    shown = render_shadow(after)
    assert shown is not None
    first, second = shown.examples
    for text in (first.request_id, first.inputs, first.canary):
        assert text is not None
        assert len(text) == EXAMPLE_CHARACTERS
    assert first.canary.endswith("…")
    assert second.inputs is None
    msgspec.convert(msgspec.to_builtins(shown), ShadowEvidence)


def test_segments_are_shown_within_their_bounds() -> None:
    name = "c" * 999
    after = Shadow(cursors=KNOWN)
    ids = [str(number) for number in range(100)]
    inputs = [{name: ("v" * 999 if number % 2 else "w",)} for number in range(100)]
    after, _ = tick(
        after,
        stable=[theirs(one, inputs=given) for one, given in zip(ids, inputs, strict=True)],
        canary=[ours(one, 1.0 + number % 2) for number, one in enumerate(ids)],
    )
    shown = render_shadow(after)
    assert shown is not None
    (segment,) = shown.segments
    assert (len(segment.column), len(segment.value)) == (253, 253)
    assert (segment.pairs, segment.disagreements) == (50, 50)
    msgspec.convert(msgspec.to_builtins(shown), ShadowEvidence)


def test_a_restart_goes_on_with_what_was_written() -> None:
    assert restore_shadow(None) == Shadow()
    after, _ = tick(stable=[theirs("a"), theirs("b")], canary=[ours("a", 9.0)])
    again = restore_shadow(render_shadow(after))
    assert (again.pairs, again.disagreements, again.cursors) == (1, 1, {})
    assert [one.shown for one in again.examples] == [one.shown for one in after.examples]
