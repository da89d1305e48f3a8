"""Sends a missing value down the same side of each tree as scikit-learn does.

skl2onnx writes "to the right" for every split of DecisionTree, forests and their kin; scikit-learn
learnt a side (`missing_go_to_left`). The trees of a graph are matched to the model's by their
splits; what does not match is left alone, and parity on rows with missing values decides.
"""

from typing import Any

import numpy as np

from slipway_runtime.contract_of.unwrap import nested

_TREE_OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")


def send_missing_like_sklearn(onnx_model: Any, model: object) -> None:
    """Set `nodes_missing_value_tracks_true` of the graph's trees from the fitted trees."""
    operators = [node for node in onnx_model.graph.node if node.op_type in _TREE_OPERATORS]
    if not operators:
        return
    groups = [_trees(part) for part in nested(model)]
    by_shape: dict[tuple[int, ...], np.ndarray[Any, Any]] = {}
    for trees in groups:
        if trees:
            by_shape.setdefault(_shape_of(trees), np.concatenate([_sides(tree) for tree in trees]))
    for operator in operators:
        attributes = {attribute.name: attribute for attribute in operator.attribute}
        features = attributes["nodes_featureids"].ints
        sides = by_shape.get(tuple(features))
        if sides is not None:
            attribute = attributes["nodes_missing_value_tracks_true"]
            del attribute.ints[:]
            attribute.ints.extend(int(side) for side in sides)


def _trees(part: object) -> list[Any]:
    """The fitted trees of one estimator, in the order in which they are converted."""
    if hasattr(part, "tree_"):
        return [part.tree_]
    members = getattr(part, "estimators_", None)
    if members is None or hasattr(part, "estimators_features_"):
        return []
    flat = list(np.asarray(members, dtype=object).ravel())
    return [member.tree_ for member in flat] if all(hasattr(m, "tree_") for m in flat) else []


def _shape_of(trees: list[Any]) -> tuple[int, ...]:
    """The feature of every node, leaves counting as 0: as the converter writes it."""
    return tuple(int(feature) if feature >= 0 else 0 for tree in trees for feature in tree.feature)


def _sides(tree: Any) -> "np.ndarray[Any, Any]":
    """1 where a missing value goes left (the branch of `<=`), a number a node."""
    nodes = tree.__getstate__()["nodes"]
    if "missing_go_to_left" not in (nodes.dtype.names or ()):  # trees of scikit-learn before 1.3
        return np.zeros(tree.node_count, dtype=np.int64)
    inner = tree.children_left != tree.children_right
    return np.where(inner, nodes["missing_go_to_left"], 0).astype(np.int64)
