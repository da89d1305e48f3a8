"""Runs the build steps as the engine does: real processes, their reports and exit codes."""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(kw_only=True)
class StepBuild:
    """One build in `folder`, with the environment of docs/wire.md."""

    folder: Path
    model: Path
    samples: Path | None = None
    spec: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    name: str = "churn"
    build_hash: str = "3f2a00112233"
    store: Path | None = None
    module: str = "slipway_runtime"  # what is run as `python -m`

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def layout(self) -> Path:
        return self.store or self.folder / "store"

    def environment(self) -> dict[str, str]:
        model: dict[str, Any] = {"uri": self.model.as_uri(), **self.spec}
        if self.samples is not None:
            model["samples"] = {"uri": self.samples.as_uri()}
        build = {
            "name": self.name,
            "namespace": "default",
            "buildHash": self.build_hash,
            "model": model,
            "limits": self.limits,
            "allowFile": True,
        }
        return {
            **os.environ,
            "SLIPWAY_WORK_DIR": str(self.work),
            "SLIPWAY_TERMINATION_LOG": str(self.folder / "termination"),
            "SLIPWAY_ARTIFACT_STORE": f"oci-layout://{self.layout}",
            "SLIPWAY_BUILD": json.dumps(build),
        }

    def start(self, step: str, **environment: str) -> "subprocess.Popen[str]":
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", self.module, step],
            env={"PYTHONPATH": str(Path(__file__).parent)} | self.environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, step: str, **environment: str) -> dict[str, Any]:
        """Run one step; its short report, checked against its exit code and the whole report."""
        process = self.start(step, **environment)
        _, errors = process.communicate(timeout=100)
        report: dict[str, Any] = json.loads((self.folder / "termination").read_bytes())
        assert report["step"] == step, errors
        assert process.returncode == (0 if report["ok"] else 1), errors
        assert json.loads((self.work / f"{step}.json").read_bytes())["reason"] == report["reason"]
        return report

    def run_until(self, last: str) -> dict[str, Any]:
        """Run the steps in order, up to `last` or the first that fails."""
        report: dict[str, Any] = {}
        for step in ("fetch", "convert", "publish"):
            report = self.run(step)
            if step == last or not report["ok"]:
                break
        return report


def write_linear(path: Path, *, slope: float = 2.0) -> Path:
    """A small fitted regression, as a pickle."""
    from sklearn.linear_model import LinearRegression

    rows = np.arange(40, dtype=float).reshape(20, 2) % 7
    path.write_bytes(pickle.dumps(LinearRegression().fit(rows, rows[:, 0] * slope - rows[:, 1])))
    return path


def write_native(path: Path) -> Path:
    """A fitted model without ONNX converter, as a pickle."""
    from sklearn.kernel_ridge import KernelRidge

    rows = np.arange(40, dtype=float).reshape(20, 2) % 7
    path.write_bytes(pickle.dumps(KernelRidge(kernel="cosine").fit(rows, rows[:, 0])))
    return path


def write_graph(path: Path, *, weights: list[float]) -> Path:
    """An ONNX graph that adds a weight to each of its columns."""
    from onnx import TensorProto, helper

    shape = [None, len(weights)]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "add",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [helper.make_tensor("w", TensorProto.FLOAT, [len(weights)], weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path
