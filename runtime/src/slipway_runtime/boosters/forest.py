"""A boosted model as plain arrays: what the three frameworks have in common, and nothing else.

The readers (`xgboost_trees`, `lightgbm_trees`, `catboost_trees`) make it out of a fitted model;
`write_onnx` turns it into a graph, and `contract_of` takes thresholds out of it. A combination that
a reader does not know exactly is not read: the model is then served by its own code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["LT", "LEQ", "GT", "EQ", "LEAF"]
Link = Literal[
    "Identity",  # margin
    "Sigmoid",  # 1 / (1 + exp(-factor · margin)), each by itself
    "Softmax",
    "Exp",
    "Step",  # 1 where margin > 0, else 0
    "SignedSquare",  # sign(margin) · margin²
    "LogOnePlusExp",  # log(1 + exp(margin))
]


Categories = Mapping[int, tuple[str | int | float | bool, ...]]


class NotRead(Exception):
    """The model uses something whose conversion is not known to be exact; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where `rule` holds between the feature and `value` a row goes to node `yes`, else to `no`.

    A row without the feature goes to `yes` where `missing_yes`.
    """

    feature: int
    rule: Rule
    value: float
    yes: int
    no: int
    missing_yes: bool


_LEAF = Split(feature=0, rule="LEAF", value=0.0, yes=0, no=0, missing_yes=False)


@dataclass(slots=True)
class Nodes:
    """All nodes of all trees, a list an attribute of ONNX's TreeEnsembleRegressor; roots first."""

    tree: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    split: list[Split] = field(default_factory=list)
    leaf_tree: list[int] = field(default_factory=list)
    leaf_node: list[int] = field(default_factory=list)
    leaf_margin: list[int] = field(default_factory=list)
    leaf_weight: list[float] = field(default_factory=list)

    def add_split(self, tree: int, node: int, split: Split) -> None:
        self.tree.append(tree)
        self.node.append(node)
        self.split.append(split)

    def add_leaf(self, tree: int, node: int, weights: Mapping[int, float]) -> None:
        """A leaf; `weights` by margin."""
        self.add_split(tree, node, _LEAF)
        for margin, weight in weights.items():
            self.leaf_tree.append(tree)
            self.leaf_node.append(node)
            self.leaf_margin.append(margin)
            self.leaf_weight.append(weight)

    def add_member_split(
        self, tree: int, node: int, split: Split, members: list[int], free: int
    ) -> int:
        """A split on a set of categories: a chain of equalities that share their children.

        Args:
            free: the first node number of this tree that is not in use.

        Returns:
            The first node number that is not in use afterwards.

        Raises:
            NotRead: there is no category in the set.
        """
        if not members:
            raise NotRead("a split on an empty set of categories")
        at = node
        for member in members[:-1]:
            self.add_split(tree, at, replace(split, value=float(member), no=free))
            at, free = free, free + 1
        self.add_split(tree, at, replace(split, value=float(members[-1])))
        return free


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A fitted booster.

    Attributes:
        width: columns that it takes.
        margins: sums that it makes, one a class or target (1 for two classes).
        base: added to each margin, `[margins]`.
        single: it looks at its columns as float32, whatever they came as.
        link: what turns margins into its answer.
        factor: see `Link`.
        linear: weights `[width, margins]` in the place of trees; a missing value counts as 0.
        marker: the number that stands for a missing value (NaN is missing all the same).
        zero_missing: columns whose zeros count as missing.
        coded: columns that are codes of categories: truncated to whole numbers.
        categories: by column, the values that the codes 0, 1, … stand for, where the model says so.
        ranges: by column, smallest and largest value of the training rows.
    """

    width: int
    margins: int
    base: NDArray[np.float64]
    single: bool
    link: Link
    factor: float = 1.0
    nodes: Nodes = field(default_factory=Nodes)
    linear: NDArray[np.float64] | None = None
    marker: float = float("nan")
    zero_missing: frozenset[int] = frozenset()
    coded: frozenset[int] = frozenset()
    categories: Categories = field(default_factory=dict)
    ranges: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    def thresholds(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Columns, and the largest values on the lower side of each split (codes: themselves)."""
        features, values = [], []
        for split in self.nodes.split:
            if split.rule == "LEAF":
                continue
            value = split.value
            if split.rule == "LT":
                value = float(np.nextafter(np.float32(value), np.float32(-np.inf)))
            features.append(split.feature)
            values.append(value)
        return np.array(features, dtype=np.intp), np.array(values, dtype=np.float64)


def refuse_odd_categories(categories: Categories) -> None:
    """Codes can be looked up for text, for whole numbers, and for numbers that float32 holds.

    Raises:
        NotRead: some column's categories are neither.
    """
    for values in categories.values():
        if all(isinstance(value, str) for value in values):
            continue
        numbers = [value for value in values if isinstance(value, int | float)]
        if len(numbers) < len(values) or any(isinstance(value, bool) for value in numbers):
            raise NotRead("categories that are neither text nor numbers")
        exact = all(isinstance(value, int) for value in numbers)
        if not exact and any(float(np.float32(value)) != value for value in numbers):
            raise NotRead("categories that are numbers with more digits than float32 has")
