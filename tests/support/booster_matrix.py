"""What boosters can be: objective, kind, categories, missing values, pipelines, each a small model.

`cells()` names them; a cell trains its model, and asks the framework itself. One real table
(diabetes: 442 patients, 10 measures), holes in a tenth of it, and the penguins for text.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRanker, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor, early_stopping
from numpy.typing import NDArray
from palmerpenguins import load_penguins
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier, XGBRanker, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from booster_pipelines import nested_models, pipelines

Matrix = NDArray[np.float64]
TEXTS = ["island", "sex"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A fitted model, what is saved of it, and rows to ask it: never seen, with holes, and seen."""

    model: Any
    rows: pd.DataFrame | Matrix
    saved: Any = None  # an object to pickle, or bytes of a native file; None: the model

    def to_save(self) -> Any:
        return self.model if self.saved is None else self.saved


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination."""

    framework: str
    group: str
    name: str
    make: Callable[[], Made]


@cache
def table(*, holes: bool = True) -> tuple[Matrix, Matrix]:
    """Rows and target; with holes in a tenth of the rows' values."""
    rows, target = load_diabetes(return_X_y=True, scaled=False)
    if holes:
        rows = np.where(np.random.default_rng(0).random(rows.shape) < 0.1, np.nan, rows)
    return rows, target


def asked(*, holes: bool = True) -> Matrix:
    """All rows, and the unseen half again with other holes: thresholds are values of seen rows."""
    rows, _ = table(holes=holes)
    more = rows[1::2]
    if holes:
        more = np.where(np.random.default_rng(1).random(more.shape) < 0.2, np.nan, more)
    return np.concatenate([rows, more])


def targets(kind: str) -> NDArray[Any]:
    _, target = table()
    two = (target > np.median(target)).astype(int)
    three = np.digitize(target, np.quantile(target, [0.33, 0.67]))
    found: dict[str, NDArray[Any]] = {
        "value": target, "two": two, "three": three, "count": np.round(target / 25),
        "share": two.astype(float), "text": np.array(["low", "middle", "high"])[three],
        "bool": two.astype(bool), "grade": np.digitize(target, [100, 150, 250]),
        "pair": np.column_stack([target, target[::-1]]),
        "labels": np.column_stack([two, two[::-1]]),
    }  # fmt: skip
    return found[kind]


def fitted(model: Any, kind: str, *, holes: bool = True, **how: Any) -> Made:
    """Train on every second row."""
    rows, _ = table(holes=holes)
    model.fit(rows[::2], targets(kind)[::2], **how)
    return Made(model=model, rows=asked(holes=holes))


