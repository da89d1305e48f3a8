"""Which ONNX files may be served: one self-contained graph of known operators, of bounded size.

Runs in a sandboxed child only: parsing the file is itself a risk (S5 of the security design).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slipway_runtime.errors import BuildError

MAX_BYTES = (2 << 30) - 1  # a protobuf message cannot be longer
MAX_NODES = 200_000
MAX_NESTING = 4
KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
MAX_OPSET = {"": 26, "ai.onnx": 26, "ai.onnx.ml": 5}


def check_onnx(path: Path) -> dict[str, int]:
    """Check a file against the rules, and return its opsets.

    Raises:
        BuildError: `ModelRejected`, naming the rule.
    """
    import onnx
    from google.protobuf.message import DecodeError

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _rejected("FileTooLarge", f"it has {size} bytes > limit {MAX_BYTES}")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise _rejected("NotOnnx", "it cannot be parsed") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    for domain, version in opsets.items():
        if domain not in KNOWN_DOMAINS:
            raise _rejected("UnknownDomain", f'operators of domain "{domain}" are not known')
        if version > MAX_OPSET[domain]:
            raise _rejected(
                "OpsetTooNew", f'opset {version} of "{domain}" > newest {MAX_OPSET[domain]}'
            )
    if len(model.functions):
        raise _rejected("LocalFunctions", "it brings functions of its own")
    nodes = 0
    for graph, depth in _walk(model.graph):
        if depth > MAX_NESTING:
            raise _rejected("NestingTooDeep", f"loops are nested deeper than {MAX_NESTING}")
        nodes += len(graph.node)
        if nodes > MAX_NODES:
            raise _rejected("TooManyNodes", f"it has more than {MAX_NODES} nodes")
        _check_graph(graph)
    return opsets


def _check_graph(graph: Any) -> None:
    sparse = [part for one in graph.sparse_initializer for part in (one.values, one.indices)]
    for tensor in (*graph.initializer, *sparse):
        _check_tensor(tensor)
    for node in graph.node:
        if node.domain not in KNOWN_DOMAINS:
            raise _rejected("UnknownDomain", f'node "{node.name}" is of domain "{node.domain}"')
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                _check_tensor(tensor)


def _check_tensor(tensor: Any) -> None:
    if tensor.external_data or tensor.data_location:
        raise _rejected("ExternalData", f'tensor "{tensor.name}" lies in another file')


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


def _rejected(rule: str, why: str) -> BuildError:
    return BuildError(
        "ModelRejected",
        f"The ONNX model breaks rule {rule}: {why}. Export it again as one file of standard "
        "operators.",
    )
