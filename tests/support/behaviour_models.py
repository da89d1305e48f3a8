"""Model files for the stories: small real models, and the broken files that people deploy."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

SEED = 7
COLUMNS = ["age", "income"]


def table(rows: int = 60) -> pd.DataFrame:
    """Two numeric columns, drawn once for all."""
    draw = np.random.default_rng(SEED)
    return pd.DataFrame(
        {"age": draw.uniform(18, 80, rows).round(1), "income": draw.uniform(1, 9, rows).round(2)}
    )


def classifier(path: Path, *, flip: bool = False) -> Path:
    """A scaler and a logistic regression; `flip` gives the opposite answers."""
    rows = table()
    truth = np.where((rows["age"] > 45) ^ flip, "old", "young")
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, truth), path)
    return path


def regression(path: Path, *, slope: float = 1.0) -> Path:
    rows = table()
    joblib.dump(LinearRegression().fit(rows, rows["age"] * slope), path)
    return path


def without_converter(path: Path) -> Path:
    """PolynomialCountSketch has no ONNX converter, so this one is served by its original code."""
    rows = table()
    model = make_pipeline(PolynomialCountSketch(random_state=0), LinearRegression())
    joblib.dump(model.fit(rows, rows["age"] * rows["income"]), path)
    return path


def one_hot(path: Path) -> Path:
    """A model that knows three countries; an unknown one is encoded as zeros."""
    rows = pd.DataFrame({"country": ["DE", "FR", "IT"] * 10})
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    joblib.dump(model.fit(rows, (rows["country"] == "DE").astype(int)), path)
    return path


def of_countries(path: Path, countries: str, *, strict: bool = False, positive: str = "DE") -> Path:
    """A model that knows these countries, and says yes to the `positive` one; a `strict` one raises
    an error for every other."""
    rows = pd.DataFrame({"country": countries.split() * 10})
    encode = OneHotEncoder(handle_unknown="error" if strict else "ignore")
    model = make_pipeline(encode, LogisticRegression())
    joblib.dump(model.fit(rows, (rows["country"] == positive).astype(int)), path)
    return path


def slow_of_countries(path: Path, countries: str) -> Path:
    """The same question answered by a thousand trees, one after the other."""
    rows = pd.DataFrame({"country": countries.split() * 10})
    forest = RandomForestClassifier(n_estimators=1000, max_depth=2, random_state=SEED)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), forest)
    joblib.dump(model.fit(rows, (rows["country"] == "DE").astype(int)), path)
    return path


def samples(path: Path, *, columns: list[str] | None = None) -> Path:
    table()[columns or COLUMNS].to_csv(path, index=False)
    return path


def silently_wrong(folder: Path) -> tuple[Path, Path]:
    """An encoder that learnt missing text as NaN: it converts, and encodes a hole as a category."""
    draw = np.random.default_rng(SEED)
    rows = pd.DataFrame(
        {"country": draw.choice(["DE", "FR", "IT"], 400), "age": draw.normal(size=400)}
    )
    rows["country"] = rows["country"].astype(object).mask(draw.random(400) < 0.25, np.nan)
    truth = (rows["country"].isna() ^ (rows["age"] > 0)).astype(int)
    encode = ColumnTransformer(
        [("country", OrdinalEncoder(), ["country"])], remainder="passthrough"
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=20)).fit(rows, truth)
    joblib.dump(model, folder / "model.joblib")
    rows.to_csv(folder / "samples.csv", index=False)
    return folder / "model.joblib", folder / "samples.csv"


def forest(path: Path) -> Path:
    """A model of some megabytes."""
    draw = np.random.default_rng(SEED)
    rows = pd.DataFrame(draw.normal(size=(600, 2)), columns=COLUMNS)
    truth = rows["age"] * rows["income"] + draw.normal(size=600)
    joblib.dump(RandomForestRegressor(n_estimators=100, random_state=SEED).fit(rows, truth), path)
    return path
