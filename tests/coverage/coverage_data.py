"""Rows for each estimator, of each kind that it takes: to learn from, and fresh ones to be asked.

What an estimator takes is told by scikit-learn's own tags.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# float32: numbers that float32 holds. float64: full mantissas, and samples given to the build.
# decimal: two decimals, as tables have. missing: float32 with holes. category, text: as said.
DATA = ("float32", "float64", "decimal", "missing", "category", "text")
LEARN, FRESH, COLUMNS = 200, 200, 5
WORDS = [
    "harbour", "anchor", "keel", "rope", "Grüße", "café", "naïve", "мир", "世界", "the", "a", "42",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Data:
    """`samples`: what the build is given beside the model."""

    learn: Any
    target: Any
    fresh: Any
    samples: pd.DataFrame | None = None


def make_data(model: Any, tags: Any, kind: str) -> Data | None:
    """Rows of this kind for this estimator; None: it does not take them."""
    if kind == "text":
        return _documents() if hasattr(model, "build_analyzer") else None
    if kind == "category":
        takes = tags.input_tags.categorical or tags.input_tags.string
        counts = type(model).__name__ == "CategoricalNB"  # takes categories as numbers only
        return _categories() if takes and tags.input_tags.two_d_array and not counts else None
    return _numbers(model, tags, kind)


def _documents() -> Data:
    chooser = np.random.default_rng(0)
    texts = [" ".join(chooser.choice(WORDS, 6)) for _ in range(LEARN + FRESH)]
    return Data(learn=texts[:LEARN], target=None, fresh=texts[LEARN:])


def _categories() -> Data:
    levels = np.array(["red", "green", "blau", "äöü"], dtype=object)
    rows = np.random.default_rng(0).choice(levels, size=(LEARN + FRESH, 3))
    target = (rows[:LEARN, 0] == "red").astype(int)
    samples = pd.DataFrame(rows[:LEARN]).add_prefix("c")
    return Data(learn=rows[:LEARN], target=target, fresh=rows[LEARN:], samples=samples)


def _numbers(model: Any, tags: Any, kind: str) -> Data | None:
    chooser, name = np.random.default_rng(0), type(model).__name__
    flat = name == "IsotonicRegression"  # says that it takes one array, and takes one column
    inputs = tags.input_tags
    if not (inputs.two_d_array or flat) or (kind == "missing" and not inputs.allow_nan):
        return None
    shape = (LEARN + FRESH, 1 if flat else COLUMNS)
    rows = chooser.normal(size=shape) * 2
    if inputs.positive_only or name in _POSITIVE:
        rows = np.abs(rows) + 0.1
    if name == "CategoricalNB":
        rows = chooser.integers(0, 4, size=shape).astype(np.float64)
    clear = rows.copy()
    if kind == "decimal":
        rows = rows.round(2)
    elif kind != "float64":
        rows = rows.astype(np.float32).astype(np.float64)
    if kind == "missing":
        rows[chooser.random(rows.shape) < 0.15] = np.nan
    target = _target(model, tags, clear)
    return Data(
        learn=rows[:LEARN],
        target=None if target is None else target[:LEARN],
        fresh=rows[LEARN:],
        samples=pd.DataFrame(rows[:LEARN]).add_prefix("c") if kind == "float64" else None,
    )


_POSITIVE = (
    "AdditiveChi2Sampler",
    "SkewedChi2Sampler",
    "LatentDirichletAllocation",
    "BernoulliRBM",
)
_TWO_TARGETS = ("MultiTask", "CCA", "PLS", "MultiOutput", "ClassifierChain", "RegressorChain")


def _target(model: Any, tags: Any, rows: Any) -> Any:
    name = type(model).__name__
    first = rows[:, 0] + 0.3 * rows[:, -1]
    if name.startswith(_TWO_TARGETS):
        second = rows[:, 1] - rows[:, 0]
        both = np.column_stack([first, second])
        return (both > 0).astype(int) if "Classifier" in name else both
    if tags.classifier_tags is not None:
        if not tags.classifier_tags.multi_class or "Threshold" in name:
            return (first > np.median(first)).astype(int)
        return np.digitize(first, np.quantile(first, [0.4, 0.75]))
    if tags.target_tags.positive_only or tags.regressor_tags is not None:
        return np.abs(first) + 0.5
    return (first > np.median(first)).astype(int)
