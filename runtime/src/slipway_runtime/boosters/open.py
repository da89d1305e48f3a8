"""Opens native files of XGBoost, LightGBM and CatBoost, and gives a bare booster its estimator.

A native file is data, not code: it may be opened where pickles may not. What a bare booster is for,
its objective says.
"""

from pathlib import Path
from typing import Any

import orjson

from slipway_runtime.boosters.catboost_trees import loss_of
from slipway_runtime.boosters.known import FRAMEWORKS, Framework, framework_of
from slipway_runtime.errors import BuildError

_LABELLED_XGBOOST = ("binary:logistic", "binary:hinge", "multi:softprob", "multi:softmax")
_LABELLED_LIGHTGBM = ("binary", "multiclass", "multiclassova")
_CLASSIFYING_CATBOOST = (
    "Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "Focal", "MultiLogloss",
    "MultiCrossEntropy",
)  # fmt: skip
_RANKING_CATBOOST = (
    "YetiRank", "YetiRankPairwise", "PairLogit", "PairLogitPairwise", "QueryRMSE", "QuerySoftMax",
    "QueryCrossEntropy", "StochasticRank", "LambdaMart",
)  # fmt: skip
PACKAGES: dict[Framework, str] = {
    "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost",
}  # fmt: skip


def open_native(path: Path, framework: Framework) -> Any:
    """Open a native file as an estimator.

    Raises:
        BuildError: `TrainingEnvironmentUnavailable`: the framework is not installed.
        Exception: the framework's own, when it cannot read the file.
    """
    try:
        match framework:
            case "xgboost":
                import xgboost

                return _wrap_xgboost(xgboost.Booster(model_file=str(path)))
            case "lightgbm":
                import lightgbm

                return _wrap_lightgbm(lightgbm.Booster(model_file=str(path)))
            case "catboost":
                from catboost import CatBoost

                kind = "json" if path.read_bytes()[:1] == b"{" else "cbm"
                return _wrap_catboost(CatBoost().load_model(str(path), format=kind))
    except ModuleNotFoundError as error:
        name = PACKAGES[framework]
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            f'Reading model "{path.name}" failed: it is a {name} model, and {name} is not '
            f"installed here; install slipway-runtime[{framework}].",
        ) from error


def give_estimator(model: object) -> object:
    """A bare booster as an estimator; anything else as it is."""
    match framework_of(model), type(model).__name__:
        case "xgboost", "Booster":
            return _wrap_xgboost(model)
        case "lightgbm", "Booster":
            return _wrap_lightgbm(model)
        case "catboost", "CatBoost":
            return _wrap_catboost(model)
    return model


def installed_frameworks(model: object) -> tuple[Framework, ...]:
    """The framework of each booster that a fitted model holds, itself included."""
    from slipway_runtime.contract_of.unwrap import nested

    found = {framework_of(part) for part in nested(model)}
    return tuple(framework for framework in FRAMEWORKS if framework in found)


def _wrap_xgboost(booster: Any) -> Any:
    """The wrapper's `predict` stops at the best round; `Booster.predict` does not."""
    import xgboost

    learner = orjson.loads(booster.save_config())["learner"]
    objective = str(learner["objective"]["name"])
    if objective in _LABELLED_XGBOOST:
        wrapper = xgboost.XGBClassifier()
    elif objective.startswith("rank:"):
        wrapper = xgboost.XGBRanker(objective=objective)
    else:
        wrapper = xgboost.XGBRegressor()
    if booster.attr("scikit_learn") is None:  # saved by a Booster, which uses every round
        booster = booster.copy()
        booster.set_attr(best_iteration=None, best_score=None)
    else:  # what kind of estimator it was is told by its objective
        booster = booster.copy()
        booster.set_attr(scikit_learn=None)
    wrapper.load_model(bytearray(booster.save_raw("ubj")))
    return wrapper


def _wrap_lightgbm(booster: Any) -> Any:
    from slipway_runtime.boosters.lightgbm_model import BoosterClassifier, BoosterRegressor

    objective = str(booster.dump_model(num_iteration=1).get("objective", "")).split(" ")[0]
    kind = BoosterClassifier if objective in _LABELLED_LIGHTGBM else BoosterRegressor
    return kind(booster)


def _wrap_catboost(model: Any) -> Any:
    import catboost

    loss = loss_of(model)
    if loss in _CLASSIFYING_CATBOOST:
        wrapper: Any = catboost.CatBoostClassifier()
    elif loss in _RANKING_CATBOOST:
        wrapper = catboost.CatBoostRanker()
    else:
        # The kind of answer (a rate or its logarithm) hangs on the stated loss.
        wrapper = catboost.CatBoostRegressor(loss_function=loss) if loss else None
    wrapper.load_model(blob=model._serialize_model())
    return wrapper
