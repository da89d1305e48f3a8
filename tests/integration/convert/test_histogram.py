"""Histogram boosting is written by ourselves: its splits, its categories, rows on a split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier as Classifier
from sklearn.ensemble import HistGradientBoostingRegressor as Regressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

import convert_models as given

PENGUINS = given.penguins()
TEXTS = ["island", "sex"]
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
NAMED = PENGUINS[[*NUMBERS, *TEXTS]]
TYPED = NAMED.astype(dict.fromkeys(TEXTS, "category"))
CODES = NAMED.assign(
    island=NAMED["island"].map({"Biscoe": 3.0, "Dream": 7.5, "Torgersen": 9.0}),
    sex=NAMED["sex"].map({"male": 1.0, "female": 0.0}),
).to_numpy()
SPECIES, MASS = PENGUINS["species"], PENGUINS["body_mass_g"].fillna(4000.0)
DRAW = np.random.default_rng(0)
SHOPS = pd.DataFrame(
    {"shop": pd.Categorical(DRAW.integers(0, 60, 900)), "size": DRAW.normal(size=900).round(2)}
)
SALES = SHOPS["shop"].astype(int) % 7 + SHOPS["size"]
CANCER, DIABETES = load_breast_cancer(), load_diabetes()
FAR = 100_000_000 + np.arange(0, 600, 3.0).reshape(-1, 1)
HOLES = CANCER.data[:, :6].copy()
HOLES[DRAW.random(HOLES.shape) < 0.1] = np.nan
ENCODED = make_column_transformer(
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), TEXTS),
    (StandardScaler(), NUMBERS),
)

MODELS: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "pandas' own categories": lambda: (Classifier(max_iter=20), TYPED, SPECIES),
    "columns named as categories": lambda: (
        Classifier(max_iter=20, categorical_features=TEXTS), NAMED, SPECIES,
    ),
    "two classes": lambda: (Classifier(max_iter=20), TYPED, SPECIES == "Adelie"),
    "a matrix of codes, one with a fraction": lambda: (
        Classifier(max_iter=20, categorical_features=[3, 4]), CODES, SPECIES,
    ),
    "codes out of an encoder": lambda: (
        make_pipeline(ENCODED, Classifier(max_iter=20, categorical_features=[0, 1])),
        NAMED, SPECIES,
    ),
    "a number": lambda: (Regressor(max_iter=20), TYPED, MASS),
    "a count": lambda: (Regressor(max_iter=20, loss="poisson"), TYPED, MASS),
    "a quantile": lambda: (Regressor(max_iter=9, loss="quantile", quantile=0.9), TYPED, MASS),
    "sixty whole numbers as categories": lambda: (Regressor(max_iter=20), SHOPS, SALES),
    "a scaler before rows that lie on splits": lambda: (
        make_pipeline(StandardScaler(), Classifier(max_iter=5)), HOLES, CANCER.target,
    ),
    "splits between floats": lambda: (Regressor(max_iter=20), DIABETES.data, DIABETES.target),
    "numbers that float32 cannot hold": lambda: (Regressor(max_iter=20), FAR, FAR[:, 0] % 7),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_conversion_is_exact_without_any_sample(name: str, tmp_path: Path) -> None:
    model, rows, target = MODELS[name]()
    frame = isinstance(rows, pd.DataFrame)
    learn = slice(0, None, 2)
    model.fit(rows.iloc[learn] if frame else rows[learn], target[learn])
    made = given.build(tmp_path, model)
    manifest = made.manifest
    assert (manifest.runtime, manifest.parity.verdict) == ("ONNX", "Verified"), manifest.fallback
    answers = made.answer(pd.DataFrame(rows))
    if hasattr(model, "predict_proba"):
        assert np.abs(answers["probabilities"] - model.predict_proba(rows)).max() < 1e-6
        assert answers["label"].astype(str).tolist() == model.predict(rows).astype(str).tolist()
    else:
        np.testing.assert_allclose(answers["value"], model.predict(rows), rtol=2e-6)


def test_an_unknown_and_a_missing_category_go_where_the_model_sends_what_is_missing(
    tmp_path: Path,
) -> None:
    model = Classifier(max_iter=20).fit(TYPED, SPECIES)
    made = given.build(tmp_path, model)
    island = next(c for c in made.manifest.contract.columns if c.name == "island")
    assert island.categories == ("Biscoe", "Dream", "Torgersen")
    known = {**dict.fromkeys(NUMBERS, 40.0), "sex": "male"}
    rows = [{**known, "island": None}, {**known, "island": "Atlantis"}]
    wanted = model.predict_proba(pd.DataFrame(rows)[list(TYPED)])
    told = made.answer(pd.DataFrame(rows)[list(TYPED)])["probabilities"]
    assert np.abs(told - wanted).max() < 1e-6
