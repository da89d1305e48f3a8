"""Whole builds as processes: what is published is what was fetched, and comes back whole."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fetch_servers import fetch_server
from hostile_effects import write_runs
from slipway_runtime.artifact.manifest import load_manifest
from slipway_runtime.artifact.oci import OciLayout
from steps_build import StepBuild, write_linear, write_native


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[StepBuild, dict[str, Any]]:
    """One model, built and published."""
    folder = tmp_path_factory.mktemp("built")
    build = StepBuild(folder=folder, model=write_linear(folder / "model.pkl"))
    return build, build.run_until("publish")


def _pull(artifact: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "slipway_runtime", "pull"],
        env={"SLIPWAY_ARTIFACT": artifact, "SLIPWAY_MODEL_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_reports(built: tuple[StepBuild, dict[str, Any]]) -> None:
    build, published = built
    fetched, converted = (
        json.loads((build.work / f"{step}.json").read_bytes()) for step in ("fetch", "convert")
    )
    digest = "sha256:" + hashlib.sha256(build.model.read_bytes()).hexdigest()
    assert fetched["stages"] == ["Fetched"]
    assert fetched["facts"]["modelDigest"] == digest
    assert converted["stages"] == ["Converted", "Verified"]
    assert converted["facts"]["parity"]["verdict"] == "Verified"
    assert "seccomp" in converted["facts"]["sandbox"]["enforced"]
    assert published["stages"] == ["Packaged"]
    facts = published["facts"]
    assert facts["artifact"] == f"oci-layout://{build.layout}@{facts['digest']}"
    assert facts["modelDigest"] == digest
    assert facts["bento"] == "churn:3f2a001122"
    assert facts["runtime"] == "ONNX"
    assert facts["contract"] == {"columns": 2, "categorical": 0}


def test_manifest_tells_the_walls_from_outside(built: tuple[StepBuild, dict[str, Any]]) -> None:
    manifest = load_manifest(built[0].work / "converted" / "manifest.json")
    assert "landlock" in manifest.sandbox.enforced + manifest.sandbox.missing
    assert manifest.measured.peak_memory_bytes is not None
    assert manifest.measured.peak_memory_bytes > 1 << 20


def test_pull_and_pull_again(built: tuple[StepBuild, dict[str, Any]], tmp_path: Path) -> None:
    artifact = built[1]["facts"]["artifact"]
    assert _pull(artifact, tmp_path / "model").returncode == 0
    manifest = load_manifest(tmp_path / "model" / "manifest.json")
    assert manifest.build_hash == built[0].build_hash
    assert (tmp_path / "model" / "bento" / "bento.yaml").is_file()
    stamp = (tmp_path / "model" / "model.onnx").stat().st_mtime_ns
    assert _pull(artifact, tmp_path / "model").returncode == 0
    assert (tmp_path / "model" / "model.onnx").stat().st_mtime_ns == stamp


def test_half_pulled_folder_is_made_anew(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    (folder / ".incoming" / "deep").mkdir(parents=True)
    (folder / "model.onnx").write_text("half")
    (folder / "stray").symlink_to("/etc/passwd")
    assert _pull(built[1]["facts"]["artifact"], folder).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        ".artifact",
        "bento",
        "manifest.json",
        "model.onnx",
    ]


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
def test_tampering_is_seen(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path, which: str
) -> None:
    build, published = built
    layout = OciLayout(tmp_path / "store")
    shutil.copytree(build.layout, layout.folder)
    artifact = layout.open_artifact(published["facts"]["digest"])
    digest = {
        "manifest": artifact.digest,
        "config": artifact.config.digest,
        "layer": artifact.layer.digest,
    }[which]
    content = bytearray(layout.blob_path(digest).read_bytes())
    content[len(content) // 2] ^= 1
    layout.blob_path(digest).write_bytes(content)
    done = _pull(f"oci-layout://{layout.folder}@{artifact.digest}", tmp_path / "model")
    assert done.returncode == 1
    assert digest in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model" / "model.onnx").exists()


def test_damaged_store_is_built_again(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path
) -> None:
    build, published = built
    again = StepBuild(folder=tmp_path, model=build.model)
    shutil.copytree(build.layout, again.layout)
    shutil.copytree(build.work, again.work)
    layout = OciLayout(again.layout)
    artifact = layout.open_artifact(published["facts"]["digest"])
    layout.blob_path(artifact.layer.digest).unlink()
    report = again.run("publish")
    assert report["ok"]
    layout.verify(layout.open_artifact(report["facts"]["digest"]).layer)


def test_present_build_is_only_reported(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path
) -> None:
    """Of the work folder only what was fetched is needed: the artifact tells all facts."""
    build, published = built
    again = StepBuild(folder=tmp_path, model=build.model, store=build.layout)
    assert again.run("fetch")["ok"]
    assert again.run("publish")["facts"] == published["facts"]


def test_other_bytes_at_the_same_address_are_another_artifact(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path
) -> None:
    """A model that is made again after its file changed has the same build's hash."""
    build = StepBuild(folder=tmp_path, model=tmp_path / "model.pkl")
    shutil.copytree(built[0].layout, build.layout)
    write_linear(build.model, slope=5.0)
    facts = build.run_until("publish")["facts"]
    assert facts["digest"] != built[1]["facts"]["digest"]
    assert facts["modelDigest"] == "sha256:" + hashlib.sha256(build.model.read_bytes()).hexdigest()
    assert facts["modelDigest"] != built[1]["facts"]["modelDigest"]