def _native(model: Any, kind: str, save: Callable[[Any, Path], None]) -> Made:
    import tempfile

    made = fitted(model, kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        save(made.model, path)
        return Made(model=made.model, rows=made.rows, saved=path.read_bytes())


def _custom(truth: Matrix, guess: Matrix) -> tuple[Matrix, Matrix]:
    return guess - truth, np.ones_like(guess)


class _CatBoostCustom:
    def calc_ders_range(self, guess: Any, truth: Any, weights: Any) -> list[tuple[float, float]]:
        return [(t - g, -1.0) for g, t in zip(guess, truth, strict=True)]


@cache
def penguins(*, coded: bool) -> tuple[pd.DataFrame, pd.Series]:
    rows = load_penguins().drop(columns=["year"])
    for name in TEXTS:
        rows[name] = rows[name].astype("category") if coded else rows[name].fillna("unknown")
    return rows.drop(columns=["species"]), rows["species"]


def _penguin_model(model: Any, *, coded: bool, numbers: bool = False, **how: Any) -> Made:
    rows, species = penguins(coded=coded)
    target = species.astype("category").cat.codes if numbers else species
    return Made(model=model.fit(rows[::2], target[::2], **how), rows=rows)


def _codes(model: Any, **how: Any) -> Made:
    """A column of numbers (1 and 2, and a decade of age) trained as codes of categories."""
    rows, _ = table(holes=False)
    rows = rows.copy()
    rows[:, 0] = np.floor(rows[:, 0] / 5)
    model.fit(rows[::2], targets("two")[::2], **how)
    more = rows[:80].copy()
    more[:20, 0], more[20:40, 0], more[40:60, 0] = np.nan, 77, more[40:60, 0] + 0.5
    return Made(model=model, rows=np.concatenate([rows, more]))


_SMALL = {"n_estimators": 20, "max_depth": 4, "n_jobs": 1}
_LEAVES = {"n_estimators": 20, "num_leaves": 12, "n_jobs": 1, "verbose": -1}
_CAT: dict[str, Any] = {
    "iterations": 20, "depth": 4, "thread_count": 1, "verbose": False, "allow_writing_files": False,
}  # fmt: skip


def _xgboost() -> Iterator[tuple[str, str, Callable[[], Made]]]:
    for booster in ("gbtree", "dart", "gblinear"):
        for objective, kind in (
            ("binary:logistic", "two"), ("binary:logitraw", "two"), ("binary:hinge", "two"),
            ("multi:softprob", "three"), ("multi:softmax", "three"),
        ):  # fmt: skip
            yield (
                booster,
                objective,
                lambda o=objective, b=booster, k=kind: fitted(
                    XGBClassifier(objective=o, booster=b, **_SMALL), k
                ),
            )
        for objective, kind in (
            ("reg:squarederror", "value"), ("reg:squaredlogerror", "count"),
            ("reg:absoluteerror", "value"), ("reg:pseudohubererror", "share"),
            ("reg:logistic", "share"), ("count:poisson", "count"), ("reg:gamma", "value"),
            ("reg:tweedie", "count"), ("survival:cox", "value"),
        ):  # fmt: skip
            yield (
                booster,
                objective,
                lambda o=objective, b=booster, k=kind: fitted(
                    XGBRegressor(objective=o, booster=b, min_child_weight=0, **_SMALL), k
                ),
            )
        yield (
            booster,
            "rank:ndcg",
            lambda b=booster: fitted(
                XGBRanker(booster=b, **_SMALL), "grade", qid=np.arange(221) // 17
            ),
        )
    more: dict[str, Callable[[], Made]] = {
        "random forest, 3 classes": lambda: fitted(XGBRFClassifier(**_SMALL), "three"),
        "random forest, value": lambda: fitted(XGBRFRegressor(**_SMALL), "value"),
        "base_score=0.3": lambda: fitted(XGBClassifier(base_score=0.3, **_SMALL), "two"),
        "missing=-1": lambda: fitted(XGBClassifier(missing=-1, **_SMALL), "two"),
        "no holes in training": lambda: Made(
            model=fitted(XGBClassifier(**_SMALL), "two", holes=False).model, rows=asked()
        ),
        "early stopping": lambda: fitted(
            XGBClassifier(**{**_SMALL, "n_estimators": 200}, early_stopping_rounds=3), "two",
            eval_set=[(table()[0][1::2], targets("two")[1::2])], verbose=False,
        ),
        "two quantiles": lambda: fitted(
            XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9], **_SMALL),
            "value",
        ),
        "two targets": lambda: fitted(XGBRegressor(**_SMALL), "pair"),
        "two targets a leaf": lambda: fitted(
            XGBRegressor(multi_strategy="multi_output_tree", **_SMALL), "pair"
        ),
        "two labels a row": lambda: fitted(XGBClassifier(**_SMALL), "labels"),
        "objective of one's own": lambda: fitted(
            XGBRegressor(objective=_custom, **_SMALL), "value"
        ),
        "pandas categories": lambda: _penguin_model(
            XGBClassifier(enable_categorical=True, max_cat_to_onehot=1, **_SMALL),
            coded=True, numbers=True,
        ),
        "pandas categories, objective of one's own": lambda: _penguin_model(
            XGBRegressor(enable_categorical=True, objective=_custom, **_SMALL),
            coded=True, numbers=True,
        ),
        "codes of categories": lambda: _codes(
            XGBClassifier(
                enable_categorical=True, max_cat_to_onehot=2,
                feature_types=["c"] + ["q"] * 9, **_SMALL,
            )
        ),
        "native JSON": lambda: _native(
            XGBClassifier(**_SMALL), "three",
            lambda model, path: path.write_bytes(model.get_booster().save_raw("json")),
        ),
        "native UBJSON": lambda: _native(
            XGBRegressor(**_SMALL), "value",
            lambda model, path: path.write_bytes(model.get_booster().save_raw("ubj")),
        ),
    }  # fmt: skip
    yield from (("other", name, make) for name, make in more.items())


