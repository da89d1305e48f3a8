"""OneHotEncoder of numbers that are not whole, and TargetEncoder of numbers with a missing one.

skl2onnx refuses the first and takes the missing category of the second for an unknown one. All
else of both stays with skl2onnx.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from slipway_runtime.convert.own.delegates import find_classes
from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    from skl2onnx.operator_converters.one_hot_encoder import convert_sklearn_one_hot_encoder
    from skl2onnx.shape_calculators.one_hot_encoder import (
        calculate_sklearn_one_hot_encoder_output_shapes,
    )

    theirs = (convert_sklearn_one_hot_encoder, calculate_sklearn_one_hot_encoder_output_shapes)
    _share(registry, OneHotEncoder, _one_hot, *theirs)
    for kind in find_classes("sklearn.preprocessing", "TargetEncoder"):
        _register_target(registry, kind)


def _register_target(registry: Registry, kind: type) -> None:
    from skl2onnx.operator_converters.target_encoder import convert_sklearn_target_encoder
    from skl2onnx.shape_calculators.target_encoder import (
        calculate_sklearn_target_encoder_output_shapes,
    )

    theirs = (convert_sklearn_target_encoder, calculate_sklearn_target_encoder_output_shapes)
    _share(registry, kind, _target, *theirs)


def _share(registry: Registry, kind: type, write: Any, convert: Any, shape: Any) -> None:
    """Ours where `_is_ours`, skl2onnx's else."""
    registry.add(kind, write)
    own_convert, own_shape = registry.converters[kind], registry.shapes[kind]

    def choose(scope: Any, operator: Any, container: Any) -> None:
        (own_convert if _is_ours(operator.raw_operator) else convert)(scope, operator, container)

    registry.converters[kind] = choose
    registry.shapes[kind] = lambda operator: (
        own_shape if _is_ours(operator.raw_operator) else shape
    )(operator)


def _is_ours(encoder: Any) -> bool:
    known = [np.asarray(each) for each in encoder.categories_]
    if any(each.dtype.kind != "f" for each in known):
        return False
    if hasattr(encoder, "target_mean_"):
        return any(np.isnan(each).any() for each in known)
    return any((each[np.isfinite(each)] % 1 != 0).any() for each in known)


def _one_hot(nodes: Nodes) -> None:
    encoder = nodes.model
    if getattr(encoder, "_infrequent_enabled", False):
        raise NotImplementedError("OneHotEncoder of fractions has no conversion of rare categories")
    dropped = encoder.drop_idx_
    rows, columns = nodes.rows(), []
    for column, known in enumerate(encoder.categories_):
        hit = _hits(nodes, rows, column, known)
        if dropped is not None and dropped[column] is not None:
            kept = np.delete(np.arange(len(known)), int(dropped[column]))
            hit = nodes.pick(hit, kept)
        columns.append(hit)
    nodes.give(nodes.add("Concat", *columns, axis=1))


def _target(nodes: Nodes) -> None:
    """mean + Σ hit · (encoding - mean): the mean is left where no category is hit."""
    encoder = nodes.model
    classes = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
    means = np.broadcast_to(np.asarray(encoder.target_mean_, dtype=np.float64), (classes,))
    rows, columns = nodes.rows(), []
    for column, known in enumerate(encoder.categories_):
        told = np.array(encoder.encodings_[column * classes : (column + 1) * classes])
        hit = _hits(nodes, rows, column, known)
        columns.append(nodes.affine(hit, (told - means[:, None]).T, means[None]))
    nodes.give(nodes.add("Concat", *columns, axis=1))


def _hits(nodes: Nodes, rows: str, column: int, known: NDArray[Any]) -> str:
    """1 where the value is the category, `[rows, categories]`; NaN is one of them, the last."""
    finite = np.asarray(known[~np.isnan(known)], dtype=nodes.dtype)
    if len(np.unique(finite)) < np.count_nonzero(~np.isnan(known)):
        raise NotImplementedError("two categories are the same number in float32")
    value = nodes.pick(rows, np.array([column]))
    hit = nodes.cast(nodes.add("Equal", value, nodes.floats(finite[None])), nodes.element)
    if len(finite) == len(known):
        return hit
    return nodes.add("Concat", hit, nodes.cast(nodes.add("IsNaN", value), nodes.element), axis=1)
