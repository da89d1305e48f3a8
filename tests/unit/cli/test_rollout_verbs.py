"""The verbs of a rollout and `slipway history`: what is asked, and what is answered."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

import cli_fake as fake
from slipway_operator.cli import commanding, main, target
from slipway_operator.state.command import read_command

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def server() -> fake.FakeServer:
    server = fake.FakeServer()
    server.put("modeldeployments", fake.rolling(fake.model("penguins")))
    return server


def reject(server: fake.FakeServer) -> None:
    item = fake.serving(fake.model("penguins"))
    item["status"]["rollout"] = {"state": "RolledBack"}
    item["status"]["rejectedDigests"] = ["sha256:22"]
    server.put("modeldeployments", item)


def patches(server: fake.FakeServer) -> list[Any]:
    return [each for each in server.asked if each.method == "PATCH"]


@pytest.mark.parametrize(
    ("arguments", "verb", "done"),
    [
        (["promote", "penguins"], "promote", "promoted"),
        (["promote", "md/penguins", "--full"], "promote-full", "promoted"),
        (["abort", "penguins"], "abort", "aborted"),
        (["pause", "modeldeployment", "penguins"], "pause", "paused"),
        (["resume", "penguins"], "resume", "resumed"),
    ],
    ids=" ".join,
)
def test_a_command_is_one_patch_and_its_answer(
    *,
    server: fake.FakeServer,
    monkeypatch: Patch,
    capsys: Capture,
    arguments: list[str],
    verb: str,
    done: str,
) -> None:
    server.story = [fake.answer_command("Accepted", f"{verb} of revision 9e02.")]
    assert fake.run(server, monkeypatch, *arguments) == 0
    assert capsys.readouterr().out == (
        f"modeldeployment.slipway.dev/penguins {done} in the fake: {verb} of revision 9e02.\n"
    )
    (patch,) = patches(server)
    assert patch.headers["content-type"] == "application/merge-patch+json"
    assert patch.url.params["fieldManager"] == "slipway-cli"
    given = read_command(json.loads(patch.content))
    assert given is not None
    assert (given.verb, given.revision, given.uid) == (verb, "9e02bb22cc", "uid-penguins")
    assert given.by == "ada"
    assert given.expires is not None
    left = given.expires - datetime.now(UTC)
    assert timedelta(seconds=30) < left <= timedelta(seconds=60)
    assert given.explain_refusal(uid="uid-penguins", now=datetime.now(UTC)) is None


def test_a_retry_means_what_the_spec_asks_for(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    reject(server)
    server.story = [fake.answer_command("Accepted", "")]
    assert fake.run(server, monkeypatch, "retry", "penguins") == 0
    assert capsys.readouterr().out == "modeldeployment.slipway.dev/penguins retried in the fake\n"
    (patch,) = patches(server)
    annotations = json.loads(patch.content)["metadata"]["annotations"]
    assert annotations["slipway.dev/command-revision"] == ""


def keep_former(server: fake.FakeServer) -> None:
    """`3b5d…` served before `7c1f…`, and no rollout is running."""
    item = fake.serving(fake.model("penguins"))
    row = {"hash": "3b5d33cc44", "role": "Previous", "servedUntil": "2026-01-02T03:04:05Z"}
    item["status"]["revisions"] = [*item["status"].get("revisions", []), row]
    server.put("modeldeployments", item)


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["penguins"], ""),
        (["penguins", "3b5d"], "3b5d"),
        (["md/penguins", "3b5d"], "3b5d"),
        (["modeldeployment", "penguins"], ""),
        (["md", "penguins", "3b5d"], "3b5d"),
    ],
    ids=" ".join,
)
def test_a_rollback_names_what_serves_and_what_is_to_come_back(
    *,
    server: fake.FakeServer,
    monkeypatch: Patch,
    capsys: Capture,
    arguments: list[str],
    target: str,
) -> None:
    keep_former(server)
    stable = server.objects["modeldeployments", "default", "penguins"]["status"]["stableRevision"]
    server.story = [fake.answer_command("Accepted", "rollback to revision 3b5d.")]
    assert fake.run(server, monkeypatch, "rollback", *arguments) == 0
    assert capsys.readouterr().out == (
        "modeldeployment.slipway.dev/penguins rolled back in the fake: rollback to revision 3b5d.\n"
    )
    (patch,) = patches(server)
    given = read_command(json.loads(patch.content))
    assert given is not None
    assert (given.verb, given.revision, given.target) == ("rollback", stable, target)


@pytest.mark.parametrize(("state", "seen"), [(None, "9e02bb22cc"), ("Aborting", "7c1f00aa11")])
def test_a_rollback_of_a_rollout_names_what_is_on_its_way(
    server: fake.FakeServer, monkeypatch: Patch, state: str | None, seen: str
) -> None:
    if state is not None:
        item = fake.rolling(fake.model("penguins"), state)
        row = {"hash": "3b5d33cc44", "role": "Previous", "servedUntil": "2026-01-02T03:04:05Z"}
        item["status"]["revisions"] = [row]
        server.put("modeldeployments", item)
    server.story = [fake.answer_command("Accepted", "")]
    assert fake.run(server, monkeypatch, "rollback", "penguins") == 0
    given = read_command(json.loads(patches(server)[0].content))
    assert given is not None
    assert given.revision == seen


def test_without_one_that_served_before_there_is_nothing_to_go_back_to(
    monkeypatch: Patch, capsys: Capture
) -> None:
    server = fake.FakeServer()
    item = fake.serving(fake.model("penguins"))
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "rollback", "penguins") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert 'no revision of modeldeployment "penguins" that served before is kept' in said
    assert "spec.rollout.rollbackWindow" in said
    assert patches(server) == []
    # After a rollback it is the newer one that may come back.
    item["status"]["rejectedDigests"] = ["sha256:" + "2" * 64]
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "rollback", "penguins") == 1
    assert "`slipway retry penguins` brings back" in " ".join(capsys.readouterr().err.split())
    del item["status"]["rejectedDigests"]
    # Where the last change was not looked at yet the operator knows.
    server.put("modeldeployments", fake.put_generation(item, 2))
    server.story = [fake.answer_command("Refused", "Nothing serves yet.")]
    assert fake.run(server, monkeypatch, "rollback", "penguins") == 1
    assert len(patches(server)) == 1


def test_a_rollback_takes_one_revision(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    assert fake.run(server, monkeypatch, "rollback", "penguins", "3b5d", "7c1f") == 2
    assert 'Too many words: "7c1f".' in capsys.readouterr().err


def test_what_the_operator_refuses_is_exit_code_1(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    server.story = [fake.answer_command("Refused", "It is not paused.")]
    assert fake.run(server, monkeypatch, "resume", "penguins") == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Error: refused: It is not paused.\n")


@pytest.mark.parametrize("verb", ["promote", "abort", "pause", "resume"])
@pytest.mark.parametrize("state", [None, "Aborting"])
def test_without_a_rollout_nothing_is_asked(
    monkeypatch: Patch, capsys: Capture, verb: str, state: str | None
) -> None:
    server = fake.FakeServer()
    item = fake.model("penguins")
    item = fake.rolling(item, state) if state else fake.serving(item)
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, verb, "penguins") == 1
    said = capsys.readouterr().err
    assert 'refused: no rollout of modeldeployment "penguins" is running in the fake.' in said
    assert "slipway history penguins" in said
    assert patches(server) == []


def test_a_change_that_was_not_looked_at_is_told(monkeypatch: Patch, capsys: Capture) -> None:
    server = fake.FakeServer()
    item = fake.serving(fake.model("penguins"))
    server.put("modeldeployments", fake.put_generation(item, 2))
    assert fake.run(server, monkeypatch, "promote", "penguins") == 1
    assert "was not looked at yet" in capsys.readouterr().err
    # What is to be tried again may be what was just asked for: the operator knows.
    server.story = [fake.answer_command("Refused", "There is nothing to try again.")]
    assert fake.run(server, monkeypatch, "retry", "penguins") == 1
    assert len(patches(server)) == 1


def test_nothing_to_try_again(server: fake.FakeServer, monkeypatch: Patch, capsys: Capture) -> None:
    assert fake.run(server, monkeypatch, "retry", "penguins") == 1
    assert "nothing to try again" in capsys.readouterr().err
    assert patches(server) == []


def test_no_answer_is_exit_code_4(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(commanding, "ANSWER_SECONDS", 0.2)
    assert fake.run(server, monkeypatch, "pause", "penguins") == 4
    said = " ".join(capsys.readouterr().err.split())
    assert 'no answer to pause of modeldeployment "penguins" within 0.2 s from the fake' in said
    assert "not later" in said
    assert "check that the operator runs" in said


def test_a_command_that_another_replaced(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    def replace(item: fake.Object) -> fake.Object:
        item["metadata"]["annotations"] |= {
            "slipway.dev/command-id": "theirs",
            "slipway.dev/command-by": "bob",
        }
        return item

    server.story = [replace]
    assert fake.run(server, monkeypatch, "abort", "penguins") == 1
    assert "replaced by one of bob" in capsys.readouterr().err


def test_a_model_that_is_deleted_meanwhile(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    server.story = [None]
    assert fake.run(server, monkeypatch, "abort", "penguins") == 3
    assert "was deleted meanwhile" in capsys.readouterr().err


def test_wrong_names(server: fake.FakeServer, monkeypatch: Patch, capsys: Capture) -> None:
    assert fake.run(server, monkeypatch, "abort") == 2
    assert fake.run(server, monkeypatch, "abort", "pod/x") == 2
    assert "A Pod has no rollout." in capsys.readouterr().err
    assert fake.run(server, monkeypatch, "abort", "nobody") == 3
    server.refusals["PATCH"] = fake.refusal(403, "you may not")
    assert fake.run(server, monkeypatch, "abort", "penguins") == 1
    assert 'annotate modeldeployment.slipway.dev "penguins": you may not.' in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("promote", "their approvals and their analysis are skipped"),
        ("abort", "every request goes to the stable revision again, at once"),
        ("abort", "not tried again"),
        ("pause", "one that does badly is still rolled back"),
        ("rollback", "at once and without analysis"),
        ("rollback", "While a rollout is running and no revision is named"),
    ],
)
def test_help_says_what_it_does(capsys: Capture, verb: str, words: str, monkeypatch: Patch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main.run(main.make_app(laptop=False), "kubectl slipway", [verb, "--help"]) == 0
    assert words in " ".join(capsys.readouterr().out.split())


def test_a_user_without_a_name(monkeypatch: Patch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    assert target._find_user()
    monkeypatch.setattr(target.getpass, "getuser", nobody)
    assert target._find_user() is None


HISTORY = [
    {
        "revision": "9e02bb22cc", "outcome": "Aborted", "reason": "AnalysisFailed",
        "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:07:25Z",
    },
    {"revision": "7c1f00aa11", "outcome": "Promoted", "startedAt": "2026-01-01T00:00:00Z"},
]  # fmt: skip


def test_history_is_a_table(server: fake.FakeServer, monkeypatch: Patch, capsys: Capture) -> None:
    server.objects["modeldeployments", "default", "penguins"]["status"]["history"] = HISTORY
    assert fake.run(server, monkeypatch, "history", "penguins") == 0
    assert capsys.readouterr().out == (
        "REVISION     OUTCOME    REASON           STARTED                TOOK\n"
        "9e02bb22cc   Aborted    AnalysisFailed   2026-01-02T03:04:05Z   3m20s\n"
        "7c1f00aa11   Promoted                    2026-01-01T00:00:00Z\n"
    )
    assert fake.run(server, monkeypatch, "history", "penguins", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == HISTORY
    assert fake.run(server, monkeypatch, "history", "penguins", "-o", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out) == HISTORY


def test_no_history_is_said_on_standard_error(
    server: fake.FakeServer, monkeypatch: Patch, capsys: Capture
) -> None:
    assert fake.run(server, monkeypatch, "history", "penguins") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == 'No rollout of modeldeployment "penguins" has ended yet.\n'
    assert fake.run(server, monkeypatch, "history", "penguins", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == []
