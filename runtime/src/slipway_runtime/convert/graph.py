"""Finishes a converted graph: named outputs, flat where they hold one number a row, stable bytes.

Only ONNX structure here; no estimator and no session.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper

from slipway_runtime.artifact.onnx_gate import is_known_operator

_TIE_GRID = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An output to keep: its name in the graph, the name it gets, and its form."""

    found: str
    name: str
    flat: bool = False
    cast: int | None = None


def name_inputs(model: Any, names: Sequence[str]) -> None:
    """Give the graph's inputs these names, in order: skl2onnx writes `a_b` for `a b`.

    Args:
        model: an `onnx.ModelProto` with as many inputs; changed in place.
    """
    graph = model.graph
    if [value.name for value in graph.input] == list(names):
        return
    # By way of names that nothing has: a wanted name may be another input's, or a tensor's inside.
    for position, value in enumerate(graph.input):
        _rename_everywhere(graph, value, f"slipway_input_{position}")
    inside = {name for node in graph.node for name in (*node.input, *node.output)}
    held = {value.name: value for value in (*graph.initializer, *graph.output)}
    for position, (value, name) in enumerate(zip(graph.input, names, strict=True)):
        if name in inside or name in held:
            _rename(graph, name, f"slipway_inside_{position}")
            if name in held:
                held[name].name = f"slipway_inside_{position}"
        _rename_everywhere(graph, value, name)


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


def settle_ties(model: Any, *, label: str, probabilities: str, classes: Sequence[Any]) -> None:
    """Take the label from the probabilities, the first of equal ones winning.

    Probabilities that float32's last bits tell apart are rounded to 2^-20 (about 1e-6) first: half
    of the trees of a forest against the other half is a tie; NumPy's argmax then takes the first.
    """
    graph = model.graph
    [producer] = [node for node in graph.node if label in node.output]
    element = next(output for output in graph.output if output.name == label)
    graph.node.remove(producer)
    names: list[Any] = [v.encode() if isinstance(v, str) else v for v in classes]
    source = "slipway_ties"
    graph.initializer.extend(
        [
            helper.make_tensor(f"{source}_grid", TensorProto.FLOAT, [1], [float(_TIE_GRID)]),
            helper.make_tensor(
                f"{source}_classes",
                element.type.tensor_type.elem_type,
                [len(classes)],
                names,
            ),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Cast", [probabilities], [f"{source}_float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{source}_float", f"{source}_grid"], [f"{source}_scaled"]),
            helper.make_node("Round", [f"{source}_scaled"], [f"{source}_rounded"]),
            helper.make_node(
                "ArgMax", [f"{source}_rounded"], [f"{source}_place"], axis=1, keepdims=0
            ),
            helper.make_node("Gather", [f"{source}_classes", f"{source}_place"], [label], axis=0),
        ]
    )


def foreign_parts(model: Any) -> str | None:
    """Name what only one runtime knows: functions of its own, operators of another domain."""
    if len(model.functions):
        return f'function "{model.functions[0].name}"'
    for node in _all_nodes(model.graph):
        if not is_known_operator(node.domain, node.op_type):
            return f'operator "{node.domain}:{node.op_type}"'
    return None


def graph_problem(model: Any) -> str | None:
    """Say what makes a graph unfit to serve; None: nothing."""
    for tensor in _all_tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            return (
                f'weight "{tensor.name}" lies in another file '
                "(save the model with external_data=False)"
            )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return f"it is not a valid graph ({' '.join(str(error).split())[:300]})"
    return None


def drop_zipmaps(model: Any) -> tuple[object, ...] | None:
    """Take ZipMap operators off the outputs, so that a tensor is left.

    Returns:
        The class labels that the maps had as keys; None when there was no ZipMap.
    """
    graph = model.graph
    classes: tuple[object, ...] | None = None
    outputs = {output.name: output for output in graph.output}
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        labels = {attribute.name: attribute for attribute in node.attribute}
        if node.output[0] not in outputs:
            continue
        strings = labels.get("classlabels_strings")
        integers = labels.get("classlabels_int64s")
        if strings is not None and strings.strings:
            classes = tuple(value.decode("utf-8", "replace") for value in strings.strings)
        elif integers is not None:
            classes = tuple(int(value) for value in integers.ints)
        graph.node.remove(node)
        graph.node.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
        width = len(classes) if classes else None
        outputs[node.output[0]].CopyFrom(
            helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, [None, width])
        )
    return classes


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _all_nodes(attribute.g)


def _all_tensors(graph: Any) -> Iterator[Any]:
    """Every constant of a graph and of the graphs inside its operators."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            elif attribute.type == onnx.AttributeProto.GRAPH:
                yield from _all_tensors(attribute.g)


def to_bytes(model: Any) -> bytes:
    """Serialize; the same model gives the same bytes."""
    model.doc_string = ""
    model.graph.doc_string = ""
    return bytes(model.SerializeToString(deterministic=True))


def _dimensions(value: Any) -> Any:
    return value.type.tensor_type.shape.dim


def _rename_everywhere(graph: Any, value: Any, name: str) -> None:
    _rename(graph, value.name, name)
    value.name = name


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename(attribute.g, old, new)
