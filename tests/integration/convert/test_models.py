"""Real models on real tables: what is served was proven, and answers as the original did.

Models learn half of the rows and are asked all of them, so that the build never saw the others.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import convert_models as given

CANCER, DIABETES, DIGITS, IRIS = load_breast_cancer(), load_diabetes(), load_digits(), load_iris()
DECIMALS = (np.random.default_rng(0).normal(size=(400, 3)) * 20).round(2)
SETS = np.array(["Adélie", "chinstrap", "gentoo"])[IRIS.target]
SPECIES = given.penguins()["species"]
PENGUIN_NUMBERS = given.penguins()[given.NUMBERS]
TIES = "float32, ties to the first class"
Made = tuple[Any, Any]  # a fitted model, and the rows that it is asked

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def _with_holes(rows: Any) -> Any:
    out = rows.copy()
    out[np.random.default_rng(0).random(out.shape) < 0.1] = np.nan
    return out


HOLES = _with_holes(CANCER.data)


def _float32(rows: Any) -> Any:
    """The same rows in numbers that float32 holds: trees of float64 may split between others."""
    return rows.astype(np.float32).astype(np.float64)


def _scaled(end: Any) -> Any:
    return make_pipeline(StandardScaler(), end)


def _fit(model: Any, rows: Any, target: Any = None) -> Callable[[], Made]:
    learn = slice(0, None, 2)
    return lambda: (model.fit(rows[learn], None if target is None else target[learn]), rows)


def _penguins(**how: Any) -> Callable[[], Made]:
    table = given.penguins()[given.NUMBERS + given.TEXTS]
    return lambda: (given.penguin_pipeline(**how), table)


def _integer_category() -> Made:
    table = given.penguins().dropna()
    columns = [*given.NUMBERS, "island", "year"]
    prepare = ColumnTransformer(
        [("c", OneHotEncoder(handle_unknown="ignore"), ["island", "year"])],
        remainder="passthrough",
    )
    model = make_pipeline(prepare, GaussianNB())
    return model.fit(table[columns], table["species"]), table[columns]


def _search(rows: Any, target: Any) -> Callable[[], Made]:
    inner = _scaled(LogisticRegression(max_iter=300))
    return _fit(GridSearchCV(inner, {"logisticregression__C": [0.1, 1.0]}, cv=3), rows, target)


VOTE = VotingClassifier(
    [("a", _scaled(LogisticRegression())), ("b", DecisionTreeClassifier(random_state=0))],
    voting="soft",
)
FRAME = pd.DataFrame(CANCER.data, columns=CANCER.feature_names)

# With samples: name → (how it is made, the attempt that is expected to hold).
SAMPLED: dict[str, tuple[Callable[[], Made], str]] = {
    "penguins, logistic": (_penguins(), "float32"),
    "penguins, forest": (
        _penguins(end=RandomForestClassifier(20, random_state=0)), "float64 up to the trees",
    ),
    "integer category": (_integer_category, "float32"),
    "text labels": (
        _fit(_scaled(LogisticRegression()), FRAME, CANCER.target_names[CANCER.target]), "float32",
    ),
    "boolean labels": (_fit(GaussianNB(), CANCER.data, CANCER.target == 1), "float32"),
    "float labels": (_fit(GaussianNB(), CANCER.data, CANCER.target * 1.0), "float32"),
    "search": (_search(CANCER.data, CANCER.target), "float32"),
    "voting": (_fit(VOTE, CANCER.data, CANCER.target), "float32"),
    "calibrated": (
        _fit(CalibratedClassifierCV(GaussianNB(), cv=3), CANCER.data, CANCER.target), "float32",
    ),
    "tree, holes": (_fit(DecisionTreeClassifier(random_state=0), HOLES, CANCER.target), "float32"),
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
        _fit(RandomForestClassifier(20, random_state=0), CANCER.data, CANCER.target), TIES,
    ),
    "histogram boosting, holes": (
        _fit(HistGradientBoostingClassifier(max_iter=15), PENGUIN_NUMBERS, SPECIES),
        "float64 up to the trees",
    ),
    "boosting": (
        _fit(GradientBoostingRegressor(n_estimators=20), DIABETES.data, DIABETES.target), "float32",
    ),
    "ridge": (_fit(_scaled(Ridge()), DIABETES.data, DIABETES.target), "float32"),
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
        _fit(_scaled(SVC()), DIGITS.data[:300], DIGITS.target[:300]), "float32",
    ),
    "linear support vectors": (_fit(_scaled(LinearSVC()), CANCER.data, CANCER.target), "float32"),
    "labels only": (_fit(RidgeClassifier(), CANCER.data, CANCER.target), "float32"),
    "outliers": (_fit(IsolationForest(n_estimators=20, random_state=0), CANCER.data), "float32"),
    "clusters": (_fit(KMeans(3, n_init=2, random_state=0), DIABETES.data), "float32"),
    "components": (_fit(_scaled(PCA(4)), CANCER.data), "float32"),
}  # fmt: skip

# Without: probes alone prove it.
PROBED: dict[str, Callable[[], Made]] = {
    "penguins, logistic": _penguins(),
    "penguins, encoder knows the hole": _penguins(texts=OneHotEncoder(handle_unknown="ignore")),
    "penguins, constant": _penguins(
        texts=make_pipeline(
            SimpleImputer(strategy="constant", fill_value="unknown"),
            OneHotEncoder(handle_unknown="ignore"),
        )
    ),
    "forest, holes": SAMPLED["forest, holes"][0],
    "logistic": _fit(_scaled(LogisticRegression(max_iter=500)), CANCER.data, CANCER.target),
    "forest": _fit(
        RandomForestClassifier(20, random_state=0), _float32(CANCER.data), CANCER.target
    ),
    "histogram boosting": _fit(
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
        _float32(CANCER.data),
        CANCER.target,
    ),
    "digits, logistic": _fit(
        _scaled(LogisticRegression(max_iter=200)), DIGITS.data[:600], DIGITS.target[:600]
    ),
    "neighbours": _fit(KNeighborsClassifier(), _float32(IRIS.data), IRIS.target),
    "support vectors": _fit(_scaled(SVC()), IRIS.data, IRIS.target),
    "linear support vectors": _fit(_scaled(LinearSVC()), IRIS.data, IRIS.target),
    "search": _search(IRIS.data, IRIS.target),
    "text labels": _fit(LogisticRegression(max_iter=500), IRIS.data, SETS),
    "far labels": _fit(
        LogisticRegression(max_iter=500),
        IRIS.data,
        np.array([-7, 0, 4_000_000_000])[IRIS.target],
    ),
    "yes or no": _fit(LogisticRegression(max_iter=500), IRIS.data, IRIS.target != 1),
    "linear": _fit(LinearRegression(), DIABETES.data, DIABETES.target),
    "ridge": _fit(_scaled(Ridge()), DIABETES.data, DIABETES.target),
    "tree": _fit(
        DecisionTreeRegressor(max_depth=6, random_state=0), _float32(DIABETES.data), DIABETES.target
    ),
    "forest regressor": _fit(
        RandomForestRegressor(20, random_state=0), _float32(DIABETES.data), DIABETES.target
    ),
    "scaled forest, decimals": _fit(
        _scaled(RandomForestRegressor(10, random_state=0)), DECIMALS, DECIMALS @ [2.0, 1.0, 0.0]
    ),
    "boosting": SAMPLED["boosting"][0],
    "histogram boosting regressor": _fit(
        HistGradientBoostingRegressor(max_iter=20, random_state=0),
        _float32(DIABETES.data),
        DIABETES.target,
    ),
    "network regressor": _fit(
        _scaled(
            MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", max_iter=100, random_state=0)
        ),
        DIABETES.data,
        DIABETES.target,
    ),
    "outliers": _fit(IsolationForest(n_estimators=20, random_state=0), _float32(IRIS.data)),
    "clusters": _fit(KMeans(3, n_init=2, random_state=0), IRIS.data),
    "components": _fit(_scaled(PCA(2)), IRIS.data),
}


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


def _assert_alike(made: given.Build, model: Any, rows: Any) -> None:
    """Every output of the converted model is the original's, label for label, kind for kind."""
    manifest = made.manifest
    assert (manifest.runtime, manifest.parity.verdict) == ("ONNX", "Verified"), manifest.fallback
    assert manifest.parity.label_flips == 0
    assert len(manifest.golden.rows) >= 10
    answers = made.answer(rows)
    for output in manifest.signature.outputs:
        wanted = np.asarray(_expected(model, output.name, manifest.model.task, rows))
        got = answers[output.name]
        assert got.shape == wanted.shape == (len(rows), *output.shape[1:])
        if output.role == "Label":
            assert got.tolist() == wanted.tolist()
            assert type(got.tolist()[0]) is type(wanted.tolist()[0])
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
        if output.role == "Probabilities":
            assert output.classes == tuple(model.classes_.tolist())


