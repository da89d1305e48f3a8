"""Changing a model under a constant load: no request fails, and a broken one changes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import behaviour_models as models
from behaviour_load import Load
from behaviour_terminal import Terminal, condition, has_reason, is_true

ROW = {"age": 70.0, "income": 3.0}


def make_load(user: Terminal, found: Mapping[str, Any], rows: list[dict[str, float]]) -> Load:
    address = user.address(found)
    return Load(url=f"{address.url}/predict", bodies=[rows], headers=address.headers)


def test_a_changed_model_takes_over_without_a_failed_request(
    user: Terminal, tmp_path: Path
) -> None:
    first = models.classifier(tmp_path / "first.joblib")
    second = models.classifier(tmp_path / "second.joblib", flip=True)
    user.apply(user.document("moves", first))
    before = user.wait("moves", is_true("UpToDate"))
    old = before["status"]["stableRevision"]
    with make_load(user, before, [ROW]) as load:
        load.wait_for(25)
        user.apply(user.document("moves", second))
        after = user.wait(
            "moves",
            lambda found: is_true("UpToDate")(found) and found["status"]["stableRevision"] != old,
        )
        load.wait_for(50)
    assert load.failed == []
    # The address stayed, both revisions answered, and the last answers are the new one's.
    assert after["status"]["url"] == before["status"]["url"]
    new = after["status"]["stableRevision"]
    assert {revision for _, revision in load.answers} == {old, new}
    assert {revision for _, revision in load.answers[-25:]} == {new}
    assert user.post(after, "/predict", json=[ROW]).json()["predictions"][0]["label"] == "young"


def test_a_broken_model_leaves_the_old_one_serving_under_load(
    user: Terminal, tmp_path: Path
) -> None:
    good = models.classifier(tmp_path / "good.joblib")
    (tmp_path / "bad.joblib").write_bytes(b"\x80\x04 not a model")
    user.apply(user.document("stays", good))
    before = user.wait("stays", is_true("UpToDate"))
    with make_load(user, before, [ROW]) as load:
        load.wait_for(10)
        user.apply(user.document("stays", tmp_path / "bad.joblib"))
        found = user.wait("stays", has_reason("ModelUnreadable"))
        load.wait_for(25)
    assert load.failed == []
    assert condition(found, "Available")["status"] == "True"
    assert found["status"]["stableRevision"] == before["status"]["stableRevision"]


def test_going_back_is_one_edit_and_needs_no_build(user: Terminal, tmp_path: Path) -> None:
    first = models.regression(tmp_path / "first.joblib")
    second = models.regression(tmp_path / "second.joblib", slope=2.0)
    row = {"age": 30.0, "income": 1.0}
    user.apply(user.document("back", first))
    start = user.wait("back", is_true("UpToDate"))
    old = start["status"]["stableRevision"]
    user.apply(user.document("back", second))
    user.wait(
        "back",
        lambda found: is_true("UpToDate")(found) and found["status"]["stableRevision"] != old,
    )
    user.apply(user.document("back", first))
    found = user.wait(
        "back",
        lambda found: is_true("UpToDate")(found) and found["status"]["stableRevision"] == old,
    )
    answer = user.post(found, "/predict", json=[row]).json()["predictions"][0]["value"]
    assert answer == pytest.approx(30.0, abs=1e-3)


def test_replicas_change_without_a_new_revision(user: Terminal, tmp_path: Path) -> None:
    path = models.regression(tmp_path / "model.joblib")
    user.apply(user.document("scales", path))
    before = user.wait("scales", is_true("UpToDate"))
    with make_load(user, before, [{"age": 1.0, "income": 1.0}]) as load:
        for count in (2, 1):
            user.apply(user.document("scales", path, replicas=count))
            after = user.wait("scales", lambda found, n=count: found["status"]["replicas"] == n)
    assert load.failed == []
    assert after["status"]["stableRevision"] == before["status"]["stableRevision"]


def test_delete_leaves_nothing(user: Terminal, tmp_path: Path) -> None:
    # a model of its own: pods of another with the same revision would be counted too
    path = models.regression(tmp_path / "model.joblib", slope=3.0)
    user.apply(user.document("goes", path))
    found = user.wait("goes", is_true("Ready"))
    revision = found["status"]["stableRevision"]
    assert user.serving(revision) == 1
    assert user.run("delete", "goes").code == 0
    user.eventually(lambda: user.serving(revision) == 0)
    assert user.run("get", "goes").code == 3
