"""Runs the convert step in this process, and asks what it wrote like a client would."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Manifest, load_manifest
from slipway_runtime.build_request import BuildRequest, Model, Samples
from slipway_runtime.contract_of.reading import is_missing
from slipway_runtime.convert.step import run_convert

_TYPES: dict[str, Any] = {
    "FP32": np.float32,
    "FP64": np.float64,
    "INT64": np.int64,
    "BOOL": np.bool_,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What the step wrote."""

    folder: Path
    manifest: Manifest
    facts: Mapping[str, Any]

    def ask(self, columns: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Ask the ONNX file with plain onnxruntime; `columns` are named as in the contract."""
        feeds = {}
        for tensor in self.manifest.signature.inputs:
            held = [_cast(columns[name], tensor.datatype) for name in tensor.columns]
            rows = np.column_stack(held)
            feeds[tensor.name] = rows.reshape(-1, *tensor.shape[1:])
        session = onnxruntime.InferenceSession(
            (self.folder / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(None, feeds), strict=True))

    def ask_matrix(self, rows: Any) -> dict[str, NDArray[Any]]:
        """Ask with the columns of a matrix, in the contract's order."""
        names = [column.name for column in self.manifest.contract.columns]
        return self.ask({name: np.asarray(rows)[:, place] for place, name in enumerate(names)})


def convert_file(work: Path, *, samples: str | None = None, **spec: Any) -> Converted:
    """Convert the one file in `work/fetched/model`."""
    if samples is not None:
        (work / "fetched" / "samples").mkdir(parents=True)
        (work / "fetched" / "samples" / "samples.csv").write_text(samples)
        spec["samples"] = Samples(uri="https://example.org/samples.csv")
    request = BuildRequest(
        name="churn",
        namespace="default",
        build_hash="3f2a00112233",
        model=Model(uri="https://example.org/model", **spec),
    )
    facts = run_convert(request, work)
    folder = work / "converted"
    return Converted(folder=folder, manifest=load_manifest(folder / "manifest.json"), facts=facts)


def convert_bytes(work: Path, content: bytes, name: str = "model.pkl", **spec: Any) -> Converted:
    """Convert a file of these bytes."""
    target = work / "fetched" / "model"
    target.mkdir(parents=True)
    (target / name).write_bytes(content)
    return convert_file(work, **spec)


def convert_model(work: Path, model: object, **spec: Any) -> Converted:
    """Save a fitted model with joblib, and convert it."""
    target = work / "fetched" / "model"
    target.mkdir(parents=True)
    joblib.dump(model, target / "model.joblib")
    return convert_file(work, **spec)


def _cast(values: Any, datatype: str) -> NDArray[Any]:
    if datatype == "BYTES":
        listed = np.asarray(values, dtype=object).tolist()
        missing = [is_missing(value) for value in listed]
        return np.array(
            ["" if hole else str(value) for value, hole in zip(listed, missing, strict=True)],
            dtype=object,
        )
    return np.asarray(values).astype(_TYPES[datatype])
