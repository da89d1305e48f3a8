"""CatBoost's own JSON as a `Forest`.

A row goes to the upper side where `x > border`, both in float32. Symmetric trees hold one split a
level; leaf i is reached where bit l of i tells the side of level l. Features made of categories,
text or embeddings are not read.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from slipway_runtime.boosters.forest import Forest, Link, Nodes, NotRead, Split

_LINKS: dict[str, Link] = {
    "Logloss": "Sigmoid", "CrossEntropy": "Sigmoid", "MultiClassOneVsAll": "Sigmoid",
    "Focal": "Sigmoid", "MultiClass": "Softmax", "Poisson": "Exp", "Tweedie": "Exp",
    "RMSE": "Identity", "MAE": "Identity", "Quantile": "Identity", "MultiQuantile": "Identity",
    "MAPE": "Identity", "Huber": "Identity", "LogCosh": "Identity", "Lq": "Identity",
    "Expectile": "Identity", "MultiRMSE": "Identity", "YetiRank": "Identity",
    "YetiRankPairwise": "Identity", "PairLogit": "Identity", "PairLogitPairwise": "Identity",
    "QueryRMSE": "Identity", "QuerySoftMax": "Identity",
}  # fmt: skip


def read_catboost(model: Any) -> Forest:
    """Read a `CatBoostClassifier`, `CatBoostRegressor` or `CatBoostRanker`.

    Raises:
        NotRead: features of categories, text or embeddings, or a loss that is not known.
    """
    for kind, places in (
        ("categories", model.get_cat_feature_indices()),
        ("text", model.get_text_feature_indices()),
        ("embeddings", model.get_embedding_feature_indices()),
    ):
        if places:
            raise NotRead(f"CatBoost's own features made of {kind}")
    loss = loss_of(model)
    link = _LINKS.get(loss)
    if link is None:
        raise NotRead(f'loss function "{loss}" of CatBoost')
    dump = _dump(model)
    scale, bias = dump["scale_and_bias"]
    base = np.atleast_1d(np.asarray(bias, dtype=np.float64))
    columns, missing_above = {}, {}
    for told in dump["features_info"].get("float_features", ()):
        columns[told["feature_index"]] = told["flat_feature_index"]
        missing_above[told["feature_index"]] = told["nan_value_treatment"] == "AsTrue"
    writer = _Writer(columns, missing_above, float(scale))
    for number, tree in enumerate(dump.get("oblivious_trees") or ()):
        writer.add_symmetric(number, tree)
    for number, tree in enumerate(dump.get("trees") or ()):
        writer.add_any(number, tree)
    margins = max(len(base), writer.margins)
    return Forest(
        width=len(model.feature_names_),
        margins=margins,
        base=np.broadcast_to(base, (margins,)).astype(np.float64),
        single=True,
        link=link,
        nodes=writer.nodes,
    )


def loss_of(model: Any) -> str:
    """The loss function's name, without its options; of one's own: `PythonUserDefined…`."""
    stated = model.get_params().get("loss_function")
    if stated is not None and not isinstance(stated, str):
        return "PythonUserDefined"
    told = model.get_all_params().get("loss_function") or stated or "RMSE"
    return str(told).split(":")[0]


def _dump(model: Any) -> dict[str, Any]:
    """CatBoost writes JSON to files only."""
    from catboost import CatBoostError

    try:
        with tempfile.TemporaryDirectory(prefix="slipway-catboost-") as folder:
            path = Path(folder) / "model.json"
            model.save_model(str(path), format="json")
            dump: dict[str, Any] = orjson.loads(path.read_bytes())
            return dump
    except (OSError, CatBoostError) as error:
        raise NotRead("no place to write CatBoost's JSON to") from error


class _Writer:
    def __init__(
        self, columns: dict[int, int], missing_above: dict[int, bool], scale: float
    ) -> None:
        self.nodes = Nodes()
        self.margins = 1
        self._columns = columns
        self._missing_above = missing_above
        self._scale = scale

    def add_symmetric(self, number: int, tree: dict[str, Any]) -> None:
        """A full binary tree; the last split of the list is its root's (the highest bit)."""
        splits = list(reversed(tree.get("splits") or ()))
        depth = len(splits)
        values = np.asarray(tree["leaf_values"], dtype=np.float64)
        leaves = values.reshape(1 << depth, -1)
        first_leaf = (1 << depth) - 1
        for level, split in enumerate(splits):
            for at in range((1 << level) - 1, (2 << level) - 1):
                self._split(number, at, split, 2 * at + 2, 2 * at + 1)
        for place, leaf in enumerate(leaves):
            self._leaf(number, first_leaf + place, leaf)

    def add_any(self, number: int, root: dict[str, Any]) -> None:
        """A tree that grew by depth or by loss: nested nodes."""
        numbered, waiting = 1, [(0, root)]
        while waiting:
            at, node = waiting.pop()
            if "split" not in node:
                self._leaf(number, at, np.atleast_1d(np.asarray(node["value"], dtype=np.float64)))
                continue
            lower, upper = numbered, numbered + 1
            numbered += 2
            waiting += [(lower, node["left"]), (upper, node["right"])]
            self._split(number, at, node["split"], upper, lower)

    def _split(self, number: int, at: int, split: dict[str, Any], above: int, below: int) -> None:
        if split["split_type"] != "FloatFeature":
            raise NotRead(f'a split of type "{split["split_type"]}"')
        feature = int(split["float_feature_index"])
        told = Split(
            feature=self._columns[feature],
            rule="GT",
            value=float(np.float32(split["border"])),
            yes=above,
            no=below,
            missing_yes=self._missing_above[feature],
        )
        self.nodes.add_split(number, at, told)

    def _leaf(self, number: int, at: int, values: Any) -> None:
        self.margins = max(self.margins, len(values))
        weights = {margin: float(value) * self._scale for margin, value in enumerate(values)}
        self.nodes.add_leaf(number, at, weights)
