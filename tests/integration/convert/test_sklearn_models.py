"""Real models on real tables: what is served answers as the original did."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import convert_models as given

CANCER = load_breast_cancer()
DIABETES = load_diabetes()
DIGITS = load_digits()


def _with_holes(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    out = rows.copy()
    out[np.random.default_rng(0).random(out.shape) < 0.1] = np.nan
    return out


HOLES = _with_holes(CANCER.data)
Made = tuple[Any, Any]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def _search() -> Made:
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(inner, {"logisticregression__C": [0.1, 1.0]}, cv=3)
    return search.fit(CANCER.data, CANCER.target), CANCER.data


def _vote() -> Made:
    members = [
        ("a", make_pipeline(StandardScaler(), LogisticRegression())),
        ("b", DecisionTreeClassifier(random_state=0)),
    ]
    return VotingClassifier(members, voting="soft").fit(CANCER.data, CANCER.target), CANCER.data


def _integer_category() -> Made:
    table = given.penguins().dropna()
    columns = [*given.NUMBERS, "island", "year"]
    prepare = ColumnTransformer(
        [("c", OneHotEncoder(handle_unknown="ignore"), ["island", "year"])],
        remainder="passthrough",
    )
    model = make_pipeline(prepare, GaussianNB())
    return model.fit(table[columns], table["species"]), table[columns]


def _penguin_forest() -> Made:
    table = given.penguins()
    model = make_pipeline(given.penguin_columns(), RandomForestClassifier(20, random_state=0))
    return model.fit(table[given.NUMBERS + given.TEXTS], table["species"]), table


def _fit(model: Any, rows: Any, target: Any = None) -> Callable[[], Made]:
    return lambda: (model.fit(rows, target), rows)


# name → (how it is made, the attempt that is expected to hold)
MODELS: dict[str, tuple[Callable[[], Made], str]] = {
    "penguins, logistic": (lambda: (given.penguin_model(), given.penguins()), "float32"),
    "penguins, forest": (_penguin_forest, "float64 up to the trees"),
    "integer category": (_integer_category, "float32"),
    "text labels": (
        _fit(
            make_pipeline(StandardScaler(), LogisticRegression()),
            pd.DataFrame(CANCER.data, columns=CANCER.feature_names),
            CANCER.target_names[CANCER.target],
        ),
        "float32",
    ),
    "boolean labels": (
        _fit(GaussianNB(), CANCER.data, CANCER.target == 1), "float32",
    ),
    "float labels": (_fit(GaussianNB(), CANCER.data, CANCER.target * 1.0), "float32"),
    "search": (_search, "float32"),
    "voting": (_vote, "float32"),
    "calibrated": (
        _fit(CalibratedClassifierCV(GaussianNB(), cv=3), CANCER.data, CANCER.target), "float32",
    ),
    "tree, holes": (
        _fit(DecisionTreeClassifier(random_state=0), HOLES, CANCER.target), "float32",
    ),
    "forest, holes": (
        _fit(RandomForestClassifier(21, random_state=0), HOLES, CANCER.target), "float32",
    ),
    "extra trees, holes": (
        _fit(ExtraTreesClassifier(21, random_state=0), HOLES, CANCER.target), "float32",
    ),
    "forest regressor, holes": (
        _fit(RandomForestRegressor(10, random_state=0), HOLES, CANCER.target * 3.5), "float32",
    ),
    "even forest": (
        _fit(RandomForestClassifier(20, random_state=0), CANCER.data, CANCER.target),
        "float32, ties to the first class",
    ),
    "histogram boosting, holes": (
        _fit(
            HistGradientBoostingClassifier(max_iter=15),
            given.penguins()[given.NUMBERS],
            given.penguins()["species"],
        ),
        "float32",
    ),
    "boosting": (
        _fit(GradientBoostingRegressor(n_estimators=20), DIABETES.data, DIABETES.target), "float32",
    ),
    "ridge": (
        _fit(make_pipeline(StandardScaler(), Ridge()), DIABETES.data, DIABETES.target), "float32",
    ),
    "polynomial": (
        _fit(
            make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge()),
            DIABETES.data,
            DIABETES.target,
        ),
        "float32",
    ),
    "neighbours": (_fit(KNeighborsRegressor(), DIABETES.data, DIABETES.target), "float32"),
    "two targets": (_fit(Ridge(), DIABETES.data[:, :8], DIABETES.data[:, 8:]), "float32"),
    "digits, network": (
        _fit(
            MLPClassifier((16,), max_iter=400, random_state=0),
            DIGITS.data[:300] / 16,
            DIGITS.target[:300],
        ),
        "float32",
    ),
    "digits, support vectors": (
        _fit(make_pipeline(StandardScaler(), SVC()), DIGITS.data[:300], DIGITS.target[:300]),
        "float32",
    ),
    "linear support vectors": (
        _fit(make_pipeline(StandardScaler(), LinearSVC()), CANCER.data, CANCER.target), "float32",
    ),
    "labels only": (_fit(RidgeClassifier(), CANCER.data, CANCER.target), "float32"),
    "outliers": (
        _fit(IsolationForest(n_estimators=20, random_state=0), CANCER.data), "float32",
    ),
    "clusters": (
        _fit(KMeans(3, n_init=2, random_state=0), DIABETES.data), "float32",
    ),
    "components": (_fit(make_pipeline(StandardScaler(), PCA(4)), CANCER.data), "float32"),
}  # fmt: skip


def _expected(model: Any, name: str, task: str, rows: Any) -> Any:
    """What the output means, asked of scikit-learn directly."""
    match name:
        case "label" | "value":
            return model.predict(rows)
        case "probabilities":
            return model.predict_proba(rows)
        case "transformed":
            return model.transform(rows)
        case _ if task == "Clustering":
            return model.transform(rows)
        case _:
            return model.decision_function(rows)


@pytest.mark.parametrize("name", MODELS)
def test_the_converted_model_answers_as_the_original(name: str, tmp_path: Path) -> None:
    make, attempt = MODELS[name]
    model, rows = make()
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows).add_prefix("c")
    made = given.build(tmp_path, model, table)
    manifest = made.manifest
    assert (manifest.runtime, manifest.parity.verdict) == ("ONNX", "Verified"), manifest.fallback
    assert manifest.parity.attempts[-1].options == attempt
    assert manifest.parity.sample_rows == len(table)
    assert manifest.parity.probe_rows >= 100
    assert manifest.parity.label_flips == 0
    assert len(manifest.golden.rows) >= 10
    assert manifest.golden.source == "Samples"
    answers = made.answer(table)
    for output in manifest.signature.outputs:
        wanted = np.asarray(_expected(model, output.name, manifest.model.task, rows))
        got = answers[output.name]
        assert got.shape == wanted.shape == (len(table), *output.shape[1:])
        if output.role == "Label":
            assert got.tolist() == wanted.tolist()
            assert type(got.tolist()[0]) is type(wanted.tolist()[0])
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", ["penguins, logistic", "forest, holes", "boosting", "clusters"])
def test_without_samples_probes_prove_it(name: str, tmp_path: Path) -> None:
    model, _ = MODELS[name][0]()
    manifest = given.build(tmp_path, model).manifest
    assert (manifest.runtime, manifest.parity.verdict) == ("ONNX", "Verified")
    assert manifest.parity.sample_rows == 0
    assert manifest.parity.rows == manifest.parity.probe_rows > 100
    assert manifest.golden.source == "Probes"
    assert len(manifest.golden.rows) >= 10
    assert manifest.baseline is None


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    first = given.build(tmp_path / "a", given.penguin_model())
    second = given.build(tmp_path / "b", given.penguin_model())
    content = (first.folder / "model.onnx").read_bytes()
    assert content == (second.folder / "model.onnx").read_bytes()
    assert first.manifest.golden == second.manifest.golden
    assert first.manifest.parity == second.manifest.parity


def test_the_manifest_of_the_penguins_tells_all(tmp_path: Path) -> None:
    made = given.build(tmp_path, given.penguin_model(), given.penguins())
    manifest = made.manifest
    assert manifest.model.estimator == "Pipeline(ColumnTransformer, LogisticRegression)"
    assert manifest.model.task == "Classification"
    assert manifest.model.uri == "https://models.example/m.joblib"
    assert manifest.opset == {"": 18, "ai.onnx.ml": 3}
    assert [tensor.datatype for tensor in manifest.signature.inputs] == ["FP32"] * 4 + ["BYTES"] * 2
    label, probabilities = manifest.signature.outputs
    assert (label.datatype, label.shape, label.role) == ("BYTES", (-1,), "Label")
    assert probabilities.classes == ("Adelie", "Chinstrap", "Gentoo")
    columns = {column.name: column for column in manifest.contract.columns}
    assert list(columns) == given.NUMBERS + given.TEXTS
    assert columns["sex"].categories == ("female", "male")
    assert columns["sex"].missing_allowed
    assert columns["sex"].default == "male"
    assert (columns["bill_length_mm"].minimum, columns["bill_length_mm"].maximum) == (32.1, 59.6)
    assert manifest.measured.latency_milliseconds.keys() == {"1", "32"}
    assert manifest.baseline is not None
    assert manifest.baseline["rows"] == 344
    assert sum(manifest.baseline["columns"][0]["counts"]) == 342
    assert manifest.baseline["columns"][0]["missing"] == 2
    species = {
        row["value"]: row["count"] for row in manifest.baseline["predictions"][0]["categories"]
    }
    assert sum(species.values()) == 344
