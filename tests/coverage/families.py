"""What a conversion costs and brings, a model a family; writes a part of docs/conversion.md.

`make coverage-families`. A model is trained on half of a real table; the other half, never seen by
fit or build, tells how far the ONNX answers are from the original's. The build is timed inside one
process (no start of Python), the speed is what `slipway-runtime check` measures.
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import joblib
import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from convert_models import build

PAGE = ROOT / "docs/conversion.md"
BEGIN, END = "<!-- families: make coverage-families -->", "<!-- end of families -->"
TIMES = 5
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One row: a model over the table of tumours, or over penguins with texts and holes."""

    make: Callable[[], Any]
    penguins: bool = False


def _prepared(model: Any) -> Any:
    columns = ColumnTransformer(
        [
            (
                "text",
                make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
                TEXTS,
            ),
            ("number", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        ]
    )
    return make_pipeline(columns, model)


FAMILIES = {
    "linear": Family(make=lambda: LogisticRegression(max_iter=5000)),
    "linear, texts and holes": Family(
        make=lambda: _prepared(LogisticRegression(max_iter=1000)), penguins=True
    ),
    "naive Bayes": Family(make=GaussianNB),
    "neighbours": Family(make=lambda: make_pipeline(StandardScaler(), KNeighborsClassifier())),
    "SVM, RBF kernel": Family(make=lambda: make_pipeline(StandardScaler(), SVC(probability=False))),
    "neural network": Family(
        make=lambda: make_pipeline(
            StandardScaler(), MLPClassifier((32,), max_iter=500, random_state=0)
        )
    ),
    "one tree": Family(make=lambda: DecisionTreeClassifier(random_state=0)),
    "forest, 100 trees": Family(make=lambda: RandomForestClassifier(random_state=0)),
    "gradient boosting": Family(make=lambda: GradientBoostingClassifier(random_state=0)),
    "histogram boosting": Family(make=lambda: HistGradientBoostingClassifier(random_state=0)),
    "forest, texts and holes": Family(
        make=lambda: _prepared(RandomForestClassifier(random_state=0)), penguins=True
    ),
    "XGBoost": Family(make=lambda: XGBClassifier(n_jobs=1)),
    "LightGBM": Family(make=lambda: LGBMClassifier(n_jobs=1, verbose=-1)),
    "CatBoost": Family(
        make=lambda: CatBoostClassifier(
            iterations=100, thread_count=1, verbose=False, allow_writing_files=False
        )
    ),
}


def main() -> int:
    """Measure every family and write the table."""
    warnings.simplefilter("ignore")
    lines = [
        BEGIN,
        f"Half of a table trains, half judges (tumours, 30 numbers; penguins); the build is timed "
        f"{TIMES} times, the speed in batches of up to 1,000 rows, one thread on each side.",
        "",
        "| family | probabilities differ by: median, 99 %, most (judging rows) | labels differ | "
        "build, s: median (least to most) | onnxruntime against the original: times as fast "
        "(quartiles) |",
        "|---|---|---|---|---|",
    ]
    for name, family in FAMILIES.items():
        line = measure(name, family)
        print(line, flush=True)
        lines.append(line)
    lines.append(END)
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + "\n".join(lines) + rest.partition(END)[2], "utf-8")
    return 0


def measure(name: str, family: Family) -> str:
    """One row of the table."""
    rows, target = _table(penguins=family.penguins)
    model = family.make().fit(rows[::2], target[::2])
    judging = rows[1::2]
    seconds = []
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            built = build(Path(folder), model, rows[::2])
            seconds.append(time.perf_counter() - start)
            if built.manifest.runtime != "ONNX":
                return f"| {name} | served natively | | {np.median(seconds):.1f} | |"
            answers = built.answer(judging)
    labels = np.ravel(model.predict(judging)).astype(str)
    flips = int(np.sum(answers["label"].astype(str) != labels))
    return (
        f"| {name} | {_apart(model, judging, answers)} | {flips} of {len(judging)} "
        f"| {np.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) "
        f"| {_speed(model, rows[::2])} |"
    )


def _apart(model: Any, judging: pd.DataFrame, answers: dict[str, Any]) -> str:
    """How far probabilities are from the original's; a model may give labels alone."""
    if "probabilities" not in answers:
        return "labels only"
    apart = np.abs(np.asarray(answers["probabilities"], float) - model.predict_proba(judging))
    return f"{np.median(apart):.1e}, {np.quantile(apart, 0.99):.1e}, {apart.max():.1e}"


def _table(*, penguins: bool) -> tuple[pd.DataFrame, Any]:
    draw = np.random.default_rng(0)
    if penguins:
        table = load_penguins()
        table = table.iloc[draw.permutation(len(table))]
        return table[TEXTS + NUMBERS], table["species"].to_numpy()
    tumours = load_breast_cancer(as_frame=True)
    order = draw.permutation(len(tumours.data))
    return tumours.data.iloc[order], tumours.target.iloc[order].to_numpy()


def _speed(model: Any, samples: pd.DataFrame) -> str:
    with tempfile.TemporaryDirectory() as folder:
        joblib.dump(model, f"{folder}/model.joblib")
        samples.to_csv(f"{folder}/samples.csv", index=False)
        command = ["slipway-runtime", "check", f"{folder}/model.joblib"]
        program = Path(sys.executable).with_name(command[0])
        done = subprocess.run(
            [program, *command[1:], "--samples", f"{folder}/samples.csv"],
            capture_output=True,
            check=True,
        )
    speed = json.loads(done.stdout)["speed"]
    if speed is None:
        return "not measured"
    ours, theirs = speed["onnxruntime"], speed["original"]
    return (
        f"{ours['median'] / theirs['median']:.1f} "
        f"({ours['low'] / theirs['high']:.1f} to {ours['high'] / theirs['low']:.1f})"
    )


if __name__ == "__main__":
    sys.exit(main())
