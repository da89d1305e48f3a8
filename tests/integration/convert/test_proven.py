"""Models that convert: proven by the build, and right on rows that the build never saw."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from palmerpenguins import load_penguins
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeRegressor

from convert_run import Converted, convert_model


def _verified(done: Converted) -> None:
    attempts = done.manifest.parity.attempts
    assert done.manifest.runtime == "ONNX", (done.manifest.fallback, attempts)
    assert done.manifest.fallback is None
    assert done.manifest.parity.verdict == "Verified"
    assert done.manifest.parity.rows > 50
    assert done.facts["parity"]["labelFlips"] == 0


def _close(got: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    scale = float(np.median(np.abs(expected)))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * max(scale, 1.0))


_CLASSIFIERS = {
    "breast-cancer-logistic": (
        load_breast_cancer,
        lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    ),
    "breast-cancer-forest": (
        load_breast_cancer,
        lambda: RandomForestClassifier(n_estimators=20, random_state=0),
    ),
    "breast-cancer-hist": (
        load_breast_cancer,
        lambda: HistGradientBoostingClassifier(max_iter=20, random_state=0),
    ),
    "digits-logistic": (
        load_digits,
        lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
    ),
    "iris-neighbours": (load_iris, lambda: KNeighborsClassifier(n_neighbors=5)),
    "iris-svc": (load_iris, lambda: make_pipeline(StandardScaler(), SVC())),
    "iris-linear-svc": (load_iris, lambda: make_pipeline(StandardScaler(), LinearSVC())),
    "iris-search": (
        load_iris,
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
            {"logisticregression__C": [0.1, 1.0]},
            cv=3,
        ),
    ),
}


@pytest.mark.parametrize("name", _CLASSIFIERS)
def test_classifier(name: str, tmp_path: Path) -> None:
    data, make = _CLASSIFIERS[name]
    rows, target = data(return_X_y=True)
    rows = rows.astype(np.float32).astype(np.float64)
    model = make().fit(rows[::2], target[::2])
    done = convert_model(tmp_path, model)
    _verified(done)
    assert done.manifest.model.task == "Classification"
    answers = done.ask_matrix(rows[1::2])
    assert answers["label"].tolist() == model.predict(rows[1::2]).tolist()
    if hasattr(model, "predict_proba"):
        _close(answers["probabilities"], model.predict_proba(rows[1::2]))
        listed = done.manifest.signature.outputs[1].classes
        assert listed == tuple(model.classes_.tolist())


_REGRESSORS = {
    "linear": LinearRegression,
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge()),
    "tree": lambda: DecisionTreeRegressor(max_depth=6, random_state=0),
    "forest": lambda: RandomForestRegressor(n_estimators=20, random_state=0),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=30, random_state=0),
    "hist": lambda: HistGradientBoostingRegressor(max_iter=20, random_state=0),
    "mlp": lambda: make_pipeline(
        StandardScaler(),
        MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=100, random_state=0),
    ),
}


@pytest.mark.parametrize("name", _REGRESSORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressor(name: str, tmp_path: Path) -> None:
    rows, target = load_diabetes(return_X_y=True)
    rows = rows.astype(np.float32).astype(np.float64)
    model = _REGRESSORS[name]().fit(rows[::2], target[::2])
    done = convert_model(tmp_path, model)
    _verified(done)
    assert done.manifest.model.task == "Regression"
    value = done.ask_matrix(rows[1::2])["value"]
    assert value.ndim == 1
    _close(value, model.predict(rows[1::2]))


_LABELS = {
    "text": np.array(["Adélie", "chinstrap", "gentoo"]),
    "far-numbers": np.array([-7, 0, 4_000_000_000]),
    "yes-no": np.array([True, False, True]),
}


@pytest.mark.parametrize("name", _LABELS)
def test_labels_keep_their_kind(name: str, tmp_path: Path) -> None:
    rows, target = load_iris(return_X_y=True)
    labels = _LABELS[name][target]
    model = LogisticRegression(max_iter=500).fit(rows, labels)
    done = convert_model(tmp_path, model)
    _verified(done)
    told = done.ask_matrix(rows)["label"].tolist()
    assert told == model.predict(rows).tolist()
    assert {type(value) for value in told} == {type(value) for value in labels.tolist()}


def _penguins() -> tuple[pd.DataFrame, pd.Series]:
    table = load_penguins()
    return table.drop(columns=["species", "year"]), table["species"]


def _table_model(categories: Any) -> Any:
    numbers = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                ("categories", categories, ["island", "sex"]),
            ]
        ),
        LogisticRegression(max_iter=500),
    )


_ENCODERS = {
    "encoder-knows-missing": lambda: OneHotEncoder(handle_unknown="ignore"),
    "most-frequent": lambda: make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    ),
    "constant": lambda: make_pipeline(
        SimpleImputer(strategy="constant", fill_value="unknown"),
        OneHotEncoder(handle_unknown="ignore"),
    ),
}


@pytest.mark.parametrize("name", _ENCODERS)
def test_table_with_text_and_holes(name: str, tmp_path: Path) -> None:
    rows, target = _penguins()
    model = _table_model(_ENCODERS[name]()).fit(rows, target)
    done = convert_model(tmp_path, model)
    _verified(done)
    columns = {column.name: column for column in done.manifest.contract.columns}
    assert columns["island"].kind == "Categorical"
    assert set(columns["island"].categories or ()) == {"Biscoe", "Dream", "Torgersen"}
    assert columns["sex"].missing_allowed
    assert columns["body_mass_g"].kind == "Numerical"
    assert columns["body_mass_g"].missing_allowed
    answers = done.ask({name: rows[name].to_numpy() for name in rows.columns})
    assert answers["label"].tolist() == model.predict(rows).tolist()
    _close(answers["probabilities"], model.predict_proba(rows))


def test_table_with_samples(tmp_path: Path) -> None:
    rows, target = _penguins()
    model = _table_model(_ENCODERS["most-frequent"]()).fit(rows, target)
    done = convert_model(tmp_path, model, samples=load_penguins().to_csv(index=False))
    _verified(done)
    assert done.manifest.parity.sample_rows == len(rows)
    assert done.manifest.golden.source == "Samples"
    assert done.manifest.baseline is not None
    assert done.manifest.baseline["rows"] == len(rows)
    mass = next(c for c in done.manifest.contract.columns if c.name == "body_mass_g")
    assert (mass.minimum, mass.maximum) == (2700.0, 6300.0)
    golden = done.manifest.golden
    again = done.ask(
        {
            column.name: np.array([row[column.name] for row in golden.rows], dtype=object)
            for column in done.manifest.contract.columns
        }
    )
    assert again["label"].tolist() == list(golden.outputs["label"])


_WORDS = [
    "Grüße aus Köln, naïve café",
    "ПРИВЕТ мир, добрый день",
    "don't stop under_score a b c",
    "e-mail someone@example.org 50% off",
    "plain words only here",
    "ÉCOLE fermée demain, 123 4567",
] * 4


def test_text_beyond_ascii(tmp_path: Path) -> None:
    target = ["spam", "ham"] * 12
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(_WORDS, target)
    done = convert_model(tmp_path, model)
    (column,) = done.manifest.contract.columns
    assert column.kind == "Text"
    if done.manifest.runtime == "Native":
        assert done.manifest.fallback is not None
        assert done.manifest.fallback.reason in ("ParityExceeded", "ConversionUnsupported")
        return
    _verified(done)
    fresh = [*_WORDS, "", "Äpfel ÄPFEL äpfel café CAFÉ", "мир МИР", "A b école ÉCOLE naïve"]
    answers = done.ask({column.name: fresh})
    assert answers["label"].tolist() == model.predict(fresh).tolist()
    _close(answers["probabilities"], model.predict_proba(fresh))


def test_isolation_forest(tmp_path: Path) -> None:
    rows, _ = load_iris(return_X_y=True)
    rows = rows.astype(np.float32).astype(np.float64)
    model = IsolationForest(n_estimators=20, random_state=0).fit(rows)
    done = convert_model(tmp_path, model)
    _verified(done)
    assert done.manifest.model.task == "OutlierDetection"
    answers = done.ask_matrix(rows)
    assert answers["label"].tolist() == model.predict(rows).tolist()
    np.testing.assert_allclose(answers["scores"], model.decision_function(rows), atol=1e-4)


def test_clusters(tmp_path: Path) -> None:
    rows, _ = load_iris(return_X_y=True)
    model = KMeans(3, n_init=2, random_state=0).fit(rows)
    done = convert_model(tmp_path, model)
    _verified(done)
    assert done.manifest.model.task == "Clustering"
    answers = done.ask_matrix(rows)
    assert answers["label"].tolist() == model.predict(rows).tolist()
    _close(answers["scores"], model.transform(rows))


def test_transform(tmp_path: Path) -> None:
    rows, _ = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), PCA(2)).fit(rows)
    done = convert_model(tmp_path, model)
    _verified(done)
    assert done.manifest.model.task == "Transform"
    np.testing.assert_allclose(
        done.ask_matrix(rows)["transformed"], model.transform(rows), atol=1e-4
    )


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(("area m²", "rent (€)"), id="blanks and signs"),
        pytest.param(("a b", "a_b"), id="alike once the converter has renamed them"),
        pytest.param(("a-b", "variable"), id="one is the converter's own name for a tensor"),
    ],
)
def test_columns_of_any_name_convert(names: tuple[str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(50, 10, (200, 2)), columns=list(names))
    picks = ColumnTransformer([("first", StandardScaler(), [names[0]])], remainder="passthrough")
    model = make_pipeline(picks, LinearRegression()).fit(rows, rows[names[0]] - 2 * rows[names[1]])
    done = convert_model(tmp_path, model)
    _verified(done)
    assert [tensor.name for tensor in done.manifest.signature.inputs] == list(names)
    fresh = pd.DataFrame(rng.normal(50, 10, (50, 2)), columns=list(names))
    _close(done.ask(fresh)["value"], model.predict(fresh))
