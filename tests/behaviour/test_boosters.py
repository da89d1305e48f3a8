"""XGBoost, LightGBM, CatBoost and MLflow from file to answer: what Envoy says is what they say."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import Booster
from palmerpenguins import load_penguins
from xgboost import XGBClassifier

from behaviour_laptop import Laptop
from behaviour_terminal import is_true

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Story:
    """A sample, how its own framework answers the rows, and how it is to be served."""

    ask: Callable[[Path, pd.DataFrame], Any]
    runtime: str


def _xgboost(folder: Path, rows: pd.DataFrame) -> Any:
    model = XGBClassifier(n_jobs=1)
    model.load_model(folder / "model.ubj")
    return model.predict_proba(rows)


def _lightgbm(folder: Path, rows: pd.DataFrame) -> Any:
    penguins = load_penguins()
    kinds = {name: penguins[name].astype("category").dtype for name in ("species", "island", "sex")}
    return Booster(model_file=folder / "model.txt").predict(rows.astype(kinds))


def _catboost(folder: Path, rows: pd.DataFrame) -> Any:
    return CatBoostClassifier().load_model(str(folder / "model.cbm")).predict_proba(rows)


def _mlflow(folder: Path, rows: pd.DataFrame) -> Any:
    return joblib.load(folder / "model" / "model.pkl").predict_proba(rows)


STORIES = {
    "xgboost": Story(ask=_xgboost, runtime="ONNX"),
    "lightgbm": Story(ask=_lightgbm, runtime="ONNX"),
    "catboost": Story(ask=_catboost, runtime="Native"),
    "mlflow": Story(ask=_mlflow, runtime="ONNX"),
}


@pytest.mark.engine
@pytest.mark.parametrize("name", STORIES)
def test_the_sample_answers_like_its_framework(name: str, laptop: Laptop, examples: Path) -> None:
    story = STORIES[name]
    said = laptop.run("up", "-f", str(ROOT / f"manifests/samples/{name}.yaml"), "--detach")
    assert said.code == 0, said.text
    found = laptop.wait(name, is_true("UpToDate"))
    assert found["status"]["display"]["runtime"] == story.runtime, laptop.run("describe", name).text

    rows = pd.read_csv(examples / name / "rows.csv")
    body = rows.astype(object).where(rows.notna(), None).to_dict("records")
    answered = laptop.post(found, "/predict", json=body).json()["predictions"]
    if "probabilities" in answered[0]:
        told = [list(answer["probabilities"].values()) for answer in answered]
    else:
        told = [answer["value"] for answer in answered]
    expected = np.asarray(story.ask(examples / name, rows))
    np.testing.assert_allclose(np.asarray(told), expected, rtol=1e-5, atol=1e-6)
