"""XGBoost's own JSON as a `Forest`.

The layout is XGBoost's documented model schema. Its numbers are float32, written with just enough
digits. A row goes left where `x < split_condition`, both in float32; the listed categories of a
categorical split go right; a missing value goes the default way. Base scores are kept in the
answer's unit and become margins here.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
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
    "binary:logistic": "Sigmoid", "reg:logistic": "Sigmoid",
    "binary:logitraw": "Identity", "binary:hinge": "Step",
    "multi:softprob": "Softmax", "multi:softmax": "Softmax",
    "reg:squarederror": "Identity", "reg:linear": "Identity", "reg:squaredlogerror": "Identity",
    "reg:pseudohubererror": "Identity", "reg:absoluteerror": "Identity",
    "reg:quantileerror": "Identity", "reg:expectileerror": "Identity",
    "count:poisson": "Exp", "reg:gamma": "Exp", "reg:tweedie": "Exp",
    "survival:cox": "Exp", "survival:aft": "Exp",
    "rank:pairwise": "Identity", "rank:ndcg": "Identity", "rank:map": "Identity",
}  # fmt: skip
_LOGIT_BASE = ("binary:logistic", "reg:logistic")


def read_xgboost(model: Any) -> Forest:
    """Read an `XGBModel` (or a subclass).

    Raises:
        NotRead: an objective of one's own, vector leaves, or categories that are no text or codes.
    """
    booster = model.get_booster()
    learner = orjson.loads(bytes(booster.save_raw("json")))["learner"]
    objective = str(learner["objective"]["name"])
    link = _LINKS.get(objective)
    if link is None or callable(getattr(model, "objective", None)):
        raise NotRead(f'objective "{objective if link is None else "of its own"}" of XGBoost')
    parameters = learner["learner_model_param"]
    width, targets = int(parameters["num_feature"]), int(parameters.get("num_target", "1"))
    if targets > 1 and hasattr(model, "n_classes_"):
        raise NotRead("several labels a row")
    margins = max(int(parameters["num_class"]), targets, 1)
    base = _base(str(parameters["base_score"]), objective, link, margins)
    boosted = learner["gradient_booster"]
    marker = getattr(model, "missing", float("nan"))
    marker = float("nan") if marker is None else float(marker)
    if boosted["name"] == "gblinear":
        weights = _single(boosted["model"]["weights"]).reshape(width + 1, margins)
        # XGBoost itself adds the first class's base score to every class here (3.2, measured).
        return Forest(
            width=width, margins=margins, base=base[0] + weights[-1], single=True, link=link,
            linear=weights[:-1], marker=marker,
        )  # fmt: skip
    kept = boosted["gbtree"]["model"] if boosted["name"] == "dart" else boosted["model"]
    shares = boosted.get("weight_drop") or [1.0] * len(kept["trees"])
    categories = _categories(kept.get("cats") or {})
    refuse_odd_categories(categories)
    nodes, coded = Nodes(), set()
    for number in range(_tree_count(model, booster, kept)):
        tree = kept["trees"][number]
        coded |= _add_tree(nodes, number, tree, int(kept["tree_info"][number]), shares[number])
    return Forest(
        width=width, margins=margins, base=base, single=True, link=link, nodes=nodes,
        marker=marker, coded=frozenset(coded | set(categories)), categories=categories,
    )  # fmt: skip


def _single(values: Any) -> NDArray[np.float64]:
    """What a decimal text stands for: the nearest float32."""
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def _base(text: str, objective: str, link: Link, margins: int) -> NDArray[np.float64]:
    found = np.atleast_1d(_single(orjson.loads(text)))
    if objective in _LOGIT_BASE:
        clipped = np.clip(found, 1e-16, 1 - 1e-16)
        found = np.log(clipped / (1 - clipped))
    elif link == "Exp":
        found = np.log(found)
    return np.broadcast_to(found, (margins,)).astype(np.float64)


def _tree_count(model: Any, booster: Any, kept: dict[str, Any]) -> int:
    """Trees that `predict` uses: up to the best round of early stopping, as the wrapper does."""
    last = model._get_iteration_range(None)[1]
    rounds = kept.get("iteration_indptr")
    if not last or last >= booster.num_boosted_rounds():
        return len(kept["trees"])
    if rounds is None:
        raise NotRead("early stopping in a model of a version that does not tell its rounds")
    return int(rounds[last])


def _add_tree(
    nodes: Nodes, number: int, tree: dict[str, Any], margin: int, share: float
) -> set[int]:
    if int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
        raise NotRead("leaves with a value for each target (multi_strategy multi_output_tree)")
    members = {
        int(node): [int(code) for code in tree["categories"][start : start + size]]
        for node, start, size in zip(
            tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"],
            strict=True,
        )
    }  # fmt: skip
    coded: set[int] = set()
    left, right, default = tree["left_children"], tree["right_children"], tree["default_left"]
    free = len(left)
    waiting = [0]
    while waiting:
        at = waiting.pop()
        value = float(np.float32(tree["split_conditions"][at]))
        if left[at] < 0:
            nodes.add_leaf(number, at, {margin: value * share})
            continue
        feature, lower, upper = int(tree["split_indices"][at]), int(left[at]), int(right[at])
        waiting += [upper, lower]
        known = Split(
            feature=feature, rule="LT", value=value, yes=lower, no=upper,
            missing_yes=bool(default[at]),
        )  # fmt: skip
        if at not in members:
            nodes.add_split(number, at, known)
            continue
        coded.add(feature)
        known = replace(known, rule="EQ", yes=upper, no=lower, missing_yes=not default[at])
        free = nodes.add_member_split(number, at, known, members[at], free)
    return coded


def xgboost_categories(model: Any) -> Categories:
    """By column, the values of the pandas categories that the model was trained on."""
    boosted = orjson.loads(bytes(model.get_booster().save_raw("json")))["learner"][
        "gradient_booster"
    ]
    kept = boosted["gbtree"]["model"] if boosted["name"] == "dart" else boosted["model"]
    return _categories(kept.get("cats") or {})


def _categories(cats: dict[str, Any]) -> Categories:
    """Values of each categorical column: text as offsets into its bytes, or numbers."""
    held: dict[int, tuple[str | int | float | bool, ...]] = {}
    for column, known in enumerate(cats.get("enc") or ()):
        values, offsets = known["values"], known.get("offsets")
        if not values:
            continue
        if offsets:
            text = bytes(int(byte) & 0xFF for byte in values)
            held[column] = tuple(text[start:end].decode() for start, end in pairwise(offsets))
        elif all(float(value) == int(value) for value in values):
            held[column] = tuple(int(value) for value in values)
        else:
            held[column] = tuple(float(value) for value in values)
    return held