@pytest.mark.parametrize("name", SAMPLED)
def test_samples_and_probes_prove_it(name: str, tmp_path: Path) -> None:
    make, attempt = SAMPLED[name]
    model, rows = make()
    samples = pd.DataFrame(rows)[::2]
    if not isinstance(rows, pd.DataFrame):
        samples = samples.add_prefix("c")
    made = given.build(tmp_path, model, samples)
    _assert_alike(made, model, rows)
    manifest = made.manifest
    assert manifest.parity.attempts[-1].options == attempt
    assert manifest.parity.sample_rows == len(samples)
    assert manifest.parity.probe_rows >= 100
    assert manifest.golden.source == "Samples"


@pytest.mark.parametrize("name", PROBED)
def test_probes_alone_prove_it(name: str, tmp_path: Path) -> None:
    model, rows = PROBED[name]()
    made = given.build(tmp_path, model)
    _assert_alike(made, model, rows)
    manifest = made.manifest
    assert manifest.parity.sample_rows == 0
    assert manifest.parity.rows == manifest.parity.probe_rows > 50
    assert manifest.golden.source == "Probes"
    assert manifest.baseline is None


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["area m²", "rent (€)"], id="blanks and signs"),
        pytest.param(["a b", "a_b"], id="alike once the converter has renamed them"),
        pytest.param(["a-b", "variable"], id="one is the converter's own name for a tensor"),
    ],
)
def test_columns_of_any_name_convert(names: list[str], tmp_path: Path) -> None:
    rows = pd.DataFrame(np.random.default_rng(0).normal(50, 10, (250, 2)), columns=names)
    picks = ColumnTransformer([("first", StandardScaler(), names[:1])], remainder="passthrough")
    model = make_pipeline(picks, LinearRegression())
    model.fit(rows, rows[names[0]] - 2 * rows[names[1]])
    made = given.build(tmp_path, model)
    _assert_alike(made, model, rows)
    assert [tensor.name for tensor in made.manifest.signature.inputs] == names


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
    assert columns["island"].kind == "Categorical"
    assert columns["island"].categories == ("Biscoe", "Dream", "Torgersen")
    assert columns["sex"].categories == ("female", "male")
    assert columns["sex"].missing_allowed
    assert columns["sex"].default == "male"
    assert columns["body_mass_g"].kind == "Numerical"
    assert columns["body_mass_g"].missing_allowed
    assert (columns["body_mass_g"].minimum, columns["body_mass_g"].maximum) == (2700.0, 6300.0)
    assert manifest.measured.latency_milliseconds.keys() == {"1", "32"}
    assert manifest.baseline is not None
    assert manifest.baseline["rows"] == 344
    assert sum(manifest.baseline["columns"][0]["counts"]) == 342
    assert manifest.baseline["columns"][0]["missing"] == 2
    species = {
        row["value"]: row["count"] for row in manifest.baseline["predictions"][0]["categories"]
    }
    assert sum(species.values()) == 344
    again = made.answer(pd.DataFrame(list(manifest.golden.rows)))
    assert again["label"].tolist() == list(manifest.golden.outputs["label"])


