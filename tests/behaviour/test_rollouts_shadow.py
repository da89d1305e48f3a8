"""Copies before users, and all users at once: what either does with a good model and a bad one."""

from pathlib import Path
from typing import Any

import behaviour_models as models
from behaviour_rollouts import FEW, FOUR, ORDINARY, WITH_MANY, WITH_SOME, Story, is_promoted
from behaviour_terminal import Terminal, condition, has_reason

# With another second country than `FOUR` it answers that one otherwise.
COPIES = {"type": "Shadow", "shadow": {"percent": 100, "minSeconds": 2}}
AGREEMENT = {"name": "agreement", "type": "Agreement", "agreement": {"min": "0.9"}}
ERRORS = {"name": "errors", "type": "ErrorRate", "errorRate": {"tolerated": "0.01"}}


def shadow(*steps: dict[str, Any]) -> dict[str, Any]:
    analysis = {"metrics": [ERRORS, AGREEMENT]}
    return {
        "strategy": "Canary",
        "warmUp": FEW,
        "steps": [COPIES, *steps],
        "analysis": analysis,
    }


def test_what_answers_copies_otherwise_is_never_shown_to_a_user(
    user: Terminal, tmp_path: Path
) -> None:
    weight = {"type": "Weight", "weight": {"percent": 50, "minSeconds": 2}}
    story = Story(user, "copied", models.of_countries(tmp_path / "a", FOUR), shadow(weight))
    with story.load(WITH_MANY, per_second=30) as load:  # copies wait for nobody
        story.ask(models.of_countries(tmp_path / "b", "DE ES FR IT", positive="ES"))
        found = story.wait_for_state("Shadowing")
        new = found["status"]["canaryRevision"]
        assert found["status"]["display"].get("weightPercent") in (None, "0")
        found = story.wait_for_state("RolledBack")
        load.wait_for(30)
    assert load.failed == []
    assert {revision for _, revision in load.answers} == {story.old}
    ready = condition(found, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "AnalysisFailed")
    assert ready["message"].startswith("agreement: ")
    told = user.run("diff", "copied")
    assert told.code == 0
    assert story.old in told.out
    segments = [line.split()[:2] for line in told.out.splitlines() if "country" in line]
    assert ["country", "ES"] in segments
    # Nothing gets copies any more, and what failed is told by its revision.
    assert found["status"]["rollout"].get("shadow", 0) == 0
    assert found["status"]["history"][0]["revision"] == new


def test_what_does_well_with_copies_goes_on_to_users(user: Terminal, tmp_path: Path) -> None:
    weight = {"type": "Weight", "weight": {"percent": 50, "minSeconds": 2}}
    rollout = shadow({"type": "Approval"}, weight)
    story = Story(user, "compared", models.of_countries(tmp_path / "a", FOUR), rollout)
    with story.load(WITH_SOME, per_second=30) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        found = user.wait("compared", has_reason("ApprovalNeeded"))
        assert {revision for _, revision in load.answers} == {story.old}
        assert found["status"]["analysis"]["shadow"]["disagreements"] == 0
        assert user.run("promote", "compared").code == 0
        found = user.wait("compared", is_promoted(story.old))
        load.wait_for(30)
    assert load.failed == []
    new = found["status"]["stableRevision"]
    assert {revision for _, revision in load.answers[-20:]} == {new}
    assert "ShadowRunning" in story.events()


def test_all_requests_at_once_and_back_where_it_fails(user: Terminal, tmp_path: Path) -> None:
    rollout = {"strategy": "BlueGreen", "warmUp": FEW}
    story = Story(user, "swapped", models.of_countries(tmp_path / "a", FOUR), rollout)
    with story.load(ORDINARY) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        found = user.wait("swapped", is_promoted(story.old))
        load.wait_for(30)
    assert load.failed == []
    good = found["status"]["stableRevision"]
    assert found["status"]["history"][0]["outcome"] == "Promoted"
    with story.load(WITH_SOME) as load:
        story.ask(models.of_countries(tmp_path / "c", "DE FR IT", strict=True))
        found = story.wait_for_state("RolledBack")
        load.wait_for(30)
    assert found["status"]["stableRevision"] == good
    assert {revision for _, revision in load.answers[-20:]} == {good}
    assert condition(found, "Ready")["reason"] in {"AnalysisFailed", "GuardrailBroken"}
    # The others went through, and no answer was lost on the way there and back.
    assert 0 < len(load.failed) < len(load.answers) * 0.15
