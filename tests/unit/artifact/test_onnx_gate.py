"""Which ONNX files are refused, each with its rule; and that an ordinary one is not."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from slipway_runtime.artifact.onnx_gate import MAX_NESTING, check_onnx
from slipway_runtime.errors import BuildError


def _graph(nodes: list[Any] | None = None, weights: list[float] | None = None) -> Any:
    return helper.make_graph(
        nodes or [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(np.array(weights or [1, 2], np.float32), "w")],
    )


def _model(graph: Any, domain: str = "", version: int = 18, **more: Any) -> Any:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, version)], **more)


def _external() -> Any:
    model = _model(_graph())
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return model


def _hidden_external() -> Any:
    """The same inside a node's attribute, in a graph inside a node."""
    tensor = TensorProto(name="hidden", data_type=TensorProto.FLOAT)
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(onnx.AttributeProto(name="value", t=tensor, type=4))
    inner = helper.make_graph([constant], "inner", [], [])
    outer = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    return _model(_graph([outer]))


def _nested() -> Any:
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "leaf", [], [])
    for _ in range(MAX_NESTING + 1):
        node = helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], [])
    return _model(graph)


def _functions() -> Any:
    body = [helper.make_node("Identity", ["a"], ["b"])]
    function = helper.make_function("own", "f", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    return _model(_graph(), functions=[function])


HOSTILE = {
    "ExternalData": _external(),
    "UnknownDomain": _model(_graph([helper.make_node("Add", ["x", "w"], ["y"], domain="evil")])),
    "OpsetTooNew": _model(_graph(), version=999),
    "NestingTooDeep": _nested(),
    "LocalFunctions": _functions(),
    "NotANumber": _model(_graph(weights=[1, float("nan")])),
}


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_rule(tmp_path: Path, rule: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(HOSTILE[rule].SerializeToString())
    with pytest.raises(BuildError, match=f"rule {rule}:") as caught:
        check_onnx(path, foreign=True)
    assert caught.value.reason == "ModelRejected"


def test_external_data_is_found_in_depth(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_hidden_external().SerializeToString())
    with pytest.raises(BuildError, match="rule ExternalData"):
        check_onnx(path, foreign=False)


def test_not_onnx(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(BuildError, match="rule NotOnnx"):
        check_onnx(path, foreign=True)


def test_ordinary_models_pass(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_model(_graph()).SerializeToString())
    check_onnx(path, foreign=True)
    path.write_bytes(HOSTILE["NotANumber"].SerializeToString())
    check_onnx(path, foreign=False)  # ours: proven on rows
    path.write_bytes(_model(_graph(), domain="unused.domain", version=1).SerializeToString())
    check_onnx(path, foreign=True)
