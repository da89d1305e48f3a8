"""Converters of our own: what they make passed the gate, and is right on rows that it never saw.

Options and places in a pipeline that the coverage of scikit-learn (tests/coverage) does not reach.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import BisectingKMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import FastICA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE, RFECV, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
)
from sklearn.multioutput import RegressorChain
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

import convert_models as given

CANCER, DIABETES, IRIS = load_breast_cancer(), load_diabetes(), load_iris()
TEXT = CANCER.target_names[CANCER.target]
HOLES = CANCER.data[:, :6].copy()
HOLES[np.random.default_rng(0).random(HOLES.shape) < 0.1] = np.nan
Made = tuple[Any, Any]


def _fit(model: Any, rows: Any, target: Any = None) -> Callable[[], Made]:
    learn = slice(0, None, 2)
    return lambda: (model.fit(rows[learn], None if target is None else target[learn]), rows)


def _logistic() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def _target(**how: Any) -> Callable[[], Made]:
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), **how)
    return _fit(model, DIABETES.data, DIABETES.target)


MODELS: dict[str, Callable[[], Made]] = {
    "target, logarithm": _target(func=np.log1p, inverse_func=np.expm1),
    "target, root": _target(func=np.sqrt, inverse_func=np.square),
    "target, scaled": _target(transformer=StandardScaler()),
    "threshold of a pipeline": _fit(
        FixedThresholdClassifier(_logistic(), threshold=0.3), CANCER.data, CANCER.target
    ),
    "threshold, first class, text": _fit(
        FixedThresholdClassifier(_logistic(), threshold=0.2, pos_label="benign"), CANCER.data, TEXT
    ),
    "tuned threshold": _fit(
        TunedThresholdClassifierCV(_logistic(), cv=3), CANCER.data, CANCER.target
    ),
    "indicator columns": _fit(
        make_pipeline(SimpleImputer(add_indicator=True), _logistic()), HOLES, CANCER.target
    ),
    "indicator beside": _fit(
        make_pipeline(make_union(SimpleImputer(), MissingIndicator()), _logistic()),
        HOLES,
        CANCER.target,
    ),
    "penguins, indicator columns": lambda: (
        given.penguin_pipeline(add_indicator=True),
        given.penguins()[given.NUMBERS + given.TEXTS],
    ),
    "selector in a pipeline": _fit(
        make_pipeline(
            StandardScaler(),
            SequentialFeatureSelector(LinearRegression(), n_features_to_select=3, cv=2),
            Ridge(),
        ),
        DIABETES.data,
        DIABETES.target,
    ),
    "search inside": _fit(
        make_pipeline(
            StandardScaler(),
            RandomizedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
        ),
        DIABETES.data,
        DIABETES.target,
    ),
    "centroids, uneven": _fit(NearestCentroid(priors="empirical"), CANCER.data, TEXT),
    "centroids, even": _fit(NearestCentroid(), IRIS.data, IRIS.target),
    "bisecting": _fit(BisectingKMeans(5, random_state=0), IRIS.data),
    "nothing": _fit(DummyClassifier(strategy="prior"), CANCER.data, TEXT),
    "isotonic, clipped": _fit(
        IsotonicRegression(out_of_bounds="clip"), DIABETES.data[:, 2:3], DIABETES.target
    ),
    "isotonic, bounded": _fit(
        IsotonicRegression(out_of_bounds="nan"), DIABETES.data[:, 2:3], DIABETES.target
    ),
    "kernel, polynomial": _fit(
        make_pipeline(StandardScaler(), KernelRidge(kernel="poly", degree=2)),
        DIABETES.data,
        DIABETES.target,
    ),
    "kernel, laplacian": _fit(KernelRidge(kernel="laplacian"), DIABETES.data, DIABETES.target),
    "features of a kernel": _fit(
        make_pipeline(StandardScaler(), Nystroem(n_components=20, random_state=0), Ridge()),
        DIABETES.data,
        DIABETES.target,
    ),
    "independent components": _fit(
        make_pipeline(StandardScaler(), FastICA(3, random_state=0, max_iter=1000)), IRIS.data
    ),
    "chain": _fit(
        RegressorChain(Ridge(), order=[1, 0]), DIABETES.data[:, :8], DIABETES.data[:, 8:]
    ),
    "powers, holes": _fit(
        make_pipeline(PowerTransformer(), SimpleImputer(), LogisticRegression()),
        HOLES,
        CANCER.target,
    ),
    "powers, Box-Cox": _fit(PowerTransformer(method="box-cox", standardize=False), IRIS.data),
    "bins, ordinal": _fit(
        make_pipeline(KBinsDiscretizer(4, encode="ordinal"), Ridge()), IRIS.data, IRIS.target
    ),
    "bins, one-hot, quantiles": _fit(
        make_pipeline(
            KBinsDiscretizer(5, quantile_method="averaged_inverted_cdf"), LogisticRegression()
        ),
        IRIS.data,
        IRIS.target,
    ),
    **{
        f"splines, {beyond}, degree {degree}": _fit(
            make_pipeline(
                SplineTransformer(
                    n_knots=4, degree=degree, extrapolation=beyond, include_bias=degree > 1
                ),
                Ridge(),
            ),
            DIABETES.data[:, 2:6] * 20,
            DIABETES.target,
        )
        for beyond in ("constant", "linear", "continue", "periodic")
        for degree in (1, 3)
        if (beyond, degree) != ("linear", 1)
    },
    "splines of holes": _fit(
        make_pipeline(
            SplineTransformer(handle_missing="zeros", knots="quantile"), _logistic()
        ),
        HOLES,
        CANCER.target,
    ),
    "neighbours, by distance": _fit(
        make_pipeline(StandardScaler(), KNNImputer(weights="distance"), _logistic()),
        HOLES,
        CANCER.target,
    ),
    "neighbours, indicator and empty column": _fit(
        make_pipeline(
            KNNImputer(n_neighbors=3, add_indicator=True, keep_empty_features=True), _logistic()
        ),
        np.column_stack([HOLES, np.full(len(HOLES), np.nan)]),
        CANCER.target,
    ),
    "fractions, one-hot, first dropped": _fit(
        make_pipeline(OneHotEncoder(drop="first", handle_unknown="ignore"), LogisticRegression()),
        np.round(IRIS.data[:, :2] * 2) / 2,
        IRIS.target,
    ),
    "targets of three classes and a hole": _fit(
        make_pipeline(TargetEncoder(cv=StratifiedKFold(3)), _logistic()),
        np.where(IRIS.data[:, :2] > 6.5, np.nan, np.round(IRIS.data[:, :2])),
        IRIS.target,
    ),
    "elimination, in a pipeline": _fit(
        make_pipeline(StandardScaler(), RFE(LinearRegression(), n_features_to_select=4), Ridge()),
        DIABETES.data,
        DIABETES.target,
    ),
    "elimination, last": _fit(
        make_pipeline(StandardScaler(), RFECV(LogisticRegression(), cv=3)), CANCER.data, TEXT
    ),
    "elimination of a forest": _fit(
        RFE(RandomForestClassifier(5, random_state=0)), CANCER.data, CANCER.target
    ),
    "frozen": lambda: (
        FrozenEstimator(_logistic().fit(CANCER.data, TEXT)), CANCER.data,
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("name", MODELS)
def test_the_conversion_is_proven_and_right(name: str, tmp_path: Path) -> None:
    model, rows = MODELS[name]()
    made = given.build(tmp_path, model)
    manifest = made.manifest
    assert (manifest.runtime, manifest.parity.verdict) == ("ONNX", "Verified"), manifest.fallback
    answers = made.answer(rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows))
    asked = {
        "label": "predict",
        "value": "predict",
        "probabilities": "predict_proba",
        "transformed": "transform",
        "scores": "transform",
    }
    for output, got in answers.items():
        wanted = np.asarray(getattr(model, asked[output])(rows))
        if output == "label":
            assert got.tolist() == wanted.tolist()
        else:
            atol = 1e-4 * np.nanmax(np.abs(wanted))
            np.testing.assert_allclose(got, wanted.reshape(got.shape), rtol=1e-3, atol=atol)
