"""scikit-learn's histogram gradient boosting as a `Forest`.

A row goes left where `x <= threshold`, both in float64, and the threshold is often a value of the
training rows, to the last bit. The categories of a set go left; a missing or an unknown one goes
where the split sends what is missing. Categories come first in what the trees see: see
`column_order`.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.boosters.forest import (
    Categories,
    Forest,
    Link,
    Nodes,
    NotRead,
    Split,
    refuse_odd_categories,
)

_LINKS: dict[str, Link] = {
    "IdentityLink": "Identity", "LogLink": "Exp", "LogitLink": "Sigmoid",
    "MultinomialLogit": "Softmax",
}  # fmt: skip
_BITS = 32


def read_histogram(model: Any) -> Forest:
    """Read a fitted HistGradientBoostingClassifier or HistGradientBoostingRegressor.

    Raises:
        NotRead: a loss of one's own, categories that are no text or numbers, or categories in the
            way of scikit-learn before 1.4.
    """
    link = _LINKS.get(type(model._loss.link).__name__)
    if link is None:
        raise NotRead(f"the link {type(model._loss.link).__name__}")
    margins = int(model.n_trees_per_iteration_)
    categories = histogram_categories(model)
    refuse_odd_categories(categories)
    order = column_order(model)
    nodes = Nodes()
    for turn, trees in enumerate(model._predictors):
        for margin, tree in enumerate(trees):
            _add_tree(nodes, turn * margins + margin, tree, margin, order)
    base = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    return Forest(
        width=int(model.n_features_in_),
        margins=margins,
        base=np.broadcast_to(base, (margins,)),
        single=False,
        link=link,
        nodes=nodes,
        coded=frozenset(categories),
        categories=categories,
    )


def column_order(model: Any) -> NDArray[np.intp]:
    """The column of the rows behind each feature of the trees: those of categories come first."""
    told = getattr(model, "is_categorical_", None)
    if told is None or getattr(model, "_preprocessor", None) is None:
        return np.arange(int(model.n_features_in_))
    return np.concatenate([np.flatnonzero(told), np.flatnonzero(~np.asarray(told))])


def histogram_categories(model: Any) -> Categories:
    """By column, the categories that it was trained on, without a missing one.

    Raises:
        NotRead: its columns hold codes themselves, as before scikit-learn 1.4.
    """
    told = getattr(model, "is_categorical_", None)
    if told is None or not np.any(told):
        return {}
    if getattr(model, "_preprocessor", None) is None:
        raise NotRead("categories in the way of scikit-learn before 1.4")
    encoder = model._preprocessor.named_transformers_["encoder"]
    return {
        int(column): tuple(value for value in known.tolist() if not _is_hole(value))
        for column, known in zip(np.flatnonzero(told), encoder.categories_, strict=True)
    }


def _is_hole(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _add_tree(nodes: Nodes, number: int, tree: Any, margin: int, order: NDArray[np.intp]) -> None:
    free = len(tree.nodes)
    for at, node in enumerate(tree.nodes):
        if node["is_leaf"]:
            nodes.add_leaf(number, at, {margin: float(node["value"])})
            continue
        split = Split(
            feature=int(order[node["feature_idx"]]),
            rule="EQ" if node["is_categorical"] else "LEQ",
            value=float(node["num_threshold"]),
            yes=int(node["left"]),
            no=int(node["right"]),
            missing_yes=bool(node["missing_go_to_left"]),
        )
        if split.rule == "EQ":
            members = _members(tree.raw_left_cat_bitsets[node["bitset_idx"]])
            free = nodes.add_member_split(number, at, split, members, free)
        else:
            nodes.add_split(number, at, split)


def _members(bits: NDArray[np.uint32]) -> list[int]:
    return [
        code for code in range(_BITS * len(bits)) if int(bits[code // _BITS]) >> (code % _BITS) & 1
    ]
