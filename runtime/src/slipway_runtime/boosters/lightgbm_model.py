"""A LightGBM `Booster` as the estimator that its objective makes it.

A native file keeps no labels: classes are 0, 1, …, the numbers it was trained on.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


class _Boosted(BaseEstimator):  # type: ignore[misc]
    """What both kinds have in common; `booster` is the fitted `lightgbm.Booster`."""

    def __init__(self, booster: Any = None) -> None:
        self.booster = booster

    @property
    def booster_(self) -> Any:
        return self.booster

    @property
    def feature_name_(self) -> list[str]:
        return list(self.booster.feature_name())

    @property
    def n_features_in_(self) -> int:
        return int(self.booster.num_feature())

    def __sklearn_is_fitted__(self) -> bool:
        return self.booster is not None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class BoosterClassifier(ClassifierMixin, _Boosted):  # type: ignore[misc]
    """Objectives binary, multiclass and multiclassova."""

    @property
    def classes_(self) -> NDArray[np.int64]:
        return np.arange(max(2, int(self.booster.num_model_per_iteration())))

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Probabilities `[n, k]`."""
        told = np.asarray(self.booster.predict(rows))
        return told if told.ndim == 2 else np.column_stack([1.0 - told, told])

    def predict(self, rows: Any) -> NDArray[np.int64]:
        """The likeliest class of each row."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(rows), axis=1)])


class BoosterRegressor(RegressorMixin, _Boosted):  # type: ignore[misc]
    """All other objectives: a value a row."""

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """What `Booster.predict` gives."""
        return np.asarray(self.booster.predict(rows))
