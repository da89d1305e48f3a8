"""Sends every servable estimator of scikit-learn through the conversion and judges what comes out.

The judge is not the gate: the original's own answers against a plain onnxruntime session, on rows
that neither the fit nor the build saw. Run by `make coverage-sklearn`, which writes
`sklearn.json` beside this file and the table in docs/conversion.md.
"""

import json
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pandas as pd
from coverage_data import COLUMNS, DATA, Data, make_data
from coverage_table import BEGIN, END, count, render
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators, get_tags
from sklearn.utils._test_common.instance_generator import _construct_instances

from slipway_runtime.artifact.manifest import Manifest, load_manifest
from slipway_runtime.build_request import BuildRequest, Model
from slipway_runtime.convert.step import run_convert
from slipway_runtime.errors import BuildError

RESULT = Path(__file__).with_name("sklearn.json")
PAGE = Path(__file__).parents[2] / "docs" / "conversion.md"
WORKERS = 2
RELATIVE = 1e-3  # of the output's own scale; a label is judged where the original is sure of it
SURE = 1e-4
_TYPES = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_}
Outcome = dict[str, str]


def measure(name: str, kind: str) -> Outcome | None:
    """The outcome of one estimator on one kind of data; None: it does not take such data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_model(name)
        data = make_data(model, get_tags(model), kind)
        if data is None:
            return None
        try:
            model.fit(data.learn, data.target) if data.target is not None else model.fit(data.learn)
            if not any(hasattr(model, method) for method in ("predict", "transform")):
                return None
            _answers(model, data.fresh)
        except Exception as error:
            return {"outcome": "unfitted", "why": f"{type(error).__name__}: {error}"[:200]}
        return _build_and_judge(model, data)


def make_model(name: str) -> Any:
    """The instance on which scikit-learn tests itself."""
    if name == "FrozenEstimator":  # a wrapper of something fitted, which it has no instance of
        rows = np.random.default_rng(1).normal(size=(50, COLUMNS))
        return FrozenEstimator(LogisticRegression().fit(rows, rows[:, 0] > 0))
    if name == "DummyClassifier":  # its instance is a random one, which nothing can be held against
        return DummyClassifier()
    return next(iter(_construct_instances(dict(all_estimators())[name])))


def _build_and_judge(model: Any, data: Data) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "fetched" / "model").mkdir(parents=True)
        try:
            joblib.dump(model, work / "fetched" / "model" / "model.joblib")
        except Exception as error:
            return {"outcome": "unfitted", "why": f"cannot be saved: {error}"[:200]}
        if data.samples is not None:
            (work / "fetched" / "samples").mkdir()
            data.samples.to_csv(work / "fetched" / "samples" / "samples.csv", index=False)
        try:
            run_convert(
                BuildRequest(
                    name="m", namespace="n", build_hash="0", model=Model(uri="https://h.example/m")
                ),
                work,
            )
        except BuildError as error:
            return {"outcome": "refused", "why": f"{error.reason}: {error.message}"[:300]}
        manifest = load_manifest(work / "converted" / "manifest.json")
        if manifest.runtime == "Native":
            fallback = manifest.fallback
            return {"outcome": "native", "why": fallback.message[:300] if fallback else ""}
        wrong = judge(model, data, manifest, work / "converted" / "model.onnx")
        tried = manifest.parity.attempts[-1].options
        return {"outcome": "wrong", "why": wrong} if wrong else {"outcome": "onnx", "why": tried}


def judge(model: Any, data: Data, manifest: Manifest, path: Path) -> str | None:
    """Say what is wrong with the converted model's answers to fresh rows; None: nothing."""
    wanted = _answers(model, data.fresh)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    got = dict(zip(names, session.run(None, _feeds(manifest, data.fresh)), strict=True))
    for output in manifest.signature.outputs:
        one, other = np.asarray(wanted[output.role]), np.asarray(got[output.name])
        if one.ndim == 2 and one.shape[1] == 1 and other.ndim == 1:
            one = one[:, 0]
        if one.shape != other.shape:
            return f"{output.name}: shape {other.shape} instead of {one.shape}"
        if output.role == "Label":
            differ = (one.astype(str) != other.astype(str)).reshape(len(one), -1).any(axis=1)
            differ &= _is_sure(wanted, model, data.fresh)
            if differ.any():
                return f"{output.name}: {int(differ.sum())} of {len(one)} labels differ"
            continue
        scale = float(np.nanmax(np.abs(one), initial=0.0)) or 1.0
        off = np.abs(one.astype(float) - other.astype(float)) > RELATIVE * scale
        off |= np.isnan(one.astype(float)) != np.isnan(other.astype(float))
        if off.any():
            return f"{output.name}: {int(off.sum())} of {off.size} numbers differ"
    return None


