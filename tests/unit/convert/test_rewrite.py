"""Rewrites of a copy leave the model's answers, and the model itself, as they were."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from slipway_runtime.convert.rewrite import (
    has_sparse_encoding,
    rewrite_for_onnx,
    round_down_to_float32,
    thresholds_for_float32,
)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        pytest.param(0.1, 0.09999999403953552, id="between two"),
        pytest.param(0.5, 0.5, id="exact"),
        pytest.param(-0.1, -0.10000000149011612, id="negative"),
        pytest.param(np.inf, np.inf, id="infinite"),
        pytest.param(1e300, float(np.finfo(np.float32).max), id="too large"),
    ],
)
def test_rounding_down(value: float, rounded: float) -> None:
    assert round_down_to_float32(np.array([value]))[0] == rounded


@pytest.mark.parametrize(
    ("threshold", "value"),
    [
        pytest.param(39.1, 39.1, id="a decimal on its threshold"),
        pytest.param(39.099999999999994, 39.1, id="a decimal just above"),
        pytest.param(0.1 + 0.2, 0.3, id="a decimal just below"),
        pytest.param(1234.565, 1234.56, id="below"),
        pytest.param(1234.565, 1234.57, id="above"),
        pytest.param(1 / 3, float(np.float32(1 / 3)), id="float32 beside a threshold"),
        pytest.param(np.inf, 1e30, id="infinite"),
    ],
)
def test_what_a_row_holds_goes_the_same_way(threshold: float, value: float) -> None:
    rounded = thresholds_for_float32(np.array([threshold]))[0]
    assert (np.float32(value) <= rounded) == (value <= threshold)


def test_rounded_thresholds_change_no_answer_on_float32_rows() -> None:
    rows, target = load_diabetes(return_X_y=True)
    model = VotingRegressor([("one", HistGradientBoostingRegressor(max_iter=20))])
    model.fit(rows, target)
    before = model.predict(rows)
    twin = rewrite_for_onnx(model)
    single = rows.astype(np.float32).astype(np.float64)
    assert twin is not model
    assert twin.predict(single).tolist() == model.predict(single).tolist()  # type: ignore[attr-defined]
    assert model.predict(rows).tolist() == before.tolist()


def test_missing_text_becomes_empty_text_in_the_copy_only() -> None:
    rows = np.array([["a"], ["b"], [np.nan], ["b"]], dtype=object)
    model = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    ).fit(rows)
    twin = rewrite_for_onnx(model)
    empty = np.array([["a"], ["b"], [""], ["b"]], dtype=object)
    wanted = model.transform(rows).toarray().tolist()
    assert twin.transform(empty).toarray().tolist() == wanted  # type: ignore[attr-defined]
    assert np.isnan(model[0].missing_values)


def test_a_model_that_needs_nothing_is_not_copied() -> None:
    model = OneHotEncoder().fit([["a"], ["b"]])
    assert rewrite_for_onnx(model) is model
    assert has_sparse_encoding(model)
    dense = rewrite_for_onnx(model, dense=True)
    assert not has_sparse_encoding(dense)
    assert model.sparse_output
