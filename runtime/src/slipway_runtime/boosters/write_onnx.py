"""Writes a `Forest` into a graph of skl2onnx: standalone, or wherever in a pipeline it stands.

Columns are looked at as the framework looks at them (cast to float32 where it does), compared and
summed in float64; margins and answers are float32. One TreeEnsembleRegressor of ai.onnx.ml 3 holds
the trees, plain operators do the rest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from slipway_runtime.boosters.forest import Categories, Forest, Nodes, NotRead
from slipway_runtime.boosters.known import framework_of, has_histogram_trees, is_trained
from slipway_runtime.boosters.read import read_forest

_RULES = {"LT": "BRANCH_LT", "LEQ": "BRANCH_LEQ", "GT": "BRANCH_GT", "EQ": "BRANCH_EQ"}
PREFIX = "forest_"  # of every name that is added here
_ZERO = 1.0000000180025095e-35  # LightGBM's kZeroThreshold, a float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Converters:
    """What `skl2onnx.convert_sklearn` is handed, by class of estimator."""

    functions: dict[type, Any]
    shapes: dict[type, Any]
    parsers: dict[type, Any]


def booster_converters(
    parts: Iterable[object], end: object, *, hides_zeros: bool = False
) -> Converters:
    """Converters for the booster of a model, if it has one.

    Args:
        parts: all estimators inside the model.
        end: the one that gives the answer.
        hides_zeros: it gets sparse rows and counts what they leave out as missing.

    Raises:
        NotRead: it cannot be converted exactly, or another estimator goes on with its answers.
    """
    found: dict[type, object] = {}
    if has_histogram_trees(end):  # inside another estimator skl2onnx writes them
        read_forest(end)
        found[type(end)] = end
    for part in parts:
        if framework_of(part) is None or not hasattr(part, "predict") or not is_trained(part):
            continue
        if part is not end:
            raise NotRead(f"{type(part).__name__} inside {type(end).__name__}")
        read_forest(part)
        found[type(part)] = part
    return Converters(
        functions=dict.fromkeys(found, partial(_convert, hides_zeros=hides_zeros)),
        shapes=dict.fromkeys(found, _shapes),
        parsers=dict.fromkeys(found, _parse),
    )


def _classes(model: Any) -> NDArray[Any] | None:
    """The classes of a classifier; None for anything else."""
    from sklearn.base import is_classifier

    return np.asarray(model.classes_) if is_classifier(model) else None


def _parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:  # noqa: ARG001
    from skl2onnx.common.data_types import FloatTensorType

    operator = scope.declare_local_operator(f"Slipway{type(model).__name__}", model)
    operator.inputs = inputs
    classes = _classes(model)
    if classes is None:
        operator.outputs.append(scope.declare_local_variable("variable", FloatTensorType()))
        return operator.outputs
    operator.outputs.append(scope.declare_local_variable("label", _label_type(classes)))
    operator.outputs.append(scope.declare_local_variable("probabilities", FloatTensorType()))
    return operator.outputs


def _shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    classes = _classes(operator.raw_operator)
    if classes is None:
        margins = read_forest(operator.raw_operator).margins
        operator.outputs[0].type = FloatTensorType([None, margins])
        return
    operator.outputs[0].type = _label_type(classes)
    operator.outputs[1].type = FloatTensorType([None, len(classes)])


def _label_type(classes: NDArray[Any]) -> Any:
    from skl2onnx.common import data_types

    kinds = {
        "b": data_types.BooleanTensorType,
        "i": data_types.Int64TensorType,
        "u": data_types.Int64TensorType,
        "f": data_types.DoubleTensorType,
    }
    return kinds.get(classes.dtype.kind, data_types.StringTensorType)([None])


def _convert(scope: Any, operator: Any, container: Any, *, hides_zeros: bool) -> None:
    graph = _Graph(scope, container)
    model = operator.raw_operator
    forest = read_forest(model)
    if hides_zeros:
        forest = replace(forest, zero_missing=frozenset(range(forest.width)))
    rows = _rows(graph, operator.inputs, forest)
    margins = _margins(graph, rows, forest)
    answers = _link(graph, margins, forest)
    outputs = [output.full_name for output in operator.outputs]
    classes = _classes(model)
    if classes is None:
        graph.add("Identity", [answers], outputs[0])
        return
    if forest.margins == 1:
        other = graph.add("Sub", [graph.single(1.0), answers])
        answers = graph.add("Concat", [other, answers], axis=1)
    graph.add("Identity", [answers], outputs[1])
    # CatBoost and scikit-learn take the class from the sums, the others from what they answer.
    by_sums = framework_of(model) in ("catboost", None) and forest.margins > 1
    place = graph.add("ArgMax", [margins if by_sums else answers], axis=1, keepdims=0)
    kind = classes.dtype.kind
    known = classes.astype(
        {"b": bool, "i": np.int64, "u": np.int64, "f": np.float64}.get(kind, str)
    )
    graph.add("Gather", [graph.constant(known), place], outputs[0], axis=0)


class _Graph:
    """Adds operators and constants under fresh names."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def name(self, what: str) -> str:
        return str(self._scope.get_unique_variable_name(f"{PREFIX}{what}"))

    def add(
        self, kind: str, inputs: list[str], output: str | None = None, *, domain: str = "",
        **attributes: Any,
    ) -> str:  # fmt: skip
        """Add one operator; returns the name of its output."""
        output = output or self.name(kind)
        versions = {"": _VERSIONS.get(kind, 13), "ai.onnx.ml": _VERSIONS.get(kind, 3)}
        self._container.add_node(
            kind, inputs, [output], op_domain=domain, op_version=versions[domain],
            name=self.name(f"{kind}_node"), **attributes,
        )  # fmt: skip
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant; text, booleans and numbers keep their type."""
        name = self.name("constant")
        if values.dtype.kind == "U":
            listed = [value.encode() for value in values.tolist()]
            self._container.add_initializer(name, TensorProto.STRING, list(values.shape), listed)
            return name
        kind = {
            "b": TensorProto.BOOL, "i": TensorProto.INT64,
        }.get(values.dtype.kind) or (
            TensorProto.FLOAT if values.dtype == np.float32 else TensorProto.DOUBLE
        )  # fmt: skip
        content = values.ravel().tolist()
        self._container.add_initializer(name, kind, list(values.shape), content)
        return name

    def single(self, value: float) -> str:
        """A float32 constant of one element."""
        return self.constant(np.array([value], dtype=np.float32))

    def double(self, value: float) -> str:
        """A float64 constant of one element."""
        return self.constant(np.array([value], dtype=np.float64))


_VERSIONS = {
    "Where": 9, "MatMul": 13, "LabelEncoder": 2, "Equal": 13, "LessOrEqual": 12, "And": 7, "Not": 1,
    "Greater": 13, "Softplus": 1,
}  # fmt: skip


def _rows(graph: _Graph, inputs: Any, forest: Forest) -> str:
    """All columns as float64, looked at as the framework does; NaN where missing."""
    columns, at = [], 0
    for variable in inputs:
        width = (variable.type.shape[1] if len(variable.type.shape) > 1 else 1) or 1
        columns += _columns(graph, variable.full_name, at, width, forest.categories)
        at += width
    rows = columns[0] if len(columns) == 1 else graph.add("Concat", columns, axis=1)
    if forest.single:
        rows = _to(graph, _to(graph, rows, TensorProto.FLOAT), TensorProto.DOUBLE)
    if not np.isnan(forest.marker):
        marker = graph.double(float(np.float32(forest.marker)))
        rows = graph.add("Where", [graph.add("Equal", [rows, marker]), _hole(graph), rows])
    if forest.zero_missing:
        size = graph.add("Abs", [rows])
        zero = graph.add("LessOrEqual", [size, graph.double(_ZERO)])
        zero = graph.add("And", [zero, _mask(graph, forest.zero_missing, forest.width)])
        rows = graph.add("Where", [zero, _hole(graph), rows])
    if forest.coded:
        whole = _to(graph, _to(graph, rows, TensorProto.INT64), TensorProto.DOUBLE)
        code = graph.add("Not", [graph.add("IsNaN", [rows])])
        code = graph.add("And", [code, _mask(graph, forest.coded, forest.width)])
        rows = graph.add("Where", [code, whole, rows])
    return rows


def _columns(graph: _Graph, source: str, at: int, width: int, categories: Categories) -> list[str]:
    """One input as float64: categories as their codes, all else as it is."""
    places = range(at, at + width)
    if not any(place in categories for place in places):
        return [_to(graph, source, TensorProto.DOUBLE)]
    found = []
    for offset, place in enumerate(places):
        column = source
        if width > 1:
            column = graph.add("Gather", [source, graph.constant(np.array([offset]))], axis=1)
        if place in categories:
            column = _codes(graph, column, categories[place])
        found.append(_to(graph, column, TensorProto.DOUBLE))
    return found


def _hole(graph: _Graph) -> str:
    return graph.double(np.nan)


def _codes(graph: _Graph, source: str, known: tuple[str | int | float | bool, ...]) -> str:
    """The codes of one column of categories; an unknown one is missing."""
    codes = [float(place) for place in range(len(known))]
    if all(isinstance(value, str) for value in known):
        keys: dict[str, Any] = {"keys_strings": list(known)}
    elif any(isinstance(value, float) for value in known):
        source, keys = _to(graph, source, TensorProto.FLOAT), {"keys_floats": list(known)}
    else:
        source, keys = _to(graph, source, TensorProto.INT64), {"keys_int64s": list(known)}
    return graph.add(
        "LabelEncoder", [source], domain="ai.onnx.ml", values_floats=codes,
        default_float=float("nan"), **keys,
    )  # fmt: skip


def _to(graph: _Graph, source: str, kind: int) -> str:
    return graph.add("Cast", [source], to=int(kind))


def _mask(graph: _Graph, columns: frozenset[int], width: int) -> str:
    return graph.constant(np.array([[place in columns for place in range(width)]], dtype=bool))


def _margins(graph: _Graph, rows: str, forest: Forest) -> str:
    """The sums, float32 `[rows, margins]`."""
    if forest.linear is None:
        return _trees(graph, rows, forest.nodes, forest)
    empty = graph.add("IsNaN", [rows])
    rows = graph.add("Where", [empty, graph.double(0.0), rows])
    sums = graph.add("MatMul", [rows, graph.constant(forest.linear)])
    sums = graph.add("Add", [sums, graph.constant(forest.base.reshape(1, -1))])
    return _to(graph, sums, TensorProto.FLOAT)


def _trees(graph: _Graph, rows: str, nodes: Nodes, forest: Forest) -> str:
    def tensor(name: str, values: Any) -> Any:
        return numpy_helper.from_array(np.asarray(values, dtype=np.float64), name)

    return graph.add(
        "TreeEnsembleRegressor", [rows], domain="ai.onnx.ml",
        n_targets=forest.margins, aggregate_function="SUM", post_transform="NONE",
        base_values_as_tensor=tensor("base", forest.base),
        nodes_treeids=nodes.tree, nodes_nodeids=nodes.node,
        nodes_featureids=[split.feature for split in nodes.split],
        nodes_modes=[_RULES.get(split.rule, "LEAF") for split in nodes.split],
        nodes_values_as_tensor=tensor("values", [split.value for split in nodes.split]),
        nodes_truenodeids=[split.yes for split in nodes.split],
        nodes_falsenodeids=[split.no for split in nodes.split],
        nodes_missing_value_tracks_true=[int(split.missing_yes) for split in nodes.split],
        target_treeids=nodes.leaf_tree, target_nodeids=nodes.leaf_node,
        target_ids=nodes.leaf_margin, target_weights_as_tensor=tensor("weights", nodes.leaf_weight),
    )  # fmt: skip


def _link(graph: _Graph, margins: str, forest: Forest) -> str:
    link: dict[str, Callable[[], str]] = {
        "Identity": lambda: margins,
        "Sigmoid": lambda: graph.add("Sigmoid", [_times(graph, margins, forest.factor)]),
        "Softmax": lambda: graph.add("Softmax", [margins], axis=1),
        "Exp": lambda: graph.add("Exp", [margins]),
        "Step": lambda: _to(
            graph,
            graph.add("Greater", [margins, graph.single(0.0)]),
            TensorProto.FLOAT,
        ),
        "SignedSquare": lambda: graph.add("Mul", [margins, graph.add("Abs", [margins])]),
        "LogOnePlusExp": lambda: graph.add("Softplus", [margins]),
    }
    return link[forest.link]()


def _times(graph: _Graph, source: str, factor: float) -> str:
    if factor == 1.0:
        return source
    return graph.add("Mul", [source, graph.single(factor)])
