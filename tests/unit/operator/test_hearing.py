"""The echo: what exists must be told by a watch, and silence is measured from when it was known."""

from typing import Any

from slipway_operator.edges.kubernetes.hearing import Hearing


def obj(version: int, *, uid: str = "u1", kind: str = "Job") -> Any:
    return {"kind": kind, "metadata": {"uid": uid, "resourceVersion": str(version)}}


def test_what_was_told_already_is_not_waited_for() -> None:
    hearing = Hearing()
    hearing.hear(obj(7))
    hearing.expect(obj(7), now=0)
    hearing.expect(obj(5), now=0)
    assert hearing.measure_silence(now=100) == 0


def test_silence_lasts_from_the_first_untold_state_until_the_newest_is_told() -> None:
    hearing = Hearing()
    hearing.expect(obj(7), now=10)
    hearing.expect(obj(9), now=12)
    assert hearing.measure_silence(now=15) == 5
    hearing.hear(obj(8))
    assert hearing.measure_silence(now=15) == 5, "an older state is no echo of the newer"
    hearing.hear(obj(9))
    assert hearing.measure_silence(now=99) == 0


def test_one_deaf_kind_is_not_hidden_by_another_that_hears() -> None:
    hearing = Hearing()
    hearing.expect(obj(7, kind="Job"), now=0)
    for version in range(8, 20):
        hearing.hear(obj(version, kind="Pod", uid=f"p{version}"))
    assert hearing.measure_silence(now=30) == 30


def test_what_is_deleted_is_not_waited_for() -> None:
    hearing = Hearing()
    hearing.expect(obj(7), now=0)
    hearing.hear(obj(8), is_deleted=True)
    assert hearing.measure_silence(now=30) == 0
    hearing.expect(obj(3, uid="u2"), now=0)
    hearing.expect(obj(3, uid="u3", kind="Pod"), now=5)
    hearing.keep_only("Job", {obj(4)["metadata"]["uid"]})
    assert hearing.measure_silence(now=30) == 25, "only of the kind that was listed"


def test_watches_that_begin_anew_have_their_full_time() -> None:
    hearing = Hearing()
    hearing.expect(obj(7), now=0)
    hearing.start_anew(now=21)
    assert hearing.measure_silence(now=30) == 9
