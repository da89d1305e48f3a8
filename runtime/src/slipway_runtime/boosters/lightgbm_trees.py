"""LightGBM's own dump as a `Forest`.

A row goes left where `x <= threshold`, both in float64; the listed categories of a categorical
split go left, a missing or unknown one right. What is missing is told per split: NaN, zeros too, or
nothing (NaN then counts as 0).
"""

from typing import Any

import numpy as np

from slipway_runtime.boosters.forest import (
    Categories,
    Forest,
    Link,
    Nodes,
    NotRead,
    Rule,
    Split,
    refuse_odd_categories,
)

_LINKS: dict[str, Link] = {
    "regression": "Identity", "regression_l1": "Identity", "huber": "Identity", "fair": "Identity",
    "quantile": "Identity", "mape": "Identity", "lambdarank": "Identity",
    "rank_xendcg": "Identity", "poisson": "Exp", "gamma": "Exp", "tweedie": "Exp",
    "binary": "Sigmoid", "multiclassova": "Sigmoid", "cross_entropy": "Sigmoid",
    "multiclass": "Softmax", "cross_entropy_lambda": "LogOnePlusExp",
}  # fmt: skip


def read_lightgbm(model: Any) -> Forest:
    """Read an `LGBMModel`, or our own wrapper of a `Booster`.

    Raises:
        NotRead: an objective of one's own, linear leaves, or categories that are no text or codes.
    """
    booster = model.booster_
    best = getattr(model, "best_iteration_", None) or -1
    dump = booster.dump_model(num_iteration=best)
    words = str(dump.get("objective", "none")).split() or ["none"]
    link = _LINKS.get(words[0])
    if link is None or callable(getattr(model, "objective", None)):
        raise NotRead(f'objective "{words[0] if link is None else "of its own"}" of LightGBM')
    options = dict(word.split(":", 1) for word in words[1:] if ":" in word)
    if words[0].startswith("regression") and "sqrt" in words[1:]:
        link = "SignedSquare"
    categories = lightgbm_categories(model)
    if booster.pandas_categorical and not categories:
        raise NotRead("columns of codes beside pandas' own categories")
    refuse_odd_categories(categories)
    margins = int(dump["num_tree_per_iteration"])
    trees = dump["tree_info"]
    share = margins / len(trees) if dump.get("average_output") and trees else 1.0
    reader = _Reader(share)
    for tree in trees:
        reader.add_tree(int(tree["tree_index"]), tree["tree_structure"], margins)
    return Forest(
        width=int(dump["max_feature_idx"]) + 1,
        margins=margins,
        base=np.zeros(margins),
        single=False,
        link=link,
        factor=float(options.get("sigmoid", 1.0)) if link == "Sigmoid" else 1.0,
        nodes=reader.nodes,
        zero_missing=reader.zero_missing(),
        coded=frozenset(reader.coded),
        categories=categories,
        ranges=_ranges(dump),
    )


class _Reader:
    def __init__(self, share: float) -> None:
        self.nodes = Nodes()
        self.coded: set[int] = set()
        self._share = share
        self._missing: dict[int, set[str]] = {}

    def zero_missing(self) -> frozenset[int]:
        for feature, kinds in self._missing.items():
            if "Zero" in kinds and len(kinds) > 1:
                raise NotRead(f"column {feature} counts zeros as missing in some trees only")
        return frozenset(f for f, kinds in self._missing.items() if kinds == {"Zero"})

    def add_tree(self, number: int, root: dict[str, Any], margins: int) -> None:
        free = _count(root)
        numbered, waiting = 1, [(0, root)]
        while waiting:
            at, node = waiting.pop()
            if "split_feature" not in node:
                if node.get("leaf_coeff") or node.get("leaf_features"):
                    raise NotRead("linear models in the leaves (linear_tree)")
                weight = float(node["leaf_value"]) * self._share
                self.nodes.add_leaf(number, at, {number % margins: weight})
                continue
            left, right = numbered, numbered + 1
            numbered += 2
            waiting += [(right, node["right_child"]), (left, node["left_child"])]
            split = self._split(node, numbered - 2)
            if split.rule == "EQ":
                members = [int(code) for code in str(node["threshold"]).split("||")]
                free = self.nodes.add_member_split(number, at, split, members, free)
            else:
                self.nodes.add_split(number, at, split)

    def _split(self, node: dict[str, Any], left: int) -> Split:
        feature, threshold = int(node["split_feature"]), 0.0
        if node["decision_type"] == "==":
            self.coded.add(feature)
            rule: Rule = "EQ"
            missing = False
        else:
            rule, threshold = "LEQ", float(node["threshold"])
            kind = str(node["missing_type"])
            self._missing.setdefault(feature, set()).add(kind)
            missing = threshold >= 0 if kind == "None" else bool(node["default_left"])
        return Split(
            feature=feature, rule=rule, value=threshold, yes=left, no=left + 1, missing_yes=missing
        )


def _count(root: dict[str, Any]) -> int:
    waiting, found = [root], 0
    while waiting:
        node = waiting.pop()
        found += 1
        if "split_feature" in node:
            waiting += [node["left_child"], node["right_child"]]
    return found


def lightgbm_categories(model: Any) -> Categories:
    """By column, the values of the pandas categories that the model was trained on, by code."""
    told = model.booster_.pandas_categorical
    places = _categorical_columns(model.booster_) if told else []
    if len(places) != len(told or ()):
        return {}  # columns of codes beside pandas' own: which is which is not told
    return {place: tuple(values) for place, values in zip(places, told or (), strict=True)}


def _categorical_columns(booster: Any) -> list[int]:
    """Columns that were trained as categories, as the model's own text says."""
    for line in booster.model_to_string(num_iteration=1).splitlines():
        if line.startswith("[categorical_feature: "):
            listed = line.removeprefix("[categorical_feature: ").rstrip("]")
            return [int(word) for word in listed.split(",") if word]
    return []


def _ranges(dump: dict[str, Any]) -> dict[int, tuple[float, float]]:
    """Smallest and largest training value of each column with numbers."""
    found = {}
    for column, name in enumerate(dump["feature_names"]):
        told = dump.get("feature_infos", {}).get(name)
        if told and not told.get("values") and told["min_value"] < told["max_value"]:
            found[column] = (float(told["min_value"]), float(told["max_value"]))
    return found
