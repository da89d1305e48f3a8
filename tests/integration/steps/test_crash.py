"""A model that crashes onnxruntime ends a process and nothing else."""

import pickle
from pathlib import Path

import numpy as np
import psutil
import pytest

from convert_crash import deep_graph, deep_tree
from slipway_runtime.artifact.manifest import load_manifest
from slipway_runtime.convert.apart import run_apart
from slipway_runtime.convert.session import SessionCrashed, SessionFailed
from slipway_runtime.sandbox import policy_for
from slipway_runtime.steps.beside import keep_runner
from steps_build import StepBuild, write_graph

CRASH = "RuntimeCrash(signal 11)"


def _convert(folder: Path, content: bytes, runtime: str = "Auto") -> StepBuild:
    (folder / "model").write_bytes(content)
    return StepBuild(folder=folder / "b", model=folder / "model", spec={"runtime": runtime})


def test_auto_serves_the_original(tmp_path: Path) -> None:
    build = _convert(tmp_path, pickle.dumps(deep_tree()))
    facts = build.run_until("convert")["facts"]
    assert facts["runtime"] == "Native"
    assert facts["fallback"]["reason"] == "ModelRejected"
    assert CRASH in facts["fallback"]["message"]
    manifest = load_manifest(build.work / "converted" / "manifest.json")
    assert CRASH in str(manifest.parity.attempts[0].detail)
    assert manifest.golden.rows


def test_onnx_is_refused(tmp_path: Path) -> None:
    report = _convert(tmp_path, pickle.dumps(deep_tree()), "ONNX").run_until("convert")
    assert (report["ok"], report["reason"]) == (False, "ModelRejected")
    assert CRASH in report["message"]
    assert "spec.model.runtime" in report["message"]


def test_a_given_graph_is_refused(tmp_path: Path) -> None:
    report = _convert(tmp_path, deep_graph()).run_until("convert")
    assert (report["ok"], report["reason"]) == (False, "ModelRejected")
    assert CRASH in report["message"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "m.onnx"
    return write_graph(path, weights=[1.0, 2.0]).read_bytes()


def test_the_next_model_is_answered_after_a_crash(good: bytes) -> None:
    policy = policy_for(read=(), memory_bytes=2 << 30, cpu_seconds=60)
    before = set(psutil.Process().children())  # what earlier tests of this worker left is theirs
    with keep_runner(policy, wall_seconds=100) as channel:
        run = run_apart(channel)
        with pytest.raises(SessionCrashed) as caught:
            run(deep_graph(), None)
        assert CRASH in str(caught.value)
        assert [tensor.name for tensor in run(good, None).inputs] == ["x"]
        rows = np.array([[1, 2], [3, 4]], dtype=np.float32)
        answered = run(good, {"x": rows}, measure=True)
        assert answered.answers["y"].tolist() == [[2, 4], [4, 6]]
        assert answered.latency_milliseconds.keys() == {"1", "32"}
        with pytest.raises(SessionFailed, match="INVALID_ARGUMENT"):
            run(good, {"x": rows.astype(np.int64)})
    assert not set(psutil.Process().children()) - before