@pytest.mark.parametrize("end", [LogisticRegression(), Ridge()], ids=["classes", "numbers"])
def test_columns_may_be_called_like_the_answers(end: Any, tmp_path: Path) -> None:
    table = given.penguins().rename(
        columns={"island": "label", "bill_length_mm": "value", "bill_depth_mm": "probabilities"}
    )
    rows = table[["label", "value", "probabilities"]].fillna({"value": 40.0, "probabilities": 17.0})
    target = table["species"] if isinstance(end, LogisticRegression) else table["year"]
    encode = ColumnTransformer(
        [("t", OneHotEncoder(), ["label"]), ("n", StandardScaler(), ["value", "probabilities"])]
    )
    model = make_pipeline(encode, end).fit(rows, target)
    made = given.build(tmp_path, model)
    assert made.manifest.runtime == "ONNX", made.manifest.fallback
    assert [column.name for column in made.manifest.contract.columns] == list(rows)
    inputs = {tensor.name: tensor.columns for tensor in made.manifest.signature.inputs}
    told = made.answer(rows)
    if isinstance(end, LogisticRegression):
        assert inputs["column:label"] == ("label",)
        assert told["label"].tolist() == model.predict(rows).tolist()
    else:
        assert inputs["column:value"] == ("value",)
        np.testing.assert_allclose(told["value"], model.predict(rows), rtol=1e-5)
