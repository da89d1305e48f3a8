"""Which ONNX files may be served: one self-contained graph of known operators, of bounded size.

Runs in a sandboxed child only: parsing the file is itself a risk (S5 of the security design).
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slipway_runtime.errors import BuildError

MAX_BYTES = (2 << 30) - 1  # a protobuf message cannot be longer
MAX_NODES = 200_000
MAX_NESTING = 4
MAX_GRAPHS = 10_000
KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
# Part of every onnxruntime; without it no text model of scikit-learn can be expressed.
KNOWN_CONTRIBUTED = frozenset({("com.microsoft", "Tokenizer")})
_ORT_MARK = b"ORTM"  # of onnxruntime's own format, whatever else the bytes may be
MAX_OPSET = {"": 26, "ai.onnx": 26, "ai.onnx.ml": 5}


def check_onnx(path: Path, *, foreign: bool) -> None:
    """Check a file against the rules.

    Args:
        foreign: whether somebody else exported it; our own conversions are proven on rows, and
            hold NaN where a table's missing values are looked for.

    Raises:
        BuildError: `ModelRejected`, naming the rule.
    """
    model = _parse(path)
    for entry in model.opset_import:
        newest = MAX_OPSET.get(entry.domain, entry.version)
        if entry.version > newest:
            raise _rejected(
                "OpsetTooNew", f'opset {entry.version} of "{entry.domain}" > newest {newest}'
            )
    if len(model.functions):
        raise _rejected("LocalFunctions", "it brings functions of its own")
    if len(model.training_info):
        raise _rejected("TrainingInfo", "it brings graphs for training")
    nodes = 0
    for count, (graph, depth) in enumerate(_walk(model.graph)):
        if count >= MAX_GRAPHS:
            raise _rejected("TooManyGraphs", f"it has more than {MAX_GRAPHS} graphs in its nodes")
        if depth > MAX_NESTING:
            raise _rejected("NestingTooDeep", f"loops are nested deeper than {MAX_NESTING}")
        nodes += len(graph.node)
        if nodes > MAX_NODES:
            raise _rejected("TooManyNodes", f"it has more than {MAX_NODES} nodes")
        _check_graph(graph, foreign=foreign)
    if foreign:
        _check_structure(model)


def is_known_operator(domain: str, operator: str) -> bool:
    """Whether a served graph may hold the operator."""
    return domain in KNOWN_DOMAINS or (domain, operator) in KNOWN_CONTRIBUTED


def _parse(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _rejected("FileTooLarge", f"it has {size} bytes > limit {MAX_BYTES}")
    with path.open("rb") as stream:
        if stream.read(8)[4:] == _ORT_MARK:
            raise _rejected("TwoFormats", "onnxruntime would read it as another format")
    try:
        return onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise _rejected("NotOnnx", "it cannot be parsed") from error


def _check_structure(model: Any) -> None:
    """Order, names and types, by ONNX's own checker: a graph with a cycle has no order."""
    import onnx

    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        raise _rejected("GraphInvalid", " ".join(str(error).split())[:300]) from error


def _check_graph(graph: Any, *, foreign: bool) -> None:
    sparse = [part for one in graph.sparse_initializer for part in (one.values, one.indices)]
    for tensor in (*graph.initializer, *sparse):
        _check_tensor(tensor)
    if foreign:
        for tensor in graph.initializer:
            _check_numbers(tensor)
    for node in graph.node:
        if not is_known_operator(node.domain, node.op_type):
            raise _rejected("UnknownDomain", f'node "{node.name}" is of domain "{node.domain}"')
        for attribute in node.attribute:
            for tensor in _tensors_of(attribute):
                _check_tensor(tensor)


def _tensors_of(attribute: Any) -> Iterator[Any]:
    yield attribute.t
    yield from attribute.tensors
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (sparse.values, sparse.indices)


def _check_tensor(tensor: Any) -> None:
    if tensor.external_data or tensor.data_location:
        raise _rejected("ExternalData", f'tensor "{tensor.name}" lies in another file')
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MAX_BYTES:
        raise _rejected(
            "ShapeTooLarge", f'tensor "{tensor.name}" says that it has {_show(tensor.dims)} numbers'
        )


def _check_numbers(tensor: Any) -> None:
    """A weight that is not a number makes answers that are none; one alone may be a marker."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
        try:
            values = numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:  # fewer numbers than its shape tells
            raise _rejected("TensorDamaged", f'weight "{tensor.name}" is incomplete') from error
        if values.size > 1 and (values != values).any():  # noqa: PLR0124  NaN differs from itself
            raise _rejected("NotANumber", f'weight "{tensor.name}" holds NaN')


def _walk(graph: Any, depth: int = 0) -> Iterator[tuple[Any, int]]:
    """A graph and those inside its nodes; deeper than the limit is not followed."""
    yield graph, depth
    if depth > MAX_NESTING:
        return
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _walk(attribute.g, depth + 1)
            for inner in attribute.graphs:
                yield from _walk(inner, depth + 1)


def _show(dims: Any) -> str:
    return " × ".join(str(size) for size in dims[:8])


def _rejected(rule: str, why: str) -> BuildError:
    return BuildError(
        "ModelRejected",
        f"The ONNX model breaks rule {rule}: {why}. Export it again as one file of standard "
        "operators.",
    )
