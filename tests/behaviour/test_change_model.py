"""Changing a model under a constant load: no request fails, and a broken one changes nothing."""

from pathlib import Path

import pytest

import behaviour_models as models
from behaviour_laptop import Laptop, condition, deployment, has_reason, is_true
from behaviour_load import Load

ROW = {"age": 70.0, "income": 3.0}


def test_a_changed_model_takes_over_without_a_failed_request(
    laptop: Laptop, tmp_path: Path
) -> None:
    first = models.classifier(tmp_path / "first.joblib")
    second = models.classifier(tmp_path / "second.joblib", flip=True)
    laptop.apply(deployment("moves", f"file:{first}"))
    before = laptop.wait("moves", is_true("UpToDate"))
    old = before["status"]["stableRevision"]
    with Load(url=before["status"]["url"] + "/predict", body=[ROW]) as load:
        load.wait_for(25)
        laptop.apply(deployment("moves", f"file:{second}"))
        after = laptop.wait(
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
    assert laptop.post(after, "/predict", json=[ROW]).json()["predictions"][0]["label"] == "young"


def test_a_broken_model_leaves_the_old_one_serving_under_load(
    laptop: Laptop, tmp_path: Path
) -> None:
    good = models.classifier(tmp_path / "good.joblib")
    (tmp_path / "bad.joblib").write_bytes(b"\x80\x04 not a model")
    laptop.apply(deployment("stays", f"file:{good}"))
    before = laptop.wait("stays", is_true("UpToDate"))
    with Load(url=before["status"]["url"] + "/predict", body=[ROW]) as load:
        load.wait_for(10)
        laptop.apply(deployment("stays", f"file:{tmp_path}/bad.joblib"))
        found = laptop.wait("stays", has_reason("ModelUnreadable"))
        load.wait_for(25)
    assert load.failed == []
    assert condition(found, "Available")["status"] == "True"
    assert found["status"]["stableRevision"] == before["status"]["stableRevision"]


def test_going_back_is_one_edit_and_needs_no_build(laptop: Laptop, tmp_path: Path) -> None:
    first = models.regression(tmp_path / "first.joblib")
    second = models.regression(tmp_path / "second.joblib", slope=2.0)
    row = {"age": 30.0, "income": 1.0}
    laptop.apply(deployment("back", f"file:{first}"))
    start = laptop.wait("back", is_true("UpToDate"))
    old = start["status"]["stableRevision"]
    laptop.apply(deployment("back", f"file:{second}"))
    laptop.wait(
        "back",
        lambda found: is_true("UpToDate")(found) and found["status"]["stableRevision"] != old,
    )
    laptop.apply(deployment("back", f"file:{first}"))
    found = laptop.wait(
        "back",
        lambda found: is_true("UpToDate")(found) and found["status"]["stableRevision"] == old,
    )
    answer = laptop.post(found, "/predict", json=[row]).json()["predictions"][0]["value"]
    assert answer == pytest.approx(30.0, abs=1e-3)


def test_replicas_change_without_a_new_revision(laptop: Laptop, tmp_path: Path) -> None:
    path = models.regression(tmp_path / "model.joblib")
    laptop.apply(deployment("scales", f"file:{path}"))
    before = laptop.wait("scales", is_true("UpToDate"))
    with Load(url=before["status"]["url"] + "/predict", body=[{"age": 1.0, "income": 1.0}]) as load:
        for count in (2, 1):
            laptop.apply(deployment("scales", f"file:{path}", replicas=count))
            after = laptop.wait("scales", lambda found, n=count: found["status"]["replicas"] == n)
    assert load.failed == []
    assert after["status"]["stableRevision"] == before["status"]["stableRevision"]


def test_delete_leaves_nothing(laptop: Laptop, tmp_path: Path) -> None:
    path = models.regression(tmp_path / "model.joblib")
    laptop.apply(deployment("goes", f"file:{path}"))
    found = laptop.wait("goes", is_true("Ready"))
    revision = found["status"]["stableRevision"]
    assert laptop.serving(revision) == 1
    assert laptop.run("delete", "goes").code == 0
    laptop.eventually(lambda: laptop.serving(revision) == 0)
    assert laptop.run("get", "goes").code == 3
