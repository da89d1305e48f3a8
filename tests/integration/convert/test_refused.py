"""Models that do not convert, convert wrongly, or cannot be read: never served wrong."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from convert_run import convert_bytes, convert_model
from slipway_runtime.errors import BuildError


def _holes() -> tuple[Any, Any]:
    rows, target = load_iris(return_X_y=True)
    rows = rows.astype(np.float32).astype(np.float64)
    rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
    return rows, target


def _spline() -> Any:
    rows, target = load_iris(return_X_y=True)
    return make_pipeline(SplineTransformer(), LinearRegression()).fit(rows, target)


def test_no_converter_is_served_natively_with_the_reason(tmp_path: Path) -> None:
    done = convert_model(tmp_path, _spline())
    assert done.manifest.runtime == "Native"
    assert done.manifest.fallback is not None
    assert done.manifest.fallback.reason == "ConversionUnsupported"
    assert "SplineTransformer" in done.manifest.fallback.message
    assert (done.folder / done.manifest.files.model).is_file()


def test_no_converter_is_refused_where_onnx_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="SplineTransformer") as raised:
        convert_model(tmp_path, _spline(), runtime="ONNX")
    assert raised.value.reason == "ConversionUnsupported"


_SILENT = {
    "forest-with-holes": lambda: RandomForestClassifier(n_estimators=10, random_state=0),
    "indicator": lambda: make_pipeline(
        SimpleImputer(add_indicator=True), LogisticRegression(max_iter=1000)
    ),
    "tuned-threshold": lambda: TunedThresholdClassifierCV(
        make_pipeline(SimpleImputer(), LogisticRegression(max_iter=1000)), cv=3
    ),
}


@pytest.mark.parametrize("name", _SILENT)
def test_silently_wrong_conversion_is_not_served(name: str, tmp_path: Path) -> None:
    rows, target = _holes()
    if name == "tuned-threshold":
        target = (target == 1).astype(int)
    model = _SILENT[name]().fit(rows, target)
    done = convert_model(tmp_path, model)
    if done.manifest.runtime == "Native":
        assert done.manifest.fallback is not None
        assert done.manifest.fallback.reason in ("ParityExceeded", "ConversionUnsupported")
    else:
        assert done.ask_matrix(rows)["label"].tolist() == model.predict(rows).tolist()


def test_samples_without_a_column(tmp_path: Path) -> None:
    rows, target = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(rows, target)
    samples = rows.drop(columns="petal width (cm)").to_csv(index=False)
    with pytest.raises(BuildError, match=r'column "petal width \(cm\)" is missing') as raised:
        convert_model(tmp_path, model, samples=samples)
    assert raised.value.reason == "SamplesInvalid"


def _pickled() -> bytes:
    return pickle.dumps(LinearRegression().fit(np.eye(3), np.arange(3.0)))


_UNREADABLE = {
    "empty": (lambda: b"", "empty"),
    "truncated": (lambda: _pickled()[:-20], "cut short"),
    "html": (lambda: b"<!DOCTYPE html><html>login</html>", "HTML"),
    "dict": (lambda: pickle.dumps({"a": 1}), "type dict"),
    "dict-with-model": (lambda: pickle.dumps({"best": LinearRegression()}), 'key "best"'),
    "unknown-class": (lambda: b"cmy_lost_module\nNet\n.", "my_lost_module"),
    "unfitted": (lambda: pickle.dumps(LinearRegression()), "never fitted"),
}


@pytest.mark.parametrize("name", _UNREADABLE)
def test_unreadable(name: str, tmp_path: Path) -> None:
    make, words = _UNREADABLE[name]
    with pytest.raises(BuildError, match=words) as raised:
        convert_bytes(tmp_path, make())
    assert raised.value.reason == "ModelUnreadable"
    assert "\n" not in raised.value.message


def test_pickle_is_refused_where_unpickling_is_forbidden(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="Never") as raised:
        convert_bytes(tmp_path, _pickled(), unpickle="Never")
    assert raised.value.reason == "ModelUnsafe"


def test_skops_is_taken_where_unpickling_is_forbidden(tmp_path: Path) -> None:
    rows = np.arange(40.0).reshape(20, 2) % 7
    content = skops.io.dumps(LinearRegression().fit(rows, rows[:, 0] * 2 - rows[:, 1]))
    done = convert_bytes(tmp_path, content, "model.skops", unpickle="Never")
    assert done.manifest.runtime == "ONNX"
    np.testing.assert_allclose(
        done.ask_matrix(rows)["value"], rows[:, 0] * 2 - rows[:, 1], atol=1e-3
    )


def test_onnx_is_served_as_it_is(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Mul", ["x", "x"], ["y"])
    graph = onnx.helper.make_graph(
        [node],
        "square",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 2])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 2])],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9
    )
    content = model.SerializeToString()
    done = convert_bytes(tmp_path, content, "net.bin")
    assert (done.folder / "model.onnx").read_bytes() == content
    assert done.manifest.model.format == "ONNX"
    assert done.manifest.parity.verdict == "NotNeeded"
    assert json.loads((done.folder / "manifest.json").read_bytes())["runtime"] == "ONNX"
