"""Rollouts that judge themselves, under load: the good is promoted, the bad is taken back."""

from pathlib import Path
from typing import Any

import pytest

import behaviour_models as models
from behaviour_rollouts import (
    FEW,
    FOUR,
    ORDINARY,
    THREE,
    WITH_MANY,
    WITH_SOME,
    Story,
    canary,
    is_promoted,
    state_of,
)
from behaviour_terminal import Terminal, condition, has_reason


def test_a_good_model_takes_every_step_without_a_failed_request(
    user: Terminal, tmp_path: Path
) -> None:
    story = Story(user, "good", models.of_countries(tmp_path / "a", FOUR), canary(10, 50, 100))
    with story.load(WITH_SOME) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        found = user.wait("good", is_promoted(story.old))
        load.wait_for(50)
    assert load.failed == []
    new = found["status"]["stableRevision"]
    assert {revision for _, revision in load.answers[-30:]} == {new}
    told = story.events()
    for step in ("10 % of the requests, step 1/3", "50 % of the requests, step 2/3", "step 3/3"):
        assert step in told
    assert found["status"]["history"][0]["outcome"] == "Promoted"


@pytest.mark.parametrize(
    ("name", "bodies", "words"),
    [
        pytest.param("errs", WITH_SOME, "errors: canary", id="it fails for one country"),
        pytest.param("lags", ORDINARY, "latency: canary", id="it is slow"),
        pytest.param("strays", WITH_MANY, "violations: canary", id="it does not know a country"),
    ],
)
def test_a_bad_model_is_taken_back_with_the_numbers(
    user: Terminal, tmp_path: Path, name: str, bodies: list[Any], words: str
) -> None:
    bad = {
        "errs": lambda: models.of_countries(tmp_path / "b", THREE, strict=True),
        "lags": lambda: models.slow_of_countries(tmp_path / "b", FOUR),
        "strays": lambda: models.of_countries(tmp_path / "b", THREE),
    }[name]()
    lags = {
        "baselineQuantile": "0.9",
        "relative": "1.5",
    }  # on a busy machine the slowest say little
    metrics = [{"name": "latency", "type": "SlowFraction", "slowFraction": lags}]
    analysis = {"analysis": {"metrics": metrics}} if name == "lags" else {}
    story = Story(user, name, models.of_countries(tmp_path / "a", FOUR), canary(25, 50, **analysis))
    with story.load(bodies, per_second=40 if name == "lags" else 150) as load:
        story.ask(bad)
        found = user.wait(name, lambda found: state_of(found) == "RolledBack")
        load.wait_for(50)
    status = found["status"]
    assert status["stableRevision"] == story.old
    assert {revision for _, revision in load.answers[-30:]} == {story.old}
    ready = condition(found, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "AnalysisFailed")
    assert words in ready["message"]
    assert condition(found, "Available")["status"] == "True"
    assert condition(found, "UpToDate")["status"] == "False"
    assert status["history"][0]["outcome"] == "Aborted"
    assert len(status["rejectedDigests"]) == 1
    if name == "errs":
        # Of the requests of one country, those that met the new revision, and no other.
        assert 0 < len(load.failed) < len(load.answers) * 0.05
        # It is the same model, so another edit does not try it again.
        story.ask(bad, timeout_seconds=7)
        again = user.wait(name, has_reason("AnalysisFailed"))
        assert state_of(again) == "RolledBack"
    else:
        assert load.failed == []


def test_going_back_midway_is_at_once_and_a_newer_model_takes_the_place(
    user: Terminal, tmp_path: Path
) -> None:
    first = models.of_countries(tmp_path / "a", FOUR)
    story = Story(user, "turns", first, canary(10, 100, onNewRevision="Supersede"))
    with story.load(ORDINARY, per_second=20) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        second = story.wait_for_state("Observing")["status"]["canaryRevision"]
        story.ask(models.of_countries(tmp_path / "c", FOUR + " SE NO"))
        third = user.wait(
            "turns",
            lambda found: (
                state_of(found) == "Observing" and found["status"]["canaryRevision"] != second
            ),
        )
        story.ask(first)
        found = story.wait_for_state("Stable", "Draining")
        load.wait_for(20)
    assert load.failed == []
    assert {revision for _, revision in load.answers[-10:]} == {story.old}
    outcomes = [(entry["outcome"], entry["revision"]) for entry in found["status"]["history"][:2]]
    assert outcomes == [
        ("RolledBack", third["status"]["canaryRevision"]),
        ("Superseded", second),
    ]
    assert condition(found, "Ready")["status"] == "True"


