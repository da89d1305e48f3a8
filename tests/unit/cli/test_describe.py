"""`slipway describe`, `slipway logs` and the lines shown after `up`."""

import json
from pathlib import Path
from typing import Any

import pytest

import cli_fake as fake
from slipway_operator.api.reasons import REASONS
from slipway_operator.cli.artifact import read_manifest
from slipway_operator.cli.story import describe_parity
from slipway_operator.cli.summary import curl_line, example_row

MANIFEST: dict[str, Any] = {
    "model": {"trainingVersions": {"scikit-learn": "1.9.1"}},
    "sandbox": {"enforced": ["seccomp", "landlock"], "missing": []},
    "parity": {
        "verdict": "Verified", "rows": 344, "sampleRows": 300, "probeRows": 44,
        "maxAbsoluteError": 1.2e-7, "labelFlips": 0,
        "tolerance": {"absolute": 1e-4, "relative": 1e-3, "labelFlips": 0},
        "attempts": [
            {"options": "float32", "outcome": "Exceeded", "detail": "row 3"},
            {"options": "float64", "outcome": "Verified", "detail": None},
        ],
    },
    "contract": {"columns": [
        {"name": "island", "kind": "Categorical", "missingAllowed": True,
         "categories": [f"place{i}" for i in range(10)], "minimum": None, "maximum": None},
        {"name": "mass", "kind": "Numerical", "missingAllowed": False, "categories": None,
         "minimum": 2700.0, "maximum": 6300.0},
    ]},
    "golden": {"rows": [{"island": "", "mass": None}, {"island": "Dr'eam", "mass": 4050.0}]},
}  # fmt: skip


