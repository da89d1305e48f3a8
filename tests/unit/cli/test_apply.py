"""`slipway apply`: what is sent, what is waited for, and how it ends."""

import json
from pathlib import Path

import httpx
import pytest

import cli_fake as fake

MODEL = """
apiVersion: slipway.dev/v1alpha1
kind: ModelDeployment
metadata: {name: penguins}
spec: {model: {uri: "file:m.joblib"}}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: hush}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "m.yaml"
    path.write_text(MODEL)
    return str(path)


def test_secrets_go_first_by_server_side_apply(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    assert fake.run(server, monkeypatch, "apply", "-f", file) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "secret/keys applied",
        "modeldeployment.slipway.dev/penguins applied",
    ]
    assert "hush" not in said.out + said.err
    request = server.asked[-1]
    assert request.method == "PATCH"
    assert request.headers["content-type"] == "application/apply-patch+yaml"
    assert request.url.params["fieldManager"] == "slipway-cli"
    assert json.loads(request.content)["spec"]["model"]["uri"].startswith("file:/")


def test_waiting_tells_the_stages_once_and_ends_with_the_address(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def at(stage: str) -> object:
        def step(item: fake.Object) -> fake.Object:
            item["status"] = {"observedGeneration": 1, "build": {"stage": stage}}
            return item

        return step

    server = fake.FakeServer()
    server.story = [at("Fetched"), at("Verified"), at("Verified"), fake.serving]
    assert fake.run(server, monkeypatch, "apply", "-f", file, "--wait") == 0
    said = capsys.readouterr()
    stages = [line.split()[1] for line in said.err.splitlines()]
    assert stages == ["Fetched", "Converted", "Verified", "Packaged", "Serving"]
    assert "URL      http://127.0.0.1:8080" in said.out
    assert "verified on 344 rows, largest difference 1.2e-07, no label differs" in said.out


def test_what_was_not_compared_is_not_called_verified(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serving(item: fake.Object) -> fake.Object:
        report = fake.serving(item)["status"]["build"]["report"]
        report["parity"] = {"verdict": "NotVerified", "rows": 0, "labelFlips": 0}
        return item

    server = fake.FakeServer()
    server.story = [serving]
    assert fake.run(server, monkeypatch, "apply", "-f", file, "--wait") == 0
    said = capsys.readouterr()
    stages = [line.split()[1] for line in said.err.splitlines()]
    assert stages == ["Fetched", "Converted", "Packaged", "Serving"]
    assert "not verified: there were no rows to compare" in said.out


def test_a_failure_says_reason_message_and_what_to_do(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.story = [lambda item: fake.failing(item, "ModelNotFound", "There is no m.joblib.")]
    assert fake.run(server, monkeypatch, "apply", "-f", file, "--wait") == 1
    said = capsys.readouterr().err
    assert 'modeldeployment "penguins" failed: ModelNotFound: There is no m.joblib.' in said
    assert "What to do: Correct spec.model.uri" in said
    assert "Traceback" not in said


def test_an_older_generation_that_serves_is_not_success(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status still speaks of generation 1 while 2 was applied: only a time-out can end it."""

    def edited(item: fake.Object) -> fake.Object:
        item["metadata"]["generation"] = 2
        return item

    server = fake.FakeServer()
    old = fake.put_generation(fake.model("penguins"))
    server.put("modeldeployments", fake.serving(old))
    status = server.objects["modeldeployments", "default", "penguins"]["status"]
    put = server.put

    def keep_status(plural: str, item: fake.Object) -> fake.Object:
        return put(plural, edited({**item, "status": status}))

    monkeypatch.setattr(server, "put", keep_status)
    code = fake.run(server, monkeypatch, "apply", "-f", file, "--wait", "--timeout", "0.3")
    assert code == 4
    assert "is not up to date after 0.3 s" in capsys.readouterr().err