def _is_sure(wanted: dict[str, Any], model: Any, rows: Any) -> Any:
    """Rows on which the original's two likeliest classes, or nearest centres, are apart."""
    centres = getattr(model, "cluster_centers_", getattr(model, "subcluster_centers_", None))
    told = wanted.get("Probabilities", wanted.get("Scores"))
    if told is None and centres is not None:
        told = -np.linalg.norm(np.asarray(rows)[:, None] - np.asarray(centres)[None], axis=2)
    if told is None:
        return True
    told = np.asarray(told, dtype=float)
    if told.ndim > 2:  # several labels a row
        return True
    if told.ndim == 1:
        return np.abs(told) > SURE
    top = np.sort(told, axis=1)
    return top[:, -1] - top[:, -2] > SURE if told.shape[1] > 1 else True


def _answers(model: Any, rows: Any) -> dict[str, Any]:
    """What the roles of a signature mean, asked of scikit-learn."""
    found: dict[str, Any] = {}
    predicts = hasattr(model, "predict")
    if predicts:
        found["Label"] = found["Value"] = _dense(model.predict(rows))
    if hasattr(model, "predict_proba"):
        found["Probabilities"] = model.predict_proba(rows)
    if hasattr(model, "decision_function"):
        found["Scores"] = model.decision_function(rows)
    elif predicts and hasattr(model, "transform"):
        found["Scores"] = _dense(model.transform(rows))
    if hasattr(model, "transform"):
        found["Transformed"] = _dense(model.transform(rows))
    return found


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else values


def _feeds(manifest: Manifest, rows: Any) -> dict[str, Any]:
    names = [column.name for column in manifest.contract.columns]
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(np.asarray(rows, dtype=object))
    if not set(names) <= set(table.columns):
        table = table.set_axis(names, axis="columns")
    feeds = {}
    for tensor in manifest.signature.inputs:
        values = table[list(tensor.columns)].to_numpy(dtype=object)
        if tensor.datatype == "BYTES":
            values = np.where(pd.isna(values), "", values)
        feeds[tensor.name] = values.astype(_TYPES.get(tensor.datatype, object))
    return feeds


def measure_all(names: list[str]) -> dict[str, dict[str, Outcome]]:
    """Every estimator on every kind of data, a few at a time; our own defects too."""
    found: dict[str, dict[str, Outcome]] = {name: {} for name in names}
    with ProcessPoolExecutor(max_workers=WORKERS) as pool:
        asked = {(name, kind): pool.submit(measure, name, kind) for name in names for kind in DATA}
        for (name, kind), future in asked.items():
            try:
                outcome = future.result()
            except Exception as error:
                outcome = {"outcome": "broken", "why": f"{type(error).__name__}: {error}"[:300]}
            if outcome is not None:
                found[name][kind] = outcome
                sys.stderr.write(f"{name} {kind}: {outcome['outcome']} {outcome['why']}\n")
    return {name: outcomes for name, outcomes in found.items() if outcomes}


def main() -> None:
    """Measure all of them, or those that are named, anew."""
    names = sys.argv[1:] or [name for name, _ in all_estimators()]
    found = json.loads(RESULT.read_text()) if sys.argv[1:] else {}
    found |= measure_all(names)
    RESULT.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{render(found)}\n{END}{after}")
    sys.stdout.write(f"{count(found)}\n")


if __name__ == "__main__":
    main()
