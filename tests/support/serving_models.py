"""Small artifacts as `publish` would leave them, made from real scikit-learn models."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

OPSET = {"": 18, "ai.onnx.ml": 3}
ISLANDS = ["Biscoe", "Dream", "Torgersen"]


def manifest(**parts: Any) -> dict[str, Any]:
    """A manifest with the parts that every model has, and those given."""
    return {
        "schema": "slipway.dev/manifest/v1",
        "name": "model",
        "namespace": "default",
        "buildHash": "0123456789abcdef",
        "model": {
            "uri": "file:/model.joblib",
            "digest": "sha256:" + "0" * 64,
            "format": "SKLearn",
            "estimator": "Pipeline",
            "task": "Classification",
            "trainingVersions": {},
        },
        "runtime": "ONNX",
        "fallback": None,
        "files": {"model": "model.onnx", "loader": "onnx"},
        "opset": OPSET,
        "parity": {"verdict": "Verified", "tolerance": {"absolute": 1e-4, "relative": 1e-3}},
        "golden": {"source": "Samples", "rows": [], "outputs": {}},
        **parts,
    }


def column(name: str, kind: str = "Numerical", **parts: Any) -> dict[str, Any]:
    """One column of a contract."""
    return {"name": name, "kind": kind, "missingAllowed": False, **parts}


def write(folder: Path, document: dict[str, Any], onnx: Any) -> Path:
    """Write an artifact; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(document))
    (folder / "model.onnx").write_bytes(onnx.SerializeToString())
    return folder


def iris(folder: Path, *, golden_shift: float = 0.0) -> Path:
    """A matrix model: four numbers to a class (integers) with probabilities."""
    rows, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(rows.astype(np.float32), labels)
    onnx = to_onnx(
        model,
        initial_types=[("X", FloatTensorType([None, 4]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    some = rows[::15].astype(np.float32)
    names = ["x0", "x1", "x2", "x3"]
    document = manifest(
        signature={
            "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 4], "columns": names}],
            "outputs": [
                {"name": "label", "datatype": "INT64", "shape": [-1], "role": "Label"},
                {
                    "name": "probabilities",
                    "datatype": "FP32",
                    "shape": [-1, 3],
                    "role": "Probabilities",
                    "classes": [0, 1, 2],
                },
            ],
        },
        contract={
            "columns": [
                column(name, minimum=float(rows[:, at].min()), maximum=float(rows[:, at].max()))
                for at, name in enumerate(names)
            ]
        },
        golden={
            "source": "Samples",
            "rows": [dict(zip(names, map(float, row), strict=True)) for row in some],
            "outputs": {
                "label": model.predict(some).tolist(),
                "probabilities": (model.predict_proba(some) + golden_shift).tolist(),
            },
        },
    )
    return write(folder, document, onnx)


def table_rows(count: int = 60) -> pd.DataFrame:
    """Penguin-like rows: two numbers (one may be missing), one category."""
    random = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "bill": random.normal(44, 5, count).astype(np.float32).astype(float),
            "mass": random.normal(4200, 700, count).astype(np.float32).astype(float),
            "island": random.choice(ISLANDS, count),
        }
    )


def table(folder: Path, *, dream: float = 9.0) -> Path:
    """A table model with a text category: `bill` may be missing, `mass` may not.

    `dream`: by how much longer a bill from that island was.
    """
    rows = table_rows()
    target = np.where(rows["bill"] + (rows["island"] == "Dream") * dream > 47, "long", "short")
    model = make_pipeline(
        ColumnTransformer(
            [
                ("bill", make_pipeline(SimpleImputer(), StandardScaler()), ["bill"]),
                ("mass", StandardScaler(), ["mass"]),
                ("island", OneHotEncoder(handle_unknown="ignore"), ["island"]),
            ]
        ),
        LogisticRegression(),
    ).fit(rows, target)
    onnx = to_onnx(
        model,
        initial_types=[
            ("bill", FloatTensorType([None, 1])),
            ("mass", FloatTensorType([None, 1])),
            ("island", StringTensorType([None, 1])),
        ],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    some = rows.head(12)
    document = manifest(
        signature={
            "inputs": [
                {"name": name, "datatype": kind, "shape": [-1, 1], "columns": [name]}
                for name, kind in (("bill", "FP32"), ("mass", "FP32"), ("island", "BYTES"))
            ],
            "outputs": [
                {"name": "label", "datatype": "BYTES", "shape": [-1], "role": "Label"},
                {
                    "name": "probabilities",
                    "datatype": "FP32",
                    "shape": [-1, 2],
                    "role": "Probabilities",
                    "classes": model.classes_.tolist(),
                },
            ],
        },
        contract={
            "columns": [
                column("bill", missingAllowed=True, minimum=20.0, maximum=70.0),
                column("mass", minimum=1000.0, maximum=8000.0),
                column("island", "Categorical", categories=ISLANDS),
                column("year"),
            ]
        },
        golden={
            "source": "Samples",
            "rows": some.to_dict("records"),
            "outputs": {
                "label": onnx_labels(model, some),
                "probabilities": model.predict_proba(some).tolist(),
            },
        },
    )
    return write(folder, document, onnx)


def onnx_labels(model: Any, rows: Any) -> list[Any]:
    """Labels as plain values."""
    labels: list[Any] = model.predict(rows).tolist()
    return labels


def regression(folder: Path) -> Path:
    """A matrix regressor whose value comes as `[rows, 1]`."""
    rows, _ = load_iris(return_X_y=True)
    model = LinearRegression().fit(rows[:, :3].astype(np.float32), rows[:, 3])
    onnx = to_onnx(model, initial_types=[("X", FloatTensorType([None, 3]))], target_opset=OPSET)
    names = ["x0", "x1", "x2"]
    output = onnx.graph.output[0].name
    document = manifest(
        signature={
            "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 3], "columns": names}],
            "outputs": [{"name": output, "datatype": "FP32", "shape": [-1, 1], "role": "Value"}],
        },
        contract={"columns": [column(name) for name in names]},
    )
    return write(folder, document, onnx)
