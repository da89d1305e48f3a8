"""Models of other versions, trained by those versions: an environment each, kept outside the clone.

Beside every model lie rows and what it answered where it was born. Called by the tests (and by
itself: `python tests/support/old_models.py NAME …`).
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache" / "slipway")
WHEELS = CACHE / "wheels"
_COMMON = """
import json, sys
import joblib, numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

draw = np.random.default_rng(7)
rows = pd.DataFrame({
    "age": draw.uniform(18, 80, 400).round(1),
    "income": draw.normal(3, 1, 400).round(2),
    "city": draw.choice(["Köln", "Paris", "東京"], 400),
})
label = np.where(rows.age + 10 * rows.income > 80, "old", "young")
amount = rows.age * 2 + rows.income * rows.income
table = ColumnTransformer([
    ("numbers", StandardScaler(), ["age", "income"]),
    ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
])
numbers = rows[["age", "income"]]
"""
_KEEP = """
joblib.dump(model, sys.argv[1] + "/model.joblib")
asked = given.head(40)
answers = {"value": model.predict(asked).tolist()}
if hasattr(model, "predict_proba"):
    answers["probabilities"] = model.predict_proba(asked).tolist()
told = {"rows": asked.to_dict("records"), "answers": answers}
open(sys.argv[1] + "/told.json", "w", encoding="utf-8").write(json.dumps(told))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """One model: what trains it, and how."""

    packages: tuple[str, ...]
    train: str


_NUMPY_1 = ("numpy==1.26.4", "pandas==2.3.3", "joblib==1.4.2")
OLD = {
    "sklearn-1.2": Old(
        packages=("scikit-learn==1.2.2", "scipy==1.10.1", *_NUMPY_1),
        train="given = rows\nmodel = make_pipeline(table, GradientBoostingClassifier("
        "n_estimators=30, random_state=0)).fit(rows, label)",
    ),
    "sklearn-1.4": Old(
        packages=("scikit-learn==1.4.2", "scipy==1.12.0", *_NUMPY_1),
        train="given = rows\nmodel = make_pipeline(table, LogisticRegression()).fit(rows, label)",
    ),
    "sklearn-1.6": Old(
        packages=("scikit-learn==1.6.1", "scipy==1.15.3", "numpy==2.2.6", "pandas==2.3.3"),
        train="given = numbers\nmodel = RandomForestRegressor(20, max_depth=6, random_state=0)"
        ".fit(numbers, amount)",
    ),
    "native-1.2": Old(
        packages=("scikit-learn==1.2.2", "scipy==1.10.1", *_NUMPY_1),
        train="given = numbers\nmodel = make_pipeline(PolynomialCountSketch(random_state=0), "
        "LinearRegression()).fit(numbers, amount)",
    ),
    "xgboost-3.0": Old(
        packages=("xgboost-cpu==3.0.5", "scikit-learn==1.6.1", "numpy==2.2.6", "pandas==2.3.3"),
        train="from xgboost import XGBClassifier\ngiven = numbers\nmodel = XGBClassifier("
        "n_estimators=20, max_depth=3).fit(numbers, (label == 'old').astype(int))",
    ),
    "lightgbm-4.5": Old(
        packages=("lightgbm==4.5.0", "scikit-learn==1.5.2", "numpy==1.26.4", "pandas==2.3.3"),
        train="from lightgbm import LGBMClassifier\ngiven = numbers\nmodel = make_pipeline("
        "StandardScaler(), LGBMClassifier(n_estimators=20, num_leaves=7, verbose=-1))"
        ".fit(numbers, label)",
    ),
    "gplearn-0.4": Old(
        packages=("gplearn==0.4.2", "scikit-learn==1.4.2", "scipy==1.12.0", *_NUMPY_1),
        train="from gplearn.genetic import SymbolicRegressor\ngiven = numbers\nmodel = "
        "SymbolicRegressor(population_size=60, generations=2, random_state=0)"
        ".fit(numbers, amount)",
    ),
}


def make_old(name: str) -> Path:
    """The folder with `model.joblib` and `told.json` of one old model, trained once."""
    old = OLD[name]
    script = _COMMON + old.train + _KEEP
    key = hashlib.sha256(json.dumps([old.packages, script]).encode()).hexdigest()[:12]
    folder = CACHE / "old-models" / f"{name}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "told.json").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        home = folder / "environment"
        _uv("venv", "-q", "--no-project", "--python", sys.executable, str(home))
        python = str(home / "bin" / "python")
        _uv("pip", "install", "-q", "--no-build", "--python", python, *old.packages)
        subprocess.run([python, "-c", script, str(folder)], check=True)
        shutil.rmtree(home)
    return folder


def _uv(*arguments: str) -> None:
    subprocess.run(
        [find_uv_bin(), *arguments], check=True, env={**os.environ, "UV_CACHE_DIR": str(WHEELS)}
    )


if __name__ == "__main__":
    for each in sys.argv[1:] or OLD:
        print(make_old(each))
