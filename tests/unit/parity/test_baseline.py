"""The baseline counts every sample once, in bins that can be added up."""

import numpy as np

from slipway_runtime.artifact.manifest import Column, OutputTensor
from slipway_runtime.monitors.baseline import (
    MAX_CATEGORIES,
    count_categories,
    histogram,
    make_baseline,
)


def test_ten_bins_at_the_quantiles() -> None:
    told = histogram(np.arange(100.0))
    assert np.allclose(told["edges"], np.arange(1, 10) * 9.9)
    assert told["counts"] == [10] * 10


def test_equal_quantiles_become_one_edge_and_nothing_is_lost() -> None:
    told = histogram(np.array([1.0] * 95 + [2.0] * 5))
    assert told["edges"] == [1.0]
    assert told["counts"] == [95, 5]
    assert histogram(np.array([])) == {"edges": [], "counts": [0]}


def test_rare_categories_are_counted_together() -> None:
    values = np.array(["a"] * 3 + [f"v{n}" for n in range(MAX_CATEGORIES + 4)], dtype=object)
    told = count_categories(values)
    assert told["categories"][0] == {"value": "a", "count": 3}
    assert len(told["categories"]) == MAX_CATEGORIES
    assert told["other"] == 5


def test_columns_and_predictions() -> None:
    baseline = make_baseline(
        rows={
            "n": np.array([1.0, np.nan, 3.0]),
            "c": np.array(["x", None, "x"], dtype=object),
            "t": np.array(["ab", "abc", ""], dtype=object),
        },
        columns=[
            Column(name="n", kind="Numerical", missing_allowed=True),
            Column(name="c", kind="Categorical", missing_allowed=True),
            Column(name="t", kind="Text", missing_allowed=False),
        ],
        answers={"label": np.array([1, 1, 0]), "probabilities": np.ones((3, 2))},
        outputs=[
            OutputTensor(name="label", datatype="INT64", shape=(-1,), role="Label"),
            OutputTensor(
                name="probabilities", datatype="FP32", shape=(-1, 2), role="Probabilities"
            ),
        ],
    )
    number, category, text = baseline["columns"]
    assert (baseline["rows"], number["missing"], category["missing"]) == (3, 1, 1)
    assert sum(number["counts"]) == 2
    assert category["categories"] == [{"value": "x", "count": 2}]
    assert sum(text["counts"]) == 3
    assert baseline["predictions"] == [
        {
            "output": "label",
            "categories": [{"value": 1, "count": 2}, {"value": 0, "count": 1}],
            "other": 0,
        }
    ]
