"""Finds arithmetic on the way to a booster in a converted graph that comes out differently there.

A threshold of a booster is often a value of its training rows: one differing last bit sends such a
row the other way, and no probe would show it. Frameworks calculate in float64 what comes before;
where the converter does so in float32, the conversion is refused. Histogram boosting keeps its
thresholds in float64, so that sums and functions are refused too: their last bit is anybody's.
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
# IEEE 754 rounds these in one way only.
_ROUNDED = frozenset(
    ("Add", "Sub", "Mul", "Div", "Sqrt", "Neg", "Abs", "Sign", "Floor", "Ceil", "Min", "Max",
     "Clip", "Where", "IsNaN", "Imputer", "Constant", "ConstantOfShape", "Shape", "Expand", "Tile",
     "ReduceMax", "ReduceMin", "TopK", "Cast")
)  # fmt: skip
_WHOLE = frozenset(
    (TensorProto.BOOL, TensorProto.INT64, TensorProto.INT32, TensorProto.STRING, TensorProto.FLOAT)
)


def find_inexact(model: Any, *, to_the_bit: bool = False) -> str | None:
    """Say what is calculated otherwise before a booster, as "Pow"; None: nothing is.

    Args:
        model: the converted graph.
        to_the_bit: float64 is compared in, so that it matters how each last bit comes out.
    """
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
        if node.name.startswith(PREFIX):
            continue
        if _is_inexact(node, types):
            return f"{node.op_type} in float32"
        if to_the_bit and _is_free(node, types):
            return f"{node.op_type}, to another last bit,"
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


def _is_free(node: Any, types: dict[str, int]) -> bool:
    """Whether implementations differ in the last bit of what it gives in float64."""
    doubles = any(types.get(name) in (TensorProto.DOUBLE, None) for name in node.output)
    return doubles and node.op_type not in _EXACT and node.op_type not in _ROUNDED