def test_a_rollout_is_told_step_by_step_and_when_it_waits_for_somebody(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def at(reason: str, message: str) -> object:
        def step(item: fake.Object) -> fake.Object:
            status = fake.rolling(item)["status"]
            status["conditions"] = [
                fake.condition("Ready", "True", reason, message),
                fake.condition("Available", "True", "Serving", "Revision 7c1f answers."),
                fake.condition("UpToDate", "False", reason, message),
            ]
            return item

        return step

    first = at("CanaryRunning", "Revision 9e02 gets 5 % of the requests, step 1/3.")
    asked = at("ApprovalNeeded", "The rollout of revision 9e02 waits for approval.")
    last = at("CanaryRunning", "Revision 9e02 gets 100 % of the requests, step 3/3.")
    server = fake.FakeServer()
    server.story = [first, first, asked, last, fake.serving]
    assert fake.run(server, monkeypatch, "apply", "-f", file, "--wait") == 0
    told = " ".join(capsys.readouterr().err.split())
    for words in (
        "penguins CanaryRunning: Revision 9e02 gets 5 % of the requests, step 1/3. penguins Appr",
        "ApprovalNeeded: The rollout of revision 9e02 waits for approval. `slipway promote` or",
        "penguins CanaryRunning: Revision 9e02 gets 100 % of the requests, step 3/3. penguins Serv",
    ):
        assert told.count(words) == 1, told


def test_deleted_while_waiting(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.story = [None]
    assert fake.run(server, monkeypatch, "apply", "-f", file, "--wait") == 3
    assert "was deleted meanwhile" in capsys.readouterr().err


def test_a_refused_document_shows_every_field(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.refusals["PATCH"] = fake.refusal(
        422, "invalid", ("spec.replicas", "-1 is below 0."), ("spec.model", "uri is missing.")
    )
    assert fake.run(server, monkeypatch, "apply", "-f", file) == 1
    said = capsys.readouterr().err
    assert "2 mistakes" in said
    assert "  spec.replicas: -1 is below 0." in said
    assert "  spec.model: uri is missing." in said


def test_one_refused_document_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("---".join(MODEL.replace("penguins", name) for name in ("ant", "bee", "cow")))
    server = fake.FakeServer()
    server.refusals["PATCH bee"] = fake.refusal(422, "invalid", ("spec.replicas", "-1 is below 0."))
    server.story = [fake.serving]
    assert fake.run(server, monkeypatch, "apply", "-f", str(file), "--wait") == 1
    said = capsys.readouterr()
    applied = [line for line in said.out.splitlines() if line.startswith("modeldeployment")]
    assert applied == [f"modeldeployment.slipway.dev/{name} applied" for name in ("ant", "cow")]
    assert said.out.count("URL ") == 2
    assert 'Cannot apply modeldeployment.slipway.dev "bee": 1 mistake.' in said.err


def test_several_failures_are_all_told_and_each_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("---".join(MODEL.replace("penguins", name) for name in ("ant", "bee")))
    server = fake.FakeServer()
    server.story = [lambda item: fake.failing(item, "ModelNotFound", "There is no m.joblib.")]
    assert fake.run(server, monkeypatch, "apply", "-f", str(file), "--wait") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["ant", "Failed"], ["bee", "Failed"]]
    assert lines[2] == "Error: 2 objects failed."
    assert sum("What to do: Correct spec.model.uri" in line for line in lines) == 2


def test_with_several_namespaces_each_line_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.yaml"
    here = MODEL.partition("---")[0]
    file.write_text(
        here + "---" + here.replace("{name: penguins", "{namespace: other, name: gulls")
    )
    server = fake.FakeServer()
    server.story = [fake.serving]
    assert fake.run(server, monkeypatch, "apply", "-f", str(file), "--wait") == 0
    told = {line.split()[0] for line in capsys.readouterr().err.splitlines()}
    assert told == {"default/penguins", "other/gulls"}


def test_a_cause_is_told_with_its_reason_and_its_field_once(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    cause = {
        "field": "spec.replica",
        "reason": "FieldUnknown",
        "message": "spec.replica is not a field of spec.",
    }
    body = {"kind": "Status", "message": "invalid", "details": {"causes": [cause]}}
    server.refusals["PATCH"] = httpx.Response(422, json=body)
    assert fake.run(server, monkeypatch, "apply", "-f", file) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "  FieldUnknown: spec.replica is not a field of spec." in lines


def test_delete_goes_on_after_what_is_not_there(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.put("secrets", {"metadata": {"name": "keys"}})
    assert fake.run(server, monkeypatch, "delete", "-f", file) == 3
    said = capsys.readouterr()
    assert "secret/keys deleted" in said.out
    assert '"penguins"' in said.err


def test_delete_names_the_target(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    server.put("modeldeployments", fake.model("penguins"))
    assert fake.run(server, monkeypatch, "delete", "penguins") == 0
    assert capsys.readouterr().out == (
        "modeldeployment.slipway.dev/penguins deleted from the fake\n"
    )
    assert server.objects == {}
    assert fake.run(server, monkeypatch, "delete", "penguins") == 3
    assert fake.run(server, monkeypatch, "delete") == 2
    assert fake.run(server, monkeypatch, "delete", "md") == 2
    assert fake.run(server, monkeypatch, "delete", "penguins", "-f", file) == 2