def layout(folder: Path) -> str:
    """An OCI layout with one artifact; its address."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    (blobs / "cc").write_text(json.dumps(MANIFEST))
    (blobs / "aa").write_text(json.dumps({"config": {"digest": "sha256:cc"}}))
    return f"oci-layout://{folder}@sha256:aa"


def pod(name: str, *containers: str, revision: str | None) -> fake.Object:
    labels = {"slipway.dev/model": "penguins"}
    if revision:
        labels["slipway.dev/revision"] = revision
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": each} for each in containers]},
    }


@pytest.fixture
def server(tmp_path: Path) -> fake.FakeServer:
    server = fake.FakeServer()
    item = fake.serving(fake.model("penguins"))
    item["spec"]["contract"] = {
        "rules": [{"column": "island", "rule": "UnknownCategory", "onViolation": "Reject"}]
    }
    item["status"]["revisions"] = [
        {"hash": "7c1f00aa11", "role": "Stable", "artifact": layout(tmp_path), "runtime": "ONNX",
         "ready": 1, "desired": 1, "model": "sha256:" + "ab" * 32},
    ]  # fmt: skip
    server.put("modeldeployments", item)
    about = {"kind": "ModelDeployment", "name": "penguins", "uid": item["metadata"]["uid"]}
    for name, uid in (("ours", about["uid"]), ("theirs", "another")):
        event = {
            "metadata": {"name": name}, "involvedObject": {**about, "uid": uid}, "type": "Normal",
            "reason": "Built", "message": f"Build of {name}.", "count": 2,
            "lastTimestamp": fake.CREATED,
        }  # fmt: skip
        server.put("events", event)
    build = pod("build-1", "convert", revision=None)
    build["metadata"]["labels"]["slipway.dev/build"] = "f8b8512c32"
    build["status"] = {
        "initContainerStatuses": [step("fetch", 0, "Completed"), step("convert", 137, "OOMKilled")],
        "containerStatuses": [
            {"name": "publish", "state": {"waiting": {"reason": "PodInitializing"}}}
        ],
    }
    server.put("pods", build)
    item["status"]["build"]["hash"] = "f8b8512c3279dd0e"
    return server


def step(name: str, code: int, reason: str) -> fake.Object:
    ended = {"exitCode": code, "reason": reason, "startedAt": fake.CREATED,
             "finishedAt": "2026-01-02T03:04:11Z"}  # fmt: skip
    return {"name": name, "state": {"terminated": ended}}


def test_describe_shows_everything_of_it_and_nothing_of_others(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fake.run(server, monkeypatch, "describe", "modeldeployment", "penguins") == 0
    said = capsys.readouterr().out
    for words in (
        "Name:            penguins",
        "URL:             http://127.0.0.1:8080",
        "True, Serving",
        "Revision 7c1f serves with 1 of 1 pods.",
        "URI:           file:/m.joblib",
        "Trained with:  scikit-learn 1.9.1",
        "Opened inside: seccomp, landlock",
        "verified on 344 rows, largest difference 1.2e-07, no label differs",
        "300 sample rows, 44 probes made from the model",
        "float32: Exceeded (row 3)",
        "place0, place1, place2, place3, place4, place5, place6, place7, … 2 more",
        "UnknownCategory=Reject",
        "2700 … 6300",
        "7c1f00aa11   Stable   ONNX      1/1",
        "Build of ours.",
        "fetch     2026-01-02T03:04:05Z   6.0 s   done",
        "convert   2026-01-02T03:04:05Z   6.0 s   OOMKilled (exit code 137)",
        "publish                                  PodInitializing",
    ):
        assert words in said
    assert "theirs" not in said


def test_describe_of_a_failure_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    item = fake.failing(fake.model("penguins"), "ModelNotFound", "There is no m.joblib.")
    item["status"]["build"] = {
        "stage": None,
        "startedAt": fake.CREATED,
        "finishedAt": "2026-01-02T03:04:09Z",
        "report": {"step": "fetch", "ok": False, "reason": "ModelNotFound", "message": "None."},
    }
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "describe", "penguins") == 0
    said = capsys.readouterr().out
    assert "Took:          4.0 s" in said
    assert "Failed in:     fetch: ModelNotFound" in said
    assert said.count("Correct spec.model.uri") == 2
    assert fake.run(server, monkeypatch, "describe") == 2
    assert fake.run(server, monkeypatch, "describe", "nobody") == 3


def test_describe_shows_a_rollout_and_its_evidence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    item = fake.rolling(
        fake.model("penguins"), "Paused", paused="ApprovalNeeded", outcome="Aborted"
    )
    item["status"]["lastCommand"] = {
        "id": "1", "by": "ada", "result": "Refused", "message": "It waits for approval.",
    }  # fmt: skip
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "describe", "penguins") == 0
    said = capsys.readouterr().out
    lines = said[said.index("\nRollout:") : said.index("\nEvents:")].splitlines()
    assert lines[1:6] == [
        "Rollout:",
        "  State:         Paused",
        "  Revision:      9e02bb22cc",
        "  Step:          2/4",
        "  Weight:        25 % asked for, 25 % programmed, 24.1 % observed",
    ]
    assert lines[6].startswith("  Started:       2026-01-02T03:04:05Z (")
    assert lines[7].startswith("  This step:     2026-01-02T03:05:25Z (")
    assert lines[8:12] == [
        "  Paused:        ApprovalNeeded",
        f"  What to do:    {REASONS['ApprovalNeeded'].action}",
        "  Last outcome:  Aborted",
        "  Last command:  Refused, given by ada: It waits for approval.",
    ]
    assert lines[13].startswith("Analysis (as of ")
    assert lines[14:] == [
        "  METRIC    VERDICT        CANARY         STABLE           EVIDENCE   OUTLOOK",
        "  errors    Insufficient   1 bad of 310   24 bad of 5890   0.4/100    passes any moment",
        "  latency   Pass           2 bad of 310   59 bad of 5890   0.0/100    passed",
    ]


def test_describe_of_one_that_was_rolled_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = fake.FakeServer()
    item = fake.serving(fake.model("penguins"))
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "describe", "penguins") == 0
    said = capsys.readouterr().out
    assert "Rollout" not in said
    assert "Analysis" not in said
    item["status"]["rollout"] = {
        "state": "RolledBack", "reason": "RolloutAborted", "message": "By command.",
        "heldSince": fake.CREATED,
    }  # fmt: skip
    counts = {"total": 310, "bad": 12}
    metric = {"name": "errors", "verdict": "Fail", "canary": counts, "evidence": "412"}
    item["status"]["analysis"] = {"metrics": [metric]}
    item["status"]["lastCommand"] = {"id": "1"}
    assert fake.run(server, monkeypatch, "describe", "penguins") == 0
    said = capsys.readouterr().out
    for words in (
        "State:         RolledBack", "Reason:        RolloutAborted", "Because:       By command.",
        "What to do:    Change the model, or `slipway retry`.",
        "Held since:    2026-01-02T03:04:05Z",
        "Last command:  not answered",
        "Analysis of the last rollout:\n",
        "  METRIC   VERDICT   CANARY          STABLE   EVIDENCE\n"
        "  errors   Fail      12 bad of 310   –        412/?\n",
    ):  # fmt: skip
        assert words in said


def test_what_may_come_back_is_told(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    item = fake.serving(fake.model("penguins"))
    item["status"]["revisions"] = [
        {"hash": "7c1f00aa11", "role": "Stable", "ready": 1, "desired": 1},
        {"hash": "3b5d33cc44", "role": "Previous", "servedUntil": fake.CREATED},
    ]
    server.put("modeldeployments", item)
    assert fake.run(server, monkeypatch, "describe", "penguins") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    (row,) = (row for row in rows if row[:1] == ["3b5d33cc44"])
    assert row[1:4] == ["Previous,", "served", "until"]
    assert row[5] == "ago"
    assert ["7c1f00aa11", "Stable", "1/1"] in rows


def test_a_manifest_that_is_not_here_is_none(tmp_path: Path) -> None:
    address = layout(tmp_path)
    assert read_manifest(address) == MANIFEST
    for other in (
        None,
        "",
        "registry/x@sha256:aa",
        address[:-2] + "bb",
        f"oci-layout://{tmp_path}",
    ):
        assert read_manifest(other) is None
    (tmp_path / "blobs/sha256/aa").write_text("{}")
    assert read_manifest(address) is None


def test_the_curl_line_holds_a_row_without_holes() -> None:
    row = example_row(MANIFEST)
    assert row == {"island": "Dr'eam", "mass": 4050.0}
    assert curl_line("http://h:1", row or {}) == (
        "curl -s http://h:1/predict -H 'content-type: application/json' "
        """-d '[{"island":"Dr'"'"'eam","mass":4050.0}]'"""
    )
    assert example_row(None) is None


@pytest.mark.parametrize(
    ("parity", "line"),
    [
        (None, ""),
        ({"verdict": "NotNeeded"}, "not needed: the model is served as it came"),
        ({"verdict": "NotVerified"}, "not verified: there were no rows to compare"),
        (
            {"verdict": "Exceeded", "rows": 9, "labelFlips": 2, "maxAbsoluteError": 0.25},
            "exceeded on 9 rows, largest difference 0.25, 2 labels differ",
        ),
    ],
    ids=["none", "not needed", "not verified", "exceeded"],
)
def test_the_parity_line(parity: dict[str, Any] | None, line: str) -> None:
    assert describe_parity(parity) == line


def test_logs_of_the_server_and_of_the_build(
    server: fake.FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("pods", pod("serve-1", "serve", revision="7c1f00aa11"))
    server.put("pods", pod("build-1", "convert", "publish", revision=None))
    server.logs = {
        ("serve-1", "serve"): ["one", "two"],
        ("build-1", "convert"): ["three"],
        ("build-1", "publish"): ["four"],
    }
    assert fake.run(server, monkeypatch, "logs", "penguins") == 0
    assert capsys.readouterr().out == "one\ntwo\n"
    assert fake.run(server, monkeypatch, "logs", "penguins", "--build", "-f") == 0
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "[build-1/convert] three",
        "[build-1/publish] four",
    ]
    assert fake.run(server, monkeypatch, "logs", "nobody") == 3
