"""Deafness is told by what a list knows and no watch told."""

from typing import Any

from slipway_operator.edges.kubernetes.hearing import Hearing


def obj(uid: str, version: int) -> Any:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}}


def test_what_was_told_in_time_is_no_deafness() -> None:
    hearing = Hearing()
    hearing.note(obj("a", 5), deleted=False)
    assert hearing.list_untold([obj("a", 5)]) == {}
    untold = hearing.list_untold([obj("a", 9), obj("b", 7)])
    assert untold == {"a": 9, "b": 7}
    hearing.note(obj("a", 11), deleted=False)
    assert hearing.is_still_untold(untold)
    hearing.note(obj("b", 7), deleted=False)
    assert not hearing.is_still_untold(untold)


def test_watches_that_begin_anew_tell_everything_again() -> None:
    hearing = Hearing()
    hearing.note(obj("a", 5), deleted=False)
    hearing.forget()
    assert hearing.list_untold([obj("a", 5)]) == {"a": 5}


def test_an_older_telling_takes_nothing_back() -> None:
    hearing = Hearing()
    hearing.note(obj("a", 5), deleted=False)
    hearing.note(obj("a", 3), deleted=False)
    assert hearing.list_untold([obj("a", 5)]) == {}
    hearing.note(obj("a", 5), deleted=True)
    assert hearing.list_untold([obj("a", 5)]) == {"a": 5}


def test_what_went_meanwhile_was_told_too() -> None:
    hearing = Hearing()
    untold = hearing.list_untold([obj("a", 5)])
    hearing.note(obj("a", 6), deleted=True)
    assert not hearing.is_still_untold(untold)
    assert hearing.is_still_untold(untold), "only once: the next list no longer knows it"