def _lightgbm() -> Iterator[tuple[str, str, Callable[[], Made]]]:
    for kind in ("gbdt", "dart", "goss", "rf"):
        bagged = {"bagging_freq": 1, "bagging_fraction": 0.6} if kind == "rf" else {}
        for objective, target in (("binary", "two"), ("multiclass", "text"),
                                  ("multiclassova", "three")):  # fmt: skip
            yield (
                kind,
                objective,
                lambda o=objective, b=kind, t=target, m=bagged: fitted(
                    LGBMClassifier(objective=o, boosting_type=b, **_LEAVES, **m), t
                ),
            )
        for objective, target in (
            ("regression", "value"), ("regression_l1", "value"), ("huber", "value"),
            ("fair", "value"), ("quantile", "value"), ("mape", "value"), ("poisson", "count"),
            ("gamma", "value"), ("tweedie", "count"), ("cross_entropy", "share"),
            ("cross_entropy_lambda", "share"),
        ):  # fmt: skip
            yield (
                kind,
                objective,
                lambda o=objective, b=kind, t=target, m=bagged: fitted(
                    LGBMRegressor(objective=o, boosting_type=b, **_LEAVES, **m), t
                ),
            )
        yield (
            kind,
            "lambdarank",
            lambda b=kind, m=bagged: fitted(
                LGBMRanker(boosting_type=b, **_LEAVES, **m), "grade", group=[17] * 13
            ),
        )
    more: dict[str, Callable[[], Made]] = {
        "sigmoid=2": lambda: fitted(LGBMClassifier(sigmoid=2.0, **_LEAVES), "bool"),
        "reg_sqrt": lambda: fitted(LGBMRegressor(reg_sqrt=True, **_LEAVES), "value"),
        "zero_as_missing": lambda: fitted(LGBMClassifier(zero_as_missing=True, **_LEAVES), "two"),
        "use_missing=False": lambda: fitted(LGBMClassifier(use_missing=False, **_LEAVES), "two"),
        "no holes in training": lambda: Made(
            model=fitted(LGBMClassifier(**_LEAVES), "two", holes=False).model, rows=asked()
        ),
        "linear_tree": lambda: fitted(
            LGBMRegressor(linear_tree=True, **_LEAVES), "value", holes=False
        ),
        "early stopping": lambda: fitted(
            LGBMClassifier(**{**_LEAVES, "n_estimators": 200}), "two",
            eval_set=[(table()[0][1::2], targets("two")[1::2])],
            callbacks=[early_stopping(3, verbose=False)],
        ),
        "objective of one's own": lambda: fitted(
            LGBMRegressor(objective=_custom, **_LEAVES), "value"
        ),
        "pandas categories": lambda: _penguin_model(
            LGBMClassifier(min_data_per_group=2, cat_smooth=1, **_LEAVES), coded=True
        ),
        "pandas categories, linear_tree": lambda: _penguin_model(
            LGBMRegressor(linear_tree=True, **_LEAVES), coded=True, numbers=True
        ),
        "codes of categories": lambda: _codes(
            LGBMClassifier(min_data_per_group=2, cat_smooth=1, **_LEAVES), categorical_feature=[0]
        ),
        "native text": lambda: _native(
            LGBMClassifier(**_LEAVES), "three",
            lambda model, path: model.booster_.save_model(path),
        ),
    }  # fmt: skip
    yield from (("other", name, make) for name, make in more.items())


