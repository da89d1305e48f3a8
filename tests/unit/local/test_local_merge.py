"""Server-side apply and merge patch, row by row."""

from typing import Any

import pytest

from slipway_operator.local.merge import merge_applied, merge_patch, strip_applied

Object = dict[str, Any]


@pytest.mark.parametrize(
    ("live", "desired", "previous", "expected"),
    [
        pytest.param({"a": 1}, {"a": 2}, {}, {"a": 2}, id="desired-wins"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {}, {"a": 1, "b": 2}, id="others-stay"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1}, id="no-longer-asked"),
        pytest.param(
            {"m": {"mine": 1, "theirs": 2}},
            {"m": {}},
            {"m": {"mine": 1}},
            {"m": {"theirs": 2}},
            id="deep-no-longer-asked",
        ),
        pytest.param({"l": [1, 2]}, {"l": [3]}, {"l": [1, 2]}, {"l": [3]}, id="lists-replaced"),
        pytest.param(
            {"l": [{"name": "a", "x": 1}, {"name": "b"}]},
            {"l": [{"name": "b"}]},
            {},
            {"l": [{"name": "b"}]},
            id="lists-of-maps-replaced",
        ),
        pytest.param({"a": 1}, {"a": None}, {}, {}, id="null-removes"),
        pytest.param({}, {"a": {"b": None, "c": 1}}, {}, {"a": {"c": 1}}, id="nulls-are-not-kept"),
        pytest.param({"a": 1}, {"a": {"b": 1}}, {}, {"a": {"b": 1}}, id="map-replaces-scalar"),
    ],
)
def test_apply(live: Object, desired: Object, previous: Object, expected: Object) -> None:
    assert merge_applied(live=live, desired=desired, previous=previous) == expected


def test_applying_twice_changes_nothing_more() -> None:
    live = {"spec": {"a": 1, "b": [1]}, "metadata": {"labels": {"x": "1"}}}
    desired = {"spec": {"b": [2]}, "metadata": {"labels": {"y": "2"}}}
    once = merge_applied(live=live, desired=desired, previous={})
    assert merge_applied(live=once, desired=desired, previous=desired) == once


def test_inputs_are_left_alone() -> None:
    live, desired = {"a": {"b": [1]}}, {"a": {"b": [{"c": 1}]}}
    result = merge_applied(live=live, desired=desired, previous={})
    result["a"]["b"][0]["c"] = 9
    assert live == {"a": {"b": [1]}}
    assert desired == {"a": {"b": [{"c": 1}]}}


def test_status_and_the_stores_metadata_are_never_applied() -> None:
    document = {"metadata": {"name": "x", "uid": "u", "generation": 9}, "status": {"a": 1}}
    assert strip_applied(document) == {"metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="replace"),
        pytest.param({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}, id="add"),
        pytest.param({"a": "b", "b": 1}, {"a": None}, {"b": 1}, id="remove"),
        pytest.param({"a": ["b"]}, {"a": "c"}, {"a": "c"}, id="list-to-scalar"),
        pytest.param({"a": [{"b": 1}]}, {"a": [1]}, {"a": [1]}, id="list-replaced"),
        pytest.param({}, {"a": {"bb": {"c": None}}}, {"a": {"bb": {}}}, id="null-in-new-map"),
    ],
)
def test_merge_patch_is_rfc_7386(target: Object, patch: Object, expected: Object) -> None:
    assert merge_patch(target, patch) == expected
