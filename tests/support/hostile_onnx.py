"""ONNX files that no server may load, each with the rule it breaks; and one that crashes."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from slipway_runtime.artifact.onnx_gate import MAX_NESTING

ML = "ai.onnx.ml"


def graph(nodes: list[Any] | None = None, weights: list[float] | None = None) -> Any:
    """A graph from `x` to `y` with the weight `w`."""
    return helper.make_graph(
        nodes or [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(np.array(weights or [1, 2], np.float32), "w")],
    )


def model(made: Any, domain: str = "", version: int = 18, **more: Any) -> Any:
    opsets = [helper.make_opsetid(domain, version)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9, **more)


def _with_location(location: str) -> Any:
    made = model(graph())
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return made


def hidden_external() -> Any:
    """External data inside a node's attribute, in a graph inside a node."""
    tensor = TensorProto(name="hidden", data_type=TensorProto.FLOAT)
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(onnx.AttributeProto(name="value", t=tensor, type=4))
    inner = helper.make_graph([constant], "inner", [], [])
    outer = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    return model(graph([outer]))


def _sparse_external() -> Any:
    tensor = TensorProto(name="hidden", data_type=TensorProto.FLOAT)
    tensor.external_data.add(key="location", value="../../secret")
    sparse = onnx.SparseTensorProto(values=tensor)
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(
        onnx.AttributeProto(name="sparse_value", sparse_tensor=sparse, type=11)
    )
    return model(graph([constant]))


def _nested(depth: int) -> Any:
    made = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "leaf", [], [])
    for _ in range(depth):
        node = helper.make_node("If", ["x"], ["y"], then_branch=made, else_branch=made)
        made = helper.make_graph([node], "g", [], [])
    return model(made)


def _functions() -> Any:
    body = [helper.make_node("Identity", ["a"], ["b"])]
    function = helper.make_function("own", "f", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    return model(graph(), functions=[function])


def _shaped(*dims: int) -> Any:
    made = model(graph())
    del made.graph.initializer[0].dims[:]
    made.graph.initializer[0].dims.extend(dims)
    return made


def _training() -> Any:
    made = model(graph())
    made.training_info.add()
    return made


def _two_formats() -> bytes:
    """A proper ONNX file whose bytes 4 to 8 are the mark of onnxruntime's own format."""
    made = model(graph())
    made.producer_name = "ORTMxx"
    content = bytes(made.SerializeToString())
    assert content[4:8] == b"ORTM"
    return content


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, outputs, **attributes)


def _of(*nodes: Any) -> Any:
    return model(graph(list(nodes)))


def _without_opset() -> Any:
    return helper.make_model(graph(), opset_imports=[], ir_version=9)


HOSTILE: dict[str, tuple[Any, str]] = {
    "external data": (_with_location("weights.bin"), "ExternalData"),
    "external data above": (_with_location("../../etc/passwd"), "ExternalData"),
    "external data absolute": (_with_location("/etc/passwd"), "ExternalData"),
    "external data in a node": (hidden_external(), "ExternalData"),
    "external data in a sparse value": (_sparse_external(), "ExternalData"),
    "unknown domain": (_of(_node("Add", ["x", "w"], ["y"], domain="evil")), "UnknownDomain"),
    "opset too new": (model(graph(), version=999), "OpsetTooNew"),
    "opset far too new": (model(graph(), version=2**62), "OpsetTooNew"),
    "nested too deep": (_nested(MAX_NESTING + 1), "NestingTooDeep"),
    "functions of its own": (_functions(), "LocalFunctions"),
    "training": (_training(), "TrainingInfo"),
    "NaN weights": (model(graph(weights=[1, float("nan")])), "NotANumber"),
    "giant shape": (_shaped(1 << 40, 1 << 20), "ShapeTooLarge"),
    "shape that overflows": (_shaped(1 << 32, 1 << 32), "ShapeTooLarge"),
    "negative shape": (_shaped(-1, 2), "ShapeTooLarge"),
    "shape without numbers": (_shaped(1 << 20), "TensorDamaged"),
    "cycle": (_of(_node("Add", ["z", "w"], ["y"]), _node("Abs", ["y"], ["z"])), "GraphInvalid"),
    "node that feeds itself": (_of(_node("Add", ["y", "w"], ["y"])), "GraphInvalid"),
    "name given twice": (
        _of(_node("Abs", ["x"], ["y"]), _node("Neg", ["x"], ["y"])),
        "GraphInvalid",
    ),
    "input that is nowhere": (_of(_node("Add", ["x", "nowhere"], ["y"])), "GraphInvalid"),
    "operator that is none": (_of(_node("Nonsense", ["x"], ["y"])), "GraphInvalid"),
    "no operator set": (_without_opset(), "GraphInvalid"),
    "text that is none": (b"\xff" * 100, "NotOnnx"),
    "two formats": (_two_formats(), "TwoFormats"),
}  # fmt: skip


def content(made: Any) -> bytes:
    return made if isinstance(made, bytes) else bytes(made.SerializeToString())


def crashing(depth: int = 100_000) -> bytes:
    """A valid tree that is one long branch: reading it overflows onnxruntime's stack (1.32)."""
    leaves = depth + 1
    total = depth + leaves
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=1,
        nodes_treeids=[0] * total, nodes_nodeids=list(range(total)),
        nodes_featureids=[0] * total, nodes_values=[0.5] * total,
        nodes_modes=["BRANCH_LEQ"] * depth + ["LEAF"] * leaves,
        nodes_truenodeids=[at + 1 for at in range(depth)] + [0] * leaves,
        nodes_falsenodeids=[depth + 1 + at for at in range(depth)] + [0] * leaves,
        nodes_missing_value_tracks_true=[0] * total, nodes_hitrates=[1.0] * total,
        target_treeids=[0] * leaves, target_nodeids=list(range(depth, total)),
        target_ids=[0] * leaves, target_weights=[1.0] * leaves,
    )  # fmt: skip
    made = helper.make_graph(
        [node],
        "deep",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 3)]
    return content(helper.make_model(made, opset_imports=opsets, ir_version=9))
