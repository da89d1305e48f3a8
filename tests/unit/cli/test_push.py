"""`slipway push`, with a stand-in for slipway-runtime."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli_stand_in import stand_in
from slipway_operator.cli import main, runtime_push
from slipway_operator.cli.errors import NOT_FOUND, USAGE

TO = "oci://registry.example.com/team/churn:7"
URI = f"oci://registry.example.com/team/churn@sha256:{'0' * 64}"
PUSHED: dict[str, Any] = {
    "ok": True, "uri": URI, "digest": f"sha256:{'0' * 64}", "tag": "7",
    "files": [
        {"role": "model", "name": "model.joblib", "bytes": 7, "existed": False},
        {"role": "samples", "name": "rows.csv", "bytes": 3, "existed": True},
    ],
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("a\n1")
    path = tmp_path / "model.joblib"
    path.write_bytes(b"a model")
    return path


def run(*arguments: object) -> int:
    return main.run(main.make_app(laptop=True), "slipway", [str(each) for each in arguments])


def test_prints_what_goes_into_the_yaml(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = model.parent / "rows.csv"
    half = {"file": "model", "sentBytes": 3, "totalBytes": 7}
    arguments = stand_in(model.parent, monkeypatch, runtime_push, half, PUSHED)
    options = ("--samples", rows, "--username-env", "U", "--password-env", "P")
    assert run("push", model, TO, *options) == 0
    said = capsys.readouterr()
    assert yaml.safe_load(said.out) == {"spec": {"model": {"uri": URI, "samples": {"uri": URI}}}}
    assert "model.joblib  7 bytes  pushed" in said.err
    assert "rows.csv  3 bytes  was there already" in said.err
    asked = f"push {model} {TO} --samples {rows} --username-env U --password-env P"
    assert arguments.read_text() == asked


@pytest.mark.parametrize(("output", "said"), [("name", f"{URI}\n"), ("json", '"tag": "7"')])
def test_prints_for_programs(
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    said: str,
) -> None:
    arguments = stand_in(model.parent, monkeypatch, runtime_push, PUSHED)
    assert run("push", model, TO, "--token-env", "T", "-o", output) == 0
    assert said in capsys.readouterr().out
    assert arguments.read_text().endswith("--token-env T")


def test_tells_why_not(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {"ok": False, "reason": "ModelAccessDenied", "message": "Cannot push: log in."}
    stand_in(
        model.parent, monkeypatch, runtime_push, "a line that is no JSON", "[1]", refused, code=1
    )
    assert run("push", model, TO) == 1
    assert "ModelAccessDenied: Cannot push: log in." in capsys.readouterr().err


def test_a_program_that_dies(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(model.parent, monkeypatch, runtime_push, "nothing", code=137)
    assert run("push", model, TO) == 1
    assert "last words" in capsys.readouterr().err


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("push", tmp_path / "none", TO) == NOT_FOUND
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [("--username-env", "U"), ("--password-env", "P"),
     ("--token-env", "T", "--username-env", "U", "--password-env", "P")],
    ids=["user", "password", "all"],
)  # fmt: skip
def test_variables_that_do_not_go_together(
    model: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("push", model, TO, *options) == USAGE
    assert "go together" in capsys.readouterr().err
