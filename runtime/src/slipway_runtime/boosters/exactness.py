"""Finds arithmetic in float32 on the way to a booster in a converted graph.

A threshold of a booster is often a value of its training rows: one differing last bit sends such a
row the other way, and no probe would show it. Frameworks calculate in float64 what comes before;
where the converter does so in float32, the conversion is refused.
"""

from typing import Any

import onnx
from onnx import TensorProto

from slipway_runtime.boosters.write_onnx import PREFIX

# These move numbers or make small whole ones: nothing is rounded.
_EXACT = frozenset(
    ("OneHotEncoder", "LabelEncoder", "Concat", "Reshape", "Identity", "ArrayFeatureExtractor",
     "Gather", "Flatten", "FeatureVectorizer", "Transpose", "Slice", "Squeeze", "Unsqueeze")
)  # fmt: skip
_WHOLE = frozenset(
    (TensorProto.BOOL, TensorProto.INT64, TensorProto.INT32, TensorProto.STRING, TensorProto.FLOAT)
)


def find_inexact(model: Any) -> str | None:
    """Name the operator that calculates in float32 before a booster; None: there is none."""
    graph = model.graph
    producers = {output: node for node in graph.node for output in node.output}
    types = _types(model)
    waiting = [name for node in graph.node if node.name.startswith(PREFIX) for name in node.input]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        node = producers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        waiting += node.input
        if not node.name.startswith(PREFIX) and _is_inexact(node, types):
            return str(node.op_type)
    return None


def _types(model: Any) -> dict[str, int]:
    """Element types of all values, as far as they can be inferred."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    told = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return told | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _is_inexact(node: Any, types: dict[str, int]) -> bool:
    kinds = {types.get(name, TensorProto.UNDEFINED) for name in node.output}
    if TensorProto.FLOAT not in kinds and TensorProto.UNDEFINED not in kinds:
        return False
    if node.op_type == "Cast":
        return types.get(node.input[0]) not in _WHOLE
    return node.op_type not in _EXACT
