"""What stands around a booster: preparations before it, and ensembles that hold it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A pipeline of a preparation and the booster; `holes`: it takes missing values."""

    steps: Callable[[], Any]
    holes: bool = True

    def __call__(self, booster: Any) -> Any:
        return make_pipeline(self.steps(), booster)


def _columns() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("sex", OneHotEncoder(handle_unknown="ignore"), [1]),
            ("scaled", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), [2, 3]),
        ],
        remainder="passthrough",
    )


def pipelines() -> dict[str, Prepared]:
    """By the name of what stands before the booster."""
    return {
        "StandardScaler": Prepared(steps=StandardScaler),
        "MinMaxScaler": Prepared(steps=MinMaxScaler),
        "RobustScaler": Prepared(steps=RobustScaler),
        "MaxAbsScaler": Prepared(steps=MaxAbsScaler),
        "Normalizer": Prepared(steps=Normalizer, holes=False),
        "PowerTransformer": Prepared(steps=PowerTransformer),
        "QuantileTransformer": Prepared(steps=lambda: QuantileTransformer(n_quantiles=50)),
        "PolynomialFeatures": Prepared(steps=lambda: PolynomialFeatures(2), holes=False),
        "KBinsDiscretizer": Prepared(steps=lambda: KBinsDiscretizer(4), holes=False),
        "PCA": Prepared(steps=lambda: PCA(5), holes=False),
        "SelectKBest": Prepared(steps=lambda: SelectKBest(k=5), holes=False),
        "SimpleImputer": Prepared(steps=SimpleImputer),
        "SimpleImputer with indicator": Prepared(steps=lambda: SimpleImputer(add_indicator=True)),
        "KNNImputer": Prepared(steps=KNNImputer),
        "FunctionTransformer(log1p)": Prepared(steps=lambda: FunctionTransformer(np.log1p)),
        "ColumnTransformer": Prepared(steps=_columns, holes=False),
    }


def nested_models() -> dict[str, Callable[[Any], Any]]:
    """By the name of what holds the booster."""

    def filled(model: Any) -> Any:
        return make_pipeline(SimpleImputer(), model)

    return {
        "VotingClassifier": lambda booster: filled(
            VotingClassifier(
                [("a", booster), ("b", LogisticRegression(max_iter=2000))], voting="soft"
            )
        ),
        "StackingClassifier": lambda booster: filled(
            StackingClassifier([("a", booster)], final_estimator=LogisticRegression())
        ),
        "BaggingClassifier": lambda booster: BaggingClassifier(booster, n_estimators=3),
        "CalibratedClassifierCV": lambda booster: CalibratedClassifierCV(booster, cv=2),
        "GridSearchCV": lambda booster: GridSearchCV(booster, {"learning_rate": [0.1, 0.3]}, cv=2),
    }