def _catboost() -> Iterator[tuple[str, str, Callable[[], Made]]]:
    for policy in ("SymmetricTree", "Depthwise", "Lossguide"):
        for loss, target in (("Logloss", "two"), ("CrossEntropy", "share"), ("MultiClass", "text"),
                             ("MultiClassOneVsAll", "three")):  # fmt: skip
            yield (
                policy,
                loss,
                lambda o=loss, p=policy, t=target: fitted(
                    CatBoostClassifier(loss_function=o, grow_policy=p, **_CAT), t
                ),
            )
        for loss, target in (
            ("RMSE", "value"), ("MAE", "value"), ("Quantile:alpha=0.9", "value"),
            ("MultiQuantile:alpha=0.1,0.9", "value"), ("MAPE", "value"), ("Huber:delta=9", "value"),
            ("LogCosh", "value"), ("Expectile:alpha=0.3", "value"), ("Lq:q=3", "value"),
            ("LogLinQuantile", "value"), ("Poisson", "count"),
            ("Tweedie:variance_power=1.5", "count"), ("RMSEWithUncertainty", "value"),
            ("MultiRMSE", "pair"),
        ):  # fmt: skip
            yield (
                policy,
                loss,
                lambda o=loss, p=policy, t=target: fitted(
                    CatBoostRegressor(loss_function=o, grow_policy=p, **_CAT), t
                ),
            )
        yield (
            policy,
            "YetiRank",
            lambda p=policy: fitted(
                CatBoostRanker(grow_policy=p, **_CAT), "grade", group_id=np.arange(221) // 17
            ),
        )
    more: dict[str, Callable[[], Made]] = {
        "nan_mode=Max": lambda: fitted(CatBoostClassifier(nan_mode="Max", **_CAT), "two"),
        "nan_mode=Forbidden": lambda: fitted(
            CatBoostClassifier(nan_mode="Forbidden", **_CAT), "two", holes=False
        ),
        "no holes in training": lambda: Made(
            model=fitted(CatBoostClassifier(**_CAT), "two", holes=False).model, rows=asked()
        ),
        "labels true and false": lambda: fitted(CatBoostClassifier(**_CAT), "bool"),
        "two labels a row": lambda: fitted(
            CatBoostClassifier(loss_function="MultiLogloss", **_CAT), "labels"
        ),
        "objective of one's own": lambda: fitted(
            CatBoostRegressor(loss_function=_CatBoostCustom(), eval_metric="RMSE", **_CAT), "value"
        ),
        "cat_features": lambda: _penguin_model(
            CatBoostClassifier(cat_features=TEXTS, one_hot_max_size=1, **_CAT), coded=False
        ),
        "cat_features, one-hot": lambda: _penguin_model(
            CatBoostClassifier(cat_features=TEXTS, one_hot_max_size=10, **_CAT), coded=False
        ),
        "native .cbm": lambda: _native(
            CatBoostRegressor(loss_function="Poisson", **_CAT), "count",
            lambda model, path: model.save_model(str(path)),
        ),
        "native JSON": lambda: _native(
            CatBoostClassifier(**_CAT), "three",
            lambda model, path: model.save_model(str(path), format="json"),
        ),
    }  # fmt: skip
    yield from (("other", name, make) for name, make in more.items())


def _sparse(booster: Any, *, numbers: bool) -> Made:
    """One-hot columns as a sparse matrix: XGBoost takes their zeros for missing."""
    columns = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), TEXTS)],
        remainder="passthrough", sparse_threshold=1.0,
    )  # fmt: skip
    return _penguin_model(make_pipeline(columns, booster), coded=False, numbers=numbers)


def _composed(framework: str, make: Callable[..., Any]) -> Iterator[tuple[str, str, Any]]:
    for name, build in pipelines().items():
        yield "pipeline", name, lambda b=build: fitted(b(make()), "two", holes=b.holes)
    yield (
        "pipeline",
        "OneHotEncoder, sparse",
        lambda: _sparse(make(), numbers=framework == "XGBoost"),
    )
    for name, wrap in nested_models().items():
        yield "inside", name, lambda w=wrap: fitted(w(make()), "two")


def cells() -> list[Cell]:
    """Every combination, in the order of the table."""
    boosters: dict[str, tuple[Iterator[Any], Callable[[], Any]]] = {
        "XGBoost": (_xgboost(), lambda: XGBClassifier(**_SMALL)),
        "LightGBM": (_lightgbm(), lambda: LGBMClassifier(**_LEAVES)),
        "CatBoost": (_catboost(), lambda: CatBoostClassifier(**_CAT)),
    }
    return [
        Cell(framework=framework, group=group, name=name, make=make)
        for framework, (own, plain) in boosters.items()
        for group, name, make in (*own, *_composed(framework, plain))
    ]
