"""A model that comes as ONNX is checked, described and served as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import skl2onnx
from onnx import TensorProto, helper
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression

import convert_models as given
from slipway_runtime.errors import BuildError

IRIS = load_iris()


def _exported(**options: Any) -> tuple[bytes, LogisticRegression]:
    model = LogisticRegression(max_iter=500).fit(IRIS.data, IRIS.target_names[IRIS.target])
    exported = skl2onnx.to_onnx(
        model,
        IRIS.data[:1].astype(np.float32),
        target_opset={"": 18, "ai.onnx.ml": 3},
        options={id(model): options} if options else None,
    )
    return exported.SerializeToString(), model


@pytest.mark.parametrize("options", [{}, {"zipmap": False}], ids=["zipmap", "tensors"])
def test_a_classifier_is_served_with_its_classes(options: dict[str, Any], tmp_path: Path) -> None:
    content, model = _exported(**options)
    table = pd.DataFrame(IRIS.data, columns=["a", "b", "c", "d"])
    made = given.build(tmp_path, content, table)
    manifest = made.manifest
    assert (manifest.model.format, manifest.runtime) == ("ONNX", "ONNX")
    assert manifest.parity.verdict == "NotNeeded"
    assert manifest.model.task == "Classification"
    assert [output.role for output in manifest.signature.outputs] == ["Label", "Probabilities"]
    assert manifest.signature.outputs[1].classes == ("setosa", "versicolor", "virginica")
    assert [column.name for column in manifest.contract.columns] == ["x0", "x1", "x2", "x3"]
    assert manifest.contract.columns[0].source == "Samples"
    got = list(made.answer(IRIS.data).values())
    assert got[0].tolist() == model.predict(IRIS.data).tolist()
    np.testing.assert_allclose(got[1], model.predict_proba(IRIS.data), atol=1e-5)


def test_a_regressor_without_samples(tmp_path: Path) -> None:
    data = load_diabetes()
    model = LinearRegression().fit(data.data, data.target)
    exported = skl2onnx.to_onnx(
        model,
        initial_types=[("rows", FloatTensorType([None, 10]))],
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    manifest = given.build(tmp_path, exported.SerializeToString()).manifest
    assert manifest.model.task == "Regression"
    assert manifest.golden.source == "Signature"
    assert len(manifest.golden.rows) >= 10
    assert not manifest.contract.columns[0].missing_allowed
    assert manifest.baseline is None


def _graph(shape: list[int | None], **external: str) -> bytes:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    if external:
        del weight.float_data[:]
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=external["location"])
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def _unknown_operator() -> bytes:
    model = onnx.load_model_from_string(_graph([None, 2]))
    model.graph.node[0].op_type = "NoSuchOperator"
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("content", "reason", "word"),
    [
        pytest.param(_graph([1, 2]), "ModelRejected", "fixed number of rows", id="fixed batch"),
        pytest.param(_graph([None, None]), "ConversionUnsupported", "columns", id="free width"),
        pytest.param(
            _graph([None, 2], location="../../etc/passwd"), "ModelRejected", "file", id="external"
        ),
        pytest.param(_unknown_operator(), "ModelRejected", "NoSuchOperator", id="operator"),
    ],
)
def test_what_cannot_be_served_is_refused(
    content: bytes, reason: str, word: str, tmp_path: Path
) -> None:
    with pytest.raises(BuildError) as caught:
        given.build(tmp_path, content)
    assert caught.value.reason == reason
    assert word in caught.value.message


def test_a_plain_graph_is_served_as_it_is(tmp_path: Path) -> None:
    made = given.build(tmp_path, _graph([None, 2]))
    assert (made.folder / "model.onnx").read_bytes() == _graph([None, 2])
    assert (made.manifest.model.format, made.manifest.runtime) == ("ONNX", "ONNX")


def test_an_image_model_has_no_columns(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1, 4, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    manifest = given.build(tmp_path, model.SerializeToString()).manifest
    assert manifest.signature.inputs[0].shape == (-1, 1, 4, 4)
    assert manifest.contract.columns == ()
    assert manifest.golden.rows == ()
