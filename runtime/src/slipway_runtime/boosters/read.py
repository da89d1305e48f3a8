"""Reads a fitted booster, whichever framework it is of, as a `Forest`."""

from slipway_runtime.boosters.forest import Categories, Forest, NotRead
from slipway_runtime.boosters.known import framework_of, has_histogram_trees

_KEPT = 8
_read: dict[int, tuple[object, Forest]] = {}


def read_forest(model: object) -> Forest:
    """Read a fitted estimator of XGBoost, LightGBM, CatBoost, or histogram boosting.

    Raises:
        NotRead: something in it is not known to convert exactly; the text says what.
    """
    held = _read.get(id(model))
    if held is not None and held[0] is model:
        return held[1]
    forest = _read_anew(model)
    while len(_read) >= _KEPT:
        _read.pop(next(iter(_read)))
    _read[id(model)] = (model, forest)  # the model is kept, so that its id stays its own
    return forest


def _read_anew(model: object) -> Forest:
    match framework_of(model):
        case "xgboost":
            from slipway_runtime.boosters.xgboost_trees import read_xgboost

            return read_xgboost(model)
        case "lightgbm":
            from slipway_runtime.boosters.lightgbm_trees import read_lightgbm

            return read_lightgbm(model)
        case "catboost":
            from slipway_runtime.boosters.catboost_trees import read_catboost

            return read_catboost(model)
    if has_histogram_trees(model):
        from slipway_runtime.boosters.histogram_trees import read_histogram

        return read_histogram(model)
    raise NotRead(f"{type(model).__name__} is no booster")


def read_categories(model: object) -> Categories:
    """The pandas categories of a booster's columns, also where its trees are not read."""
    match framework_of(model):
        case "xgboost":
            from slipway_runtime.boosters.xgboost_trees import xgboost_categories

            return xgboost_categories(model)
        case "lightgbm":
            from slipway_runtime.boosters.lightgbm_trees import lightgbm_categories

            return lightgbm_categories(model)
    return {}
