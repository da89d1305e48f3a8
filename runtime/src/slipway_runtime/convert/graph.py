"""Finishes a converted graph: named outputs, flat where they hold one number a row, stable bytes.

Only ONNX structure here; no estimator and no session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper

DATATYPES = {
    TensorProto.FLOAT: "FP32",
    TensorProto.DOUBLE: "FP64",
    TensorProto.FLOAT16: "FP16",
    TensorProto.INT8: "INT8",
    TensorProto.INT16: "INT16",
    TensorProto.INT32: "INT32",
    TensorProto.INT64: "INT64",
    TensorProto.UINT8: "UINT8",
    TensorProto.UINT16: "UINT16",
    TensorProto.UINT32: "UINT32",
    TensorProto.UINT64: "UINT64",
    TensorProto.BOOL: "BOOL",
    TensorProto.STRING: "BYTES",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An output to keep: its name in the graph, the name it gets, and its form."""

    found: str
    name: str
    flat: bool = False
    cast: int | None = None


def finish_graph(model: Any, wanted: Sequence[Wanted]) -> Any:
    """Give the graph exactly the wanted outputs, in this order.

    Args:
        model: an `onnx.ModelProto`; changed in place.
        wanted: outputs to keep; `flat` reshapes to `[-1]`, `cast` gives the element type.
    """
    graph = model.graph
    found = {output.name: output for output in graph.output}
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.input, *graph.initializer)}
    kept = []
    for want in wanted:
        source, element = want.found, found[want.found].type.tensor_type.elem_type
        shape = [dimension.dim_value or None for dimension in _dimensions(found[want.found])]
        inner = f"slipway_{want.name}"
        if want.name in taken:
            _rename(graph, want.name, f"{inner}_inner")
            source = f"{inner}_inner" if source == want.name else source
        if want.cast is not None and want.cast != element:
            graph.node.append(helper.make_node("Cast", [source], [f"{inner}_cast"], to=want.cast))
            source, element = f"{inner}_cast", want.cast
        if want.flat:
            graph.initializer.append(
                helper.make_tensor(f"{inner}_shape", TensorProto.INT64, [1], [-1])
            )
            graph.node.append(helper.make_node("Reshape", [source, f"{inner}_shape"], [want.name]))
            shape = [None]
        else:
            graph.node.append(helper.make_node("Identity", [source], [want.name]))
            shape = [None, *shape[1:]]
        kept.append(helper.make_tensor_value_info(want.name, element, shape))
    del graph.output[:]
    graph.output.extend(kept)
    return model


def to_bytes(model: Any) -> bytes:
    """Serialize; the same model gives the same bytes."""
    model.doc_string = ""
    model.graph.doc_string = ""
    return bytes(model.SerializeToString(deterministic=True))


def _dimensions(value: Any) -> Any:
    return value.type.tensor_type.shape.dim


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename(attribute.g, old, new)
