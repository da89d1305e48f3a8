"""`slipway-runtime check`: one file in, one JSON document out, nothing left behind."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from steps_build import StepBuild, write_graph, write_linear


def _check(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "slipway_runtime", "check", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def test_good_file_is_told_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "tmp").mkdir()
    code, document = _check(write_linear(tmp_path / "m.pkl"), "--to", tmp_path / "kept")
    assert (code, document["ok"], document["convertible"]) == (0, True, True)
    assert document["format"] == "SKLearn"
    assert document["parity"]["verdict"] == "Verified"
    assert len(document["contract"]["columns"]) == 2
    assert document["written"] == [
        str(tmp_path / "kept" / "model.onnx"),
        str(tmp_path / "kept" / "manifest.json"),
    ]
    assert all(Path(path).is_file() for path in document["written"])
    assert list((tmp_path / "tmp").iterdir()) == []
    speed = document["speed"]
    assert speed["calls"] >= 5
    for side in ("original", "onnxruntime"):
        assert 0 < speed[side]["low"] <= speed[side]["median"] <= speed[side]["high"]
    assert document["servedBytes"] == (tmp_path / "kept" / "model.onnx").stat().st_size


def test_a_class_of_a_script_is_called_that(tmp_path: Path) -> None:
    """Pickle looks for it in whatever runs now; the sentence must not blame our own module."""
    path = tmp_path / "m.pkl"
    path.write_bytes(b"c__main__\nInMyNotebook\n.")
    _, document = _check(path)
    assert document["reason"] == "ModelUnreadable"
    assert "class InMyNotebook of the script or notebook that saved it" in document["message"]
    assert "slipway_runtime.sandbox" not in document["message"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "ModelNotFound", id="missing"),
        pytest.param(b"", "ModelUnreadable", id="empty"),
        pytest.param(b"a,b\n1,2\n", "ModelUnreadable", id="table"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "m"
    if content is not None:
        path.write_bytes(content)
    code, document = _check(path)
    assert (code, document["ok"], document["reason"]) == (1, False, reason)
    assert document["message"]


def test_a_foreign_graph_meets_the_gate_of_a_build(tmp_path: Path) -> None:
    """The same file, by `check` and by the steps of a build: the same answer."""
    path = write_graph(tmp_path / "m.onnx", weights=[1.0, float("nan")])
    code, document = _check(path, "--to", tmp_path / "kept")
    report = StepBuild(folder=tmp_path / "build", model=path).run_until("publish")
    assert (code, document["reason"]) == (1, "ModelRejected")
    assert "rule NotANumber" in document["message"]
    assert (report["reason"], report["message"]) == (document["reason"], document["message"])
    assert not (tmp_path / "kept").exists()


def test_never_unpickle(tmp_path: Path) -> None:
    _, document = _check(write_linear(tmp_path / "m.pkl"), "--unpickle", "Never")
    assert document["reason"] == "ModelUnsafe"