def test_without_a_request_time_decides(user: Terminal, tmp_path: Path) -> None:
    steps = [{"type": "Weight", "weight": {"percent": 50, "minSeconds": 1, "maxSeconds": 3}}]
    rollout = {"strategy": "Canary", "warmUp": FEW, "steps": steps}
    story = Story(user, "quiet", models.of_countries(tmp_path / "a", FOUR), rollout)
    story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
    found = user.wait("quiet", is_promoted(story.old))
    assert found["status"]["history"][0]["outcome"] == "Promoted"


def test_whoever_watches_approves_pauses_and_ends_it(user: Terminal, tmp_path: Path) -> None:
    brief = {"until": "Duration", "minSeconds": 0, "maxSeconds": 2}
    steps = [
        {"type": "Weight", "weight": {"percent": 10, **brief}},
        {"type": "Approval"},
        {"type": "Weight", "weight": {"percent": 60, **brief, "maxSeconds": 600}},
    ]
    rollout = {"strategy": "Canary", "warmUp": FEW, "steps": steps}
    story = Story(user, "watched", models.of_countries(tmp_path / "a", FOUR), rollout)
    said = user.run("promote", "watched")
    assert (said.code, "refused: no rollout of" in said.text) == (1, True)

    story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
    found = user.wait("watched", has_reason("ApprovalNeeded"))
    assert found["status"]["display"]["weightPercent"] == "10"
    said = user.run("resume", "watched")
    assert (said.code, "Use promote" in said.text) == (1, True)
    said = user.run("promote", "watched")
    assert (said.code, "watched promoted in" in said.out) == (0, True)
    user.wait("watched", lambda found: found["status"]["display"].get("weightPercent") == "60")

    assert user.run("pause", "watched").code == 0
    found = user.wait("watched", has_reason("Paused"))
    assert found["status"]["display"]["weightPercent"] == "60"
    assert user.run("abort", "watched").code == 0
    found = story.wait_for_state("RolledBack")
    assert found["status"]["stableRevision"] == story.old
    assert condition(found, "Ready")["reason"] == "RolloutAborted"

    assert user.run("retry", "watched").code == 0
    user.wait("watched", has_reason("ApprovalNeeded"))
    assert user.run("promote", "watched", "--full").code == 0
    user.wait("watched", is_promoted(story.old))
    told = user.run("history", "watched").out.splitlines()
    assert [line.split()[1] for line in told] == ["OUTCOME", "Promoted", "Aborted", "Promoted"]


def test_what_was_promoted_is_rolled_back_without_a_failed_request(
    user: Terminal, tmp_path: Path
) -> None:
    brief = {"percent": 50, "until": "Duration", "minSeconds": 0, "maxSeconds": 2}
    rollout = {
        "strategy": "Canary",
        "warmUp": FEW,
        "scaleDownDelaySeconds": 1,
        "steps": [{"type": "Weight", "weight": brief}],
    }
    story = Story(user, "back", models.of_countries(tmp_path / "a", FOUR), rollout)
    said = user.run("rollback", "back")
    assert (said.code, "served before is kept" in said.text) == (1, True)

    newer = models.of_countries(tmp_path / "b", FOUR + " SE")
    with story.load(ORDINARY, per_second=20) as load:
        story.ask(newer)
        user.wait("back", is_promoted(story.old))
        # Its pods are gone, and it is still there.
        user.wait("back", lambda found: pods_of(found, story.old) == 0)
        said = user.run("rollback", "back")
        assert (said.code, f"rollback to revision {story.old[:4]}" in said.out) == (0, True)
        found = story.wait_for_state("RolledBack")
        load.wait_for(20)
        # Whoever applies the same again changes nothing.
        story.ask(newer)
        again = user.wait("back", has_reason("RolledBack"))
        assert user.run("retry", "back").code == 0
        user.wait("back", is_promoted(story.old))
        load.wait_for(20)
    assert load.failed == []
    for status in (found["status"], again["status"]):
        assert status["stableRevision"] == story.old
        assert len(status["rejectedDigests"]) == 1
    for kind in ("Ready", "UpToDate"):
        assert (condition(found, kind)["status"], condition(found, kind)["reason"]) == (
            "False",
            "RolledBack",
        )
    assert condition(found, "Available")["status"] == "True"
    told = user.run("history", "back").out.splitlines()
    assert [line.split()[1] for line in told] == [
        "OUTCOME",
        "Promoted",
        "FastPromoted",
        "Promoted",
        "Promoted",
    ]


def pods_of(found: dict[str, Any], revision: str) -> int:
    """Pods that a revision has or wants; -1: it is gone."""
    rows = {row["hash"]: row for row in found["status"].get("revisions", [])}
    row = rows.get(revision)
    return -1 if row is None else max(row.get("ready", 0), row.get("desired", 0))
