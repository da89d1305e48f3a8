"""Rewrites of a copy of the model that the converter needs and that change no answer.

Each is proven by parity like everything else. `Denied` combinations are the opposite: they convert
without complaint and answer wrongly, so they are refused before any row is tried.
"""

import copy

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.contract_of.decimals import are_decimals, shortest_decimals
from slipway_runtime.contract_of.reading import is_missing
from slipway_runtime.contract_of.unwrap import last_step, nested


def denied_reason(model: object) -> str | None:
    """Name the part that skl2onnx 1.20 converts silently wrong, and why; None: there is none."""
    end = last_step(model)
    for part in nested(model):
        if part is end:
            continue  # written by ourselves
        name = type(part).__name__
        categorical = getattr(part, "is_categorical_", None)
        if name.startswith("HistGradientBoosting") and np.any(categorical):
            return f"{name} with categorical features: its splits on categories are lost"
    return None


def casts_to_float32(step: object) -> bool:
    """Whether an estimator itself casts its rows to float32 (trees, forests, gradient boosting)."""
    if hasattr(step, "tree_"):
        return True
    members = getattr(step, "estimators_", None)
    if members is None or not type(step).__module__.startswith("sklearn.ensemble"):
        return False
    return all(hasattr(member, "tree_") for member in np.asarray(members, dtype=object).ravel())


def rewrite_for_onnx(model: object, *, dense: bool = False, cast: bool = False) -> object:
    """Give a model that answers the same and that the converter understands.

    Args:
        model: a fitted estimator; it is copied before anything in it is changed.
        dense: encode one-hot columns densely.
        cast: before a final estimator that casts to float32, say so in the pipeline.
    """
    twin = _unfold_selection(_rewrite_parts(model, dense))
    steps = getattr(twin, "steps", None)
    if not cast or not steps or not casts_to_float32(steps[-1][1]):
        return twin
    from skl2onnx.sklapi import CastTransformer

    shallow = copy.copy(twin)
    shallow.steps = [  # type: ignore[attr-defined]
        *steps[:-1],
        ("slipway_float32", CastTransformer(dtype=np.float32)),
        steps[-1],
    ]
    return shallow


def _unfold_selection(model: object) -> object:
    """A final RFE or RFECV as what it is to one who asks it: a selection, then its estimator."""
    steps = list(getattr(model, "steps", [("select", model)]))
    name, last = steps[-1]
    if type(last).__name__ not in ("RFE", "RFECV") or not hasattr(last, "estimator_"):
        return model
    from sklearn.pipeline import Pipeline

    return Pipeline([*steps[:-1], (name, last), (f"{name}_estimator", last.estimator_)])


def _rewrite_parts(model: object, dense: bool) -> object:
    if not any(_needs_rewrite(part, dense, model) for part in nested(model)):
        return model
    twin = copy.deepcopy(model)
    for part in nested(twin):
        _rewrite_part(part, dense, twin)
    return twin


def has_sparse_encoding(model: object) -> bool:
    """Whether some step encodes sparsely, so that the dense attempt would differ."""
    return any(_is_sparse(part) for part in nested(model))


def _has_rounded_trees(part: object, model: object) -> bool:
    """Histogram trees that skl2onnx writes, in float32; those at the end we write ourselves."""
    return hasattr(part, "_predictors") and part is not last_step(model)


def _needs_rewrite(part: object, dense: bool, model: object) -> bool:
    return (
        _has_rounded_trees(part, model)
        or getattr(part, "flatten_transform", False)
        or _is_text_imputer(part)
        or _has_missing_category(part)
        or (dense and _is_sparse(part))
    )


def _rewrite_part(part: object, dense: bool, model: object) -> None:
    if _has_rounded_trees(part, model):
        for generation in part._predictors:  # type: ignore[attr-defined]
            for predictor in generation:
                nodes = predictor.nodes = predictor.nodes.copy()
                nodes["num_threshold"] = thresholds_for_float32(nodes["num_threshold"])
    if getattr(part, "flatten_transform", False):  # shapes the transform of voting, never predict
        part.flatten_transform = False  # type: ignore[attr-defined]
    if _is_text_imputer(part):
        part.missing_values = ""  # type: ignore[attr-defined]
    if _has_missing_category(part):
        part.categories_ = [_fill(known) for known in part.categories_]  # type: ignore[attr-defined]
    if dense and _is_sparse(part):
        _make_dense(part)


def round_down_to_float32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float32 that is not above each value.

    For a float32 `x`: x <= value ⇔ x <= round_down(value), so a tree fed with float32 values goes
    the same way. Example: 0.1 (float64) → 0.09999999403953552.
    """
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    above = rounded.astype(np.float64) > values
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded.astype(np.float64)


def thresholds_for_float32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds that send float32 rows where the original sends what they were read from.

    A threshold that is no short decimal is rounded down: exact for every float32 `x`. A short
    decimal was learnt from decimals, and float32 may lie on either side of the decimal it is read
    from: the decimal decides. Example: 39.1 → 39.099998 (39.1 goes left); 39.099999999999994 →
    39.099995 (39.1 goes right).
    """
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    goes_left = shortest_decimals(nearest) <= values
    by_decimal = np.where(goes_left, nearest, np.nextafter(nearest, np.float32(-np.inf)))
    return np.where(are_decimals(values), by_decimal, round_down_to_float32(values)).astype(
        np.float64
    )


def _is_text_imputer(part: object) -> bool:
    """A SimpleImputer of text: the server writes '' for a missing text, so it fills that."""
    statistics = getattr(part, "statistics_", None)
    if type(part).__name__ != "SimpleImputer" or statistics is None:
        return False
    return np.asarray(statistics).dtype.kind in "OUS" and not isinstance(part.missing_values, str)  # type: ignore[attr-defined]


def _has_missing_category(part: object) -> bool:
    return any(
        getattr(getattr(known, "dtype", None), "kind", "") == "O"
        and any(is_missing(value) for value in known)
        for known in getattr(part, "categories_", None) or ()
    )


def _fill(known: NDArray[np.object_]) -> NDArray[np.object_]:
    if known.dtype != object:
        return known
    return np.array(["" if is_missing(value) else value for value in known], dtype=object)


def _is_sparse(part: object) -> bool:
    name = type(part).__name__
    if name == "OneHotEncoder":
        return bool(getattr(part, "sparse_output", False))
    if name == "KBinsDiscretizer":
        return getattr(part, "encode", "") == "onehot"
    return name == "RandomTreesEmbedding" and bool(getattr(part, "sparse_output", False))


def _make_dense(part: object) -> None:
    if type(part).__name__ == "KBinsDiscretizer":
        part.encode = "onehot-dense"  # type: ignore[attr-defined]
    else:
        part.sparse_output = False  # type: ignore[attr-defined]
    encoder = getattr(part, "_encoder", None) or getattr(part, "one_hot_encoder_", None)
    if encoder is not None:
        encoder.sparse_output = False
