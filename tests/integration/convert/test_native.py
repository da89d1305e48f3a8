"""What does not convert, or converts wrongly, is served natively with the reason, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
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


def _sketch() -> Any:
    model = make_pipeline(PolynomialCountSketch(random_state=0), Ridge())
    return model.fit(DIABETES.data, DIABETES.target)


def _categorical_splits() -> Any:
    rows = np.column_stack([np.arange(569) % 5, CANCER.data[:, 0]])
    inner = HistGradientBoostingClassifier(max_iter=5, categorical_features=[0])
    return VotingClassifier([("one", inner)], voting="soft").fit(rows, CANCER.target)


def _missing_code() -> Any:
    table = given.penguins()
    encode = ColumnTransformer([("t", OrdinalEncoder(), given.TEXTS)])
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=3))
    return model.fit(table[given.TEXTS], table["sex"].isna().astype(int))


def _ranked_target() -> Any:
    model = TransformedTargetRegressor(Ridge(), transformer=QuantileTransformer(n_quantiles=50))
    return model.fit(DIABETES.data, DIABETES.target)


def _text_indicator() -> Any:
    fill = SimpleImputer(strategy="most_frequent", add_indicator=True)
    return given.penguin_pipeline(make_pipeline(fill, OneHotEncoder(handle_unknown="ignore")))


def _between_floats() -> Any:
    """The table's values differ in the last bits, and the splits lie between them."""
    model = VotingRegressor([("one", HistGradientBoostingRegressor(max_iter=20))])
    return model.fit(DIABETES.data, DIABETES.target)


def _far_integers() -> Any:
    """Keys beyond 2^24: float32 takes neighbours for one, and the splits lie between them."""
    rows = 100_000_000 + np.arange(0, 600, 3.0).reshape(-1, 1)
    model = VotingRegressor([("one", HistGradientBoostingRegressor(max_iter=20))])
    return model.fit(rows, rows[:, 0] % 7)


def _powers_before_splits() -> Any:
    """A power's last bit is anybody's, and a training row lies on the split."""
    model = make_pipeline(PowerTransformer(), HistGradientBoostingClassifier(max_iter=5))
    return model.fit(CANCER.data[:, :6], CANCER.target)


def _extreme_threshold() -> Any:
    """Tuned for recall: nearly every row is called positive."""
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    model = TunedThresholdClassifierCV(inner, scoring="recall", cv=3)
    return model.fit(CANCER.data, CANCER.target)


def _stripped_text() -> Any:
    model = make_pipeline(TfidfVectorizer(strip_accents="unicode"), LogisticRegression())
    return model.fit(DOCUMENTS, [0, 1, 2, 3] * 5)


# name → (how it is made, samples, reason, a word of the message)
CASES: dict[str, tuple[Any, pd.DataFrame | None, str, str]] = {
    "a function": (_function, None, "ConversionUnsupported", "FunctionTransformer"),
    "no inverse": (_ranked_target, None, "ConversionUnsupported", "QuantileTransformer"),
    "no converter for a step": (_sketch, None, "ConversionUnsupported", "PolynomialCountSketch"),
    "other last bits": (_powers_before_splits, None, "ConversionUnsupported", "another last bit"),
    "stripped accents": (_stripped_text, None, "ConversionUnsupported", "strip_accents"),
    "an indicator of text": (_text_indicator, None, "ConversionUnsupported", "add_indicator"),
    "denied: categorical splits": (
        _categorical_splits, None, "ConversionUnsupported", "categorical",
    ),
    "silently wrong: missing code": (_missing_code, None, "ParityExceeded", "label"),
    "a threshold that float32 cannot tell": (
        _extreme_threshold, None, "ConversionUnsupported", "threshold",
    ),
    "silently wrong: numbers that float32 cannot hold": (
        _far_integers, None, "ParityExceeded", "tolerance",
    ),
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
        assert f"row {manifest.parity.worst.row + 1}" in manifest.fallback.message


@pytest.mark.parametrize(
    "name", ["a function", "denied: categorical splits", "silently wrong: missing code"]
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


def test_where_no_row_can_be_made_only_onnx_goes_on_and_says_that_it_is_unproven(
    tmp_path: Path,
) -> None:
    """Categories behind a scaler: every row made from the model holds an unknown one."""
    rows = np.random.default_rng(0).integers(0, 4, size=(60, 2)).astype(float)
    model = make_pipeline(StandardScaler(), OrdinalEncoder()).fit(rows)
    with pytest.raises(BuildError, match="answers none of the rows") as caught:
        given.build(tmp_path / "auto", model)
    assert caught.value.reason == "SamplesInvalid"
    manifest = given.build(tmp_path / "onnx", model, runtime="ONNX").manifest
    assert (manifest.runtime, manifest.parity.verdict) == ("ONNX", "NotVerified")
    assert manifest.parity.rows == 0
    assert manifest.golden.source == "Signature"
    proven = given.build(tmp_path / "samples", model, pd.DataFrame(rows).add_prefix("c")).manifest
    assert (proven.runtime, proven.parity.verdict) == ("ONNX", "Verified")
