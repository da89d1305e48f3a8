"""Who has the token tries the new revision before anybody else meets it."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_rollouts import FEW, FOUR, ORDINARY, Story
from behaviour_terminal import Terminal, condition, has_reason, is_true

STEPS = [{"type": "Approval"}, {"type": "Weight", "weight": {"percent": 50}}]


def test_the_token_leads_to_the_new_revision_before_it_has_any_share(
    user: Terminal, tmp_path: Path
) -> None:
    rollout = {"strategy": "Canary", "warmUp": FEW, "steps": STEPS}
    story = Story(user, "tried", models.of_countries(tmp_path / "a", FOUR), rollout)
    document = user.document(
        "tried",
        models.of_countries(tmp_path / "b", FOUR + " SE"),
        model={"runtime": "Native"},
        rollout=rollout,
        traffic={"revisionOverride": "Token"},
    )
    assert user.apply(document).code == 0
    found = user.wait("tried", has_reason("ApprovalNeeded"))
    new = found["status"]["canaryRevision"]
    assert new != story.old
    told = user.run("describe", "tried").out
    assert "kubectl get secret tried-override" in told
    secret = json.loads(user.run("get", "secret", "tried-override", "-o", "json").out)
    token = base64.b64decode(secret["data"]["token"]).decode()
    assert len(token) >= 32
    assert token not in user.run("get", "secrets").out + told
    assert token not in user.run("get", "tried", "-o", "json").out

    def ask(**headers: str) -> httpx.Response:
        body: Any = ORDINARY[0]
        return user.post(found, "/predict", json=body, headers=headers)

    def is_answered_by_the_new_one() -> bool:
        answer = ask(**{"x-slipway-revision": token})
        return (answer.status_code, answer.headers["x-model-revision"]) == (200, new)

    user.eventually(is_answered_by_the_new_one)
    for _ in range(20):
        assert is_answered_by_the_new_one()
        for headers in ({}, {"x-slipway-revision": "guessed"}, {"x-slipway-forced": "1"}):
            answer = ask(**headers)
            assert (answer.status_code, answer.headers["x-model-revision"]) == (200, story.old)
    assert user.get("tried")["status"]["display"].get("weightPercent") in (None, "0")

    assert user.run("delete", "tried").code == 0
    user.eventually(lambda: user.run("get", "secret", "tried-override").code != 0)


def test_a_secret_of_somebody_else_is_not_used(laptop: Laptop, tmp_path: Path) -> None:
    taken = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "taken-override"},
        "stringData": {"token": "0123456789abcdef"},
    }
    assert laptop.apply(taken).code == 0
    document = laptop.document(
        "taken",
        models.of_countries(tmp_path / "a", FOUR),
        model={"runtime": "Native"},
        traffic={"revisionOverride": "Token"},
    )
    assert laptop.apply(document).code == 0
    found = laptop.wait("taken", has_reason("NameConflict"))
    assert 'Secret "taken-override" exists' in condition(found, "Ready")["message"]
    assert laptop.run("delete", "secret", "taken-override").code == 0
    laptop.wait("taken", is_true("UpToDate"))
    assert laptop.run("get", "secret", "taken-override").code == 0
