"""What does not convert, or converts wrongly, is served natively with the reason, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OrdinalEncoder,
    SplineTransformer,
    StandardScaler,
)

import convert_models as given
from slipway_runtime.errors import BuildError

CANCER = load_breast_cancer()
DIABETES = load_diabetes()
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DOCUMENTS = ["fox and hound", "the quick fox", "dog and cat", "a quick dog"] * 5


def _function() -> Any:
    model = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression())
    return model.fit(CANCER.data, CANCER.target)


def _indicator() -> Any:
    return given.penguin_pipeline(add_indicator=True)


def _spline() -> Any:
    return make_pipeline(SplineTransformer(), Ridge()).fit(DIABETES.data, DIABETES.target)


def _tuned() -> Any:
    model = TunedThresholdClassifierCV(
        make_pipeline(StandardScaler(), LogisticRegression()), scoring="recall", cv=3
    )
    return model.fit(CANCER.data[:, :5], CANCER.target)


def _categorical_splits() -> Any:
    rows = np.column_stack([np.arange(569) % 5, CANCER.data[:, 0]])
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features=[0])
    return model.fit(rows, CANCER.target)


def _missing_code() -> Any:
    table = given.penguins()
    encode = ColumnTransformer([("t", OrdinalEncoder(), given.TEXTS)])
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3))
    return model.fit(table[given.TEXTS], table["sex"].isna().astype(int))


def _logarithm() -> Any:
    model = TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)
    return model.fit(DIABETES.data, DIABETES.target)


def _between_floats() -> Any:
    """The table's values differ in the last bits, and the splits lie between them."""
    return HistGradientBoostingRegressor(max_iter=20).fit(DIABETES.data, DIABETES.target)


def _stripped_text() -> Any:
    model = make_pipeline(TfidfVectorizer(strip_accents="unicode"), LogisticRegression())
    return model.fit(DOCUMENTS, [0, 1, 2, 3] * 5)


# name → (how it is made, samples, reason, a word of the message)
CASES: dict[str, tuple[Any, pd.DataFrame | None, str, str]] = {
    "a function": (_function, None, "ConversionUnsupported", "FunctionTransformer"),
    "no converter": (_logarithm, None, "ConversionUnsupported", "TransformedTargetRegressor"),
    "no converter for a step": (_spline, None, "ConversionUnsupported", "SplineTransformer"),
    "stripped accents": (_stripped_text, None, "ConversionUnsupported", "strip_accents"),
    "denied: indicator": (_indicator, None, "ConversionUnsupported", "add_indicator"),
    "denied: threshold": (_tuned, None, "ConversionUnsupported", "TunedThreshold"),
    "denied: categorical splits": (
        _categorical_splits, None, "ConversionUnsupported", "categorical",
    ),
    "silently wrong: missing code": (_missing_code, None, "ParityExceeded", "label"),
    "silently wrong: between floats": (
        _between_floats, pd.DataFrame(DIABETES.data).add_prefix("c"), "ParityExceeded", "tolerance",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_auto_serves_the_original_and_says_why(name: str, tmp_path: Path) -> None:
    make, samples, reason, word = CASES[name]
    manifest = given.build(tmp_path, make(), samples).manifest
    assert manifest.runtime == "Native"
    assert manifest.fallback is not None
    assert manifest.fallback.reason == reason
    assert word in manifest.fallback.message
    assert manifest.parity.verdict == "NotNeeded"
    assert (manifest.files.model, manifest.files.loader) == ("native/model.joblib", "joblib")
    assert len(manifest.golden.rows) >= 10
    assert (tmp_path / "converted" / "native" / "model.joblib").is_file()
    assert not (tmp_path / "converted" / "model.onnx").exists()
    if reason == "ParityExceeded":
        assert manifest.parity.worst is not None
        assert manifest.parity.worst.inputs.keys() == {c.name for c in manifest.contract.columns}
        assert manifest.parity.worst.original != manifest.parity.worst.converted


@pytest.mark.parametrize(
    "name", ["a function", "denied: threshold", "silently wrong: missing code"]
)
def test_onnx_is_refused(name: str, tmp_path: Path) -> None:
    make, samples, reason, word = CASES[name]
    with pytest.raises(BuildError) as caught:
        given.build(tmp_path, make(), samples, runtime="ONNX")
    assert caught.value.reason == reason
    assert word in caught.value.message
    assert "spec.model.runtime" in caught.value.message


def test_native_never_converts(tmp_path: Path) -> None:
    manifest = given.build(tmp_path, given.penguin_model(), runtime="Native").manifest
    assert manifest.runtime == "Native"
    assert manifest.fallback is None
    assert manifest.parity.attempts == ()
    assert manifest.golden.outputs["label"]


def test_the_golden_answers_of_a_native_model_are_the_originals(tmp_path: Path) -> None:
    model = _function()
    manifest = given.build(tmp_path, model, pd.DataFrame(CANCER.data).add_prefix("c")).manifest
    order = [f"c{index}" for index in range(30)]
    rows = pd.DataFrame(list(manifest.golden.rows))[order].to_numpy()
    assert list(manifest.golden.outputs["label"]) == model.predict(rows).tolist()
