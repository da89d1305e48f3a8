"""`slipway check` and `slipway convert`, with a stand-in for slipway-runtime."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli_stand_in import stand_in
from slipway_operator.cli import main, runtime_check

FOUND: dict[str, Any] = {
    "ok": True, "digest": "sha256:ab", "format": "SKLearn", "estimator": "Ridge",
    "runtime": "Native", "task": "Regression",
    "fallback": {"reason": "ConversionUnsupported", "message": "No converter."},
    "parity": {"verdict": "NotNeeded"}, "trainingVersions": {"scikit-learn": "1.9.1"},
    "warnings": ["Trained with another."],
    "contract": {"columns": [{"name": "age", "kind": "Numerical", "minimum": 1, "maximum": 9}]},
}  # fmt: skip
REFUSED = {"ok": False, "reason": "ModelUnreadable", "message": "It is a page of HTML."}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    path.write_bytes(b"a model")
    return path


def run(*arguments: object) -> int:
    return main.run(main.make_app(laptop=True), "slipway", [str(each) for each in arguments])


def test_check_tells_what_the_file_is(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = stand_in(model.parent, monkeypatch, runtime_check, FOUND)
    assert run("check", model, "--samples", model) == 0
    said = capsys.readouterr().out
    for words in (
        "Ridge",
        "Native",
        "No converter.",
        "scikit-learn 1.9.1",
        "1 … 9",
        "Trained with an",
    ):
        assert words in said
    assert arguments.read_text() == f"check {model} --runtime Auto -o json --samples {model}"
    assert run("check", model, "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == FOUND


def test_a_refusal_is_a_reason_and_what_to_do(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(model.parent, monkeypatch, runtime_check, REFUSED)
    assert run("check", model, "-o", "json") == 1
    assert json.loads(capsys.readouterr().out) == REFUSED
    assert run("check", model) == 1
    said = capsys.readouterr()
    assert "ModelUnreadable: It is a page of HTML." in said.err
    assert "What to do:" in said.err
    assert said.out == ""


def test_convert_writes_the_model_and_nothing_over_the_original(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {**FOUND, "parity": {"verdict": "Verified", "rows": 9, "maxAbsoluteError": 0.0}}
    arguments = stand_in(model.parent, monkeypatch, runtime_check, found, writes=True)
    assert run("convert", model) == 0
    assert model.with_suffix(".onnx").read_bytes() == b"onnx"
    assert "verified on 9 rows" in capsys.readouterr().out
    assert "--runtime ONNX" in arguments.read_text()
    assert run("convert", model, "--out", model) == 1
    assert model.read_bytes() == b"a model"
    assert run("convert", model, "--out", model.parent / "no/where.onnx") == 1
    assert "Cannot write file" in capsys.readouterr().err


def test_files_and_programs_that_fail(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(model.parent, monkeypatch, runtime_check, "no JSON")
    assert run("check", model.parent / "nowhere") == 3
    assert run("check", model) == 1
    assert "Traceback" not in capsys.readouterr().err