def test_native(tmp_path: Path) -> None:
    build = StepBuild(folder=tmp_path, model=write_native(tmp_path / "model.pkl"))
    report = build.run_until("publish")
    assert report["facts"]["runtime"] == "Native"
    assert report["facts"]["fallback"]["reason"] == "ConversionUnsupported"
    assert _pull(report["facts"]["artifact"], tmp_path / "pulled").returncode == 0
    native = tmp_path / "pulled" / "native" / "model.pkl"
    assert native.read_bytes() == build.model.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"buildHash": "other"}, "buildHash", id="another-build"),
        pytest.param({"name": "other"}, "name", id="another-name"),
        pytest.param({"surprise": 1}, "surprise", id="unknown-field"),
        pytest.param({"files": {"model": "../x", "loader": "onnx"}}, "files", id="path-out"),
        pytest.param({"runtime": "Native"}, "does not go with", id="runtime"),
    ],
)
def test_changed_result_is_refused(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    """What publish does when the model's code rewrote its own manifest."""
    build = StepBuild(folder=tmp_path, model=built[0].model)
    shutil.copytree(built[0].work, build.work)
    path = build.work / "converted" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    report = build.run("publish")
    assert report["reason"] == "ModelRejected"
    assert words in report["message"]
    assert not (build.layout / "index.json").exists()


@pytest.mark.parametrize("kind", ["extra", "symlink", "garbage", "other-answers"])
def test_changed_files_are_refused(
    built: tuple[StepBuild, dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    build = StepBuild(folder=tmp_path, model=built[0].model)
    shutil.copytree(built[0].work, build.work)
    converted = build.work / "converted"
    if kind == "extra":
        (converted / "more").write_text("x")
    elif kind == "symlink":
        (converted / "model.onnx").unlink()
        (converted / "model.onnx").symlink_to(built[0].work / "converted" / "model.onnx")
    elif kind == "garbage":
        (converted / "model.onnx").write_bytes(b"\xff" * 1000)
    else:
        manifest = json.loads((converted / "manifest.json").read_text())
        outputs = manifest["golden"]["outputs"]
        name = next(iter(outputs))
        outputs[name] = [
            [value[0] + 1] if isinstance(value, list) else value + 1 for value in outputs[name]
        ]
        (converted / "manifest.json").write_text(json.dumps(manifest))
    report = build.run("publish")
    assert report["reason"] == "ModelRejected"
    assert not (build.layout / "index.json").exists()


def test_term_is_reported(tmp_path: Path) -> None:
    with fetch_server() as server:
        server.stall("/m", b"x" * 100, 10)
        build = StepBuild(folder=tmp_path, model=tmp_path, spec={"uri": server.base + "/m"})
        process = build.start("fetch", SLIPWAY_FETCH_ALLOW=server.address)
        assert server.wait_for_request()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    report = json.loads((tmp_path / "termination").read_bytes())
    assert (report["reason"], report["retryable"]) == ("BuildInterrupted", True)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert [path for path in build.work.rglob("*") if path.is_file()] == [build.work / "fetch.json"]


@pytest.mark.parametrize("variable", ["SLIPWAY_WORK_DIR", "SLIPWAY_BUILD", "SLIPWAY_FETCH_ALLOW"])
def test_wrong_environment_is_usage(tmp_path: Path, variable: str) -> None:
    build = StepBuild(folder=tmp_path, model=tmp_path / "m")
    value = "nonsense" if variable == "SLIPWAY_FETCH_ALLOW" else ""
    process = build.start("fetch", **{variable: value})
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert variable in errors
    assert "Traceback" not in errors


def test_convert_without_fetch(tmp_path: Path) -> None:
    build = StepBuild(folder=tmp_path, model=tmp_path / "m")
    report = build.run("convert")
    assert (report["reason"], report["retryable"]) == ("BuildInterrupted", True)


def test_payload_named_model_is_only_data_to_fetch_and_publish(tmp_path: Path) -> None:
    """A pickle that would tell when it is opened: fetch does not open it."""
    trace = tmp_path / "trace"
    model = write_runs(tmp_path / "model.pkl", f"open({str(trace)!r}, 'w')")
    build = StepBuild(folder=tmp_path / "build", model=model)
    assert build.run("fetch")["ok"]
    report = build.run("convert")
    assert report["reason"] == "ModelUnsafe"
    assert not trace.exists()
