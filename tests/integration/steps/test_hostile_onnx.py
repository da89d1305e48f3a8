"""ONNX files that attack the build: refused by a rule, or the end of a throw-away process only."""

from pathlib import Path

import pytest

import hostile_onnx
import onnx_fuzz
from steps_build import StepBuild

FUZZED = 200


def _build(folder: Path, content: bytes) -> StepBuild:
    (folder / "model.onnx").write_bytes(content)
    return StepBuild(folder=folder / "build", model=folder / "model.onnx")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return onnx_fuzz.run(FUZZED, tmp_path_factory.mktemp("fuzzed"))


def test_no_mutation_ends_in_what_nobody_foresaw(fuzzed: dict[str, str]) -> None:
    assert len(fuzzed) == FUZZED
    unforeseen = {name: how for name, how in fuzzed.items() if how.startswith("unexpected")}
    assert unforeseen == {}
    # The seeds are such that some files still build and most do not.
    ways = set(fuzzed.values())
    assert {"accepted", "ModelRejected", "ModelRejected GraphInvalid"} <= ways


@pytest.mark.parametrize("name", ["external data above", "unknown domain", "NaN weights", "cycle"])
def test_a_broken_rule_is_told(tmp_path: Path, name: str) -> None:
    made, rule = hostile_onnx.HOSTILE[name]
    report = _build(tmp_path, hostile_onnx.content(made)).run_until("publish")
    assert (report["step"], report["reason"]) == ("convert", "ModelRejected")
    assert f"rule {rule}:" in report["message"]


def test_a_crash_of_the_reader_is_told_and_nothing_else_crashes(tmp_path: Path) -> None:
    build = _build(tmp_path, hostile_onnx.crashing())
    report = build.run_until("publish")
    assert (report["step"], report["reason"]) == ("convert", "ModelRejected")
    assert "RuntimeCrash(signal 11)" in report["message"]
    assert not (build.work / "converted").exists()


def test_what_crashes_the_gate_is_never_published(tmp_path: Path) -> None:
    """The model's code could exchange the converted file; `publish` reads it again, shut in."""
    build = _build(tmp_path, hostile_onnx.content(hostile_onnx.model(hostile_onnx.graph())))
    assert build.run_until("convert")["ok"]
    (build.work / "converted" / "model.onnx").write_bytes(hostile_onnx.crashing())
    report = build.run("publish")
    assert report["reason"] == "ModelRejected"
    assert "RuntimeCrash(signal 11)" in report["message"]
    stored = [path for path in build.layout.rglob("*") if path.is_file()]
    assert not any(path.stat().st_size > 4096 for path in stored)
    assert not list((build.layout / "blobs" / "sha256").glob("*"))
