"""Small questions to an object of XGBoost, LightGBM or CatBoost that need no import of them."""

from typing import Literal, get_args

Framework = Literal["xgboost", "lightgbm", "catboost"]
FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)
ADAPTERS = "slipway_runtime.boosters.lightgbm_model"


def framework_of(model: object) -> Framework | None:
    """The framework that an object comes from, by the module of its class or of a base class."""
    for kind in type(model).__mro__:
        root = kind.__module__.split(".")[0]
        for framework in FRAMEWORKS:
            if root == framework:
                return framework
        if kind.__module__ == ADAPTERS:
            return "lightgbm"
    return None


def has_histogram_trees(model: object) -> bool:
    """Whether it is scikit-learn's own gradient boosting over histograms, fitted."""
    return hasattr(model, "_predictors") and type(model).__module__.startswith("sklearn.ensemble")


def is_trained(model: object) -> bool:
    """Whether a booster was fitted; an ensemble also holds the unfitted one it was made from."""
    for question in ("__sklearn_is_fitted__", "is_fitted"):
        if hasattr(model, question):
            return bool(getattr(model, question)())
    return True


def has_several_labels(model: object) -> bool:
    """Whether a booster gives a row several labels at once (multi-label classification)."""
    match framework_of(model):
        case "xgboost":
            booster = getattr(model, "get_booster", None)
            if booster is None or not hasattr(model, "n_classes_"):
                return False
            return _targets(booster()) > 1
        case "catboost":
            loss = str(model.get_all_params().get("loss_function", ""))  # type: ignore[attr-defined]
            return loss.startswith(("MultiLogloss", "MultiCrossEntropy"))
    return False


def _targets(booster: object) -> int:
    import orjson

    config = orjson.loads(booster.save_config())  # type: ignore[attr-defined]
    return int(config["learner"]["learner_model_param"].get("num_target", "1"))
