"""Walks through a fitted scikit-learn model and notes what each step tells about each column.

A column travels as a *lane*: its place in the model's input and the affine map back to the raw
value, so that a threshold behind a scaler can be told in the user's units. Steps are known by the
attributes they have, so nothing of scikit-learn is imported and nothing of the model is run.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from slipway_runtime.boosters.forest import NotRead
from slipway_runtime.boosters.histogram_trees import column_order, histogram_categories
from slipway_runtime.boosters.known import framework_of
from slipway_runtime.contract_of.booster import note_coded, walk_booster
from slipway_runtime.contract_of.lane import (
    Lanes,
    as_vector,
    note_fill,
    note_numbers,
    note_ranges,
    note_splits,
    note_thresholds,
    readings_of,
)
from slipway_runtime.contract_of.reading import ColumnReading, is_missing
from slipway_runtime.contract_of.unwrap import takes_text, unwrap


def walk(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """Note what `step` tells about the columns in `lanes`; return the lanes that leave it.

    A None lane is a value that no longer belongs to one raw column.
    """
    step = unwrap(step)
    if step is None or step == "passthrough":
        return lanes
    if framework_of(step) is not None:
        return walk_booster(step, lanes, columns)
    for attribute, handler in _HANDLERS:
        if hasattr(step, attribute):
            return handler(step, lanes, columns)
    return _walk_unknown(step, lanes, columns)


def _walk_pipeline(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    for _, part in step.steps:  # type: ignore[attr-defined]
        lanes = walk(part, lanes, columns)
    return lanes


def _walk_columns(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """ColumnTransformer: each transformer with its own columns, outputs side by side."""
    out: Lanes = []
    taken: set[int] = set()
    where: dict[str, list[int]] = step._transformer_to_input_indices  # type: ignore[attr-defined]
    for name, part, _ in step.transformers_:  # type: ignore[attr-defined]
        if isinstance(part, str) and part == "drop":
            continue
        positions = [int(position) for position in where.get(name, [])]
        taken.update(positions)
        out += walk(part, [lanes[position] for position in positions], columns)
    for position, lane in enumerate(lanes):
        if position not in taken and lane is not None:
            columns[lane.column].used = False
    return out


def _walk_union(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    out: Lanes = []
    for _, part in step.transformer_list:  # type: ignore[attr-defined]
        if not (isinstance(part, str) and part == "drop"):
            out += walk(part, lanes, columns)
    return out


def _walk_vectorizer(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    vocabulary = getattr(step, "vocabulary_", None) or {}
    words = tuple(sorted(str(word) for word in vocabulary))
    for reading in readings_of(lanes, columns):
        reading.kind = "Text"
        reading.words = tuple(dict.fromkeys((*reading.words, *words)))
        reading.missing_refused = True
    return [None] * len(words)


def _walk_encoder(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """OneHotEncoder, OrdinalEncoder, TargetEncoder: `categories_`, an array a column."""
    takes_unknown = getattr(step, "handle_unknown", "ignore") != "error"
    categories = step.categories_  # type: ignore[attr-defined]
    for lane, known in zip(lanes, categories, strict=False):
        if lane is None:
            continue
        reading = columns[lane.column]
        reading.kind = "Categorical"
        values = tuple(known.tolist()) if hasattr(known, "tolist") else tuple(known)
        reading.categories = tuple(dict.fromkeys((*(reading.categories or ()), *values)))
        reading.unknown_allowed = takes_unknown
        holes = [value for value in values if is_missing(value)]
        if holes:
            reading.missing_taken = True
            reading.missing_token = None if holes[0] is None else float("nan")
        elif not lane.filled:
            reading.missing_refused = True
    return [None] * _encoded_width(step, len(categories))


def _encoded_width(step: object, columns: int) -> int:
    """Columns that leave an encoder: OneHotEncoder counts them, TargetEncoder has a row each."""
    counts = getattr(step, "_n_features_outs", None)
    if counts is not None:
        return int(sum(counts))
    encodings = getattr(step, "encodings_", None)
    return len(encodings) if encodings is not None else columns


def _walk_imputer(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """SimpleImputer: fills; a column that was empty in training leaves no lane."""
    out: Lanes = []
    keeps_empty = getattr(step, "keep_empty_features", False)
    for lane, fill in zip(lanes, step.statistics_, strict=False):  # type: ignore[attr-defined]
        if lane is not None:
            note_fill(step, lane, columns[lane.column], fill)
            lane = replace(lane, filled=True)  # noqa: PLW2901 - the lane goes on, filled
        if lane is None or keeps_empty or not is_missing(fill):
            out.append(lane)
    if getattr(step, "add_indicator", False):
        indicator = getattr(step, "indicator_", None)
        out += [None] * len(getattr(indicator, "features_", ()))
    return out


def _walk_neighbour_imputer(_: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """KNNImputer, IterativeImputer: numbers, filled from other columns."""
    for reading in readings_of(lanes, columns):
        reading.kind = reading.kind or "Numerical"
        reading.missing_taken = True
    return [None if lane is None else replace(lane, filled=True) for lane in lanes]


def _walk_scaler(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """Standard, Robust, MinMax and MaxAbs scalers: out = (value - centre) / scale."""
    width = len(lanes)
    scales = as_vector(getattr(step, "scale_", None), width, 1.0)
    if hasattr(step, "data_min_"):
        lows, highs = as_vector(step.data_min_, width, 0.0), as_vector(step.data_max_, width, 0.0)  # type: ignore[attr-defined]
        shifts = -as_vector(step.min_, width, 0.0) / scales  # type: ignore[attr-defined]
        scales = 1.0 / scales
        centres, spreads = (lows + highs) / 2, (highs - lows) / 2
        note_ranges(lanes, columns, lows, highs)
    elif hasattr(step, "max_abs_"):
        tops = as_vector(step.max_abs_, width, 1.0)
        shifts, centres, spreads = np.zeros(width), np.zeros(width), tops
        note_ranges(lanes, columns, -tops, tops)
    else:
        centre = getattr(step, "mean_", None)
        shifts = as_vector(
            centre if centre is not None else getattr(step, "center_", None), width, 0
        )
        centres, spreads = shifts, scales
        if getattr(step, "with_mean", True) is False or getattr(step, "with_centering", 1) is False:
            shifts = np.zeros(width)
    out: Lanes = []
    for index, lane in enumerate(lanes):
        if lane is None:
            out.append(None)
            continue
        reading = columns[lane.column]
        reading.kind = reading.kind or "Numerical"
        reading.centre = lane.to_raw(centres[index])
        reading.spread = abs(float(spreads[index]) * lane.scale) or 1.0
        out.append(
            replace(
                lane,
                scale=float(scales[index]) * lane.scale,
                shift=lane.to_raw(shifts[index]),
            )
        )
    return out


def _walk_bins(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """KBinsDiscretizer: the edges are where the answer changes."""
    for lane, edges in zip(lanes, step.bin_edges_, strict=False):  # type: ignore[attr-defined]
        if lane is not None:
            columns[lane.column].kind = columns[lane.column].kind or "Numerical"
            note_thresholds(lane, columns, np.asarray(edges[1:-1], dtype=np.float64))
            note_ranges([lane], columns, np.asarray(edges[:1]), np.asarray(edges[-1:]))
    return [None] * len(lanes)


def _walk_selector(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """Feature selection keeps some lanes as they are."""
    support = np.asarray(step.get_support())  # type: ignore[attr-defined]
    note_numbers(step, lanes, columns)
    return [lane for lane, kept in zip(lanes, support, strict=False) if kept]


def _walk_function(step: object, lanes: Lanes, _: Sequence[ColumnReading]) -> Lanes:
    """FunctionTransformer: without a function its input, else something unknown."""
    if step.func is None:  # type: ignore[attr-defined]
        return lanes
    return [None] * len(lanes)


def _walk_tree(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    note_numbers(step, lanes, columns)
    tree = step.tree_  # type: ignore[attr-defined]
    inner = tree.children_left != tree.children_right
    note_splits(lanes, columns, tree.feature[inner], tree.threshold[inner])
    return [None]


def _walk_histogram_trees(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    try:
        categories = histogram_categories(step)
    except NotRead:
        categories = {}
    note_coded(lanes, columns, categories)
    note_numbers(
        step, [None if at in categories else lane for at, lane in enumerate(lanes)], columns
    )
    order = column_order(step)
    for generation in step._predictors:  # type: ignore[attr-defined]
        for predictor in generation:
            nodes = predictor.nodes
            inner = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
            note_splits(lanes, columns, order[inner["feature_idx"]], inner["num_threshold"])
    return [None]


def _walk_ensemble(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """Forests, boosting, bagging, voting, stacking: each member sees the lanes (or some)."""
    members = step.estimators_  # type: ignore[attr-defined]
    features = getattr(step, "estimators_features_", None)
    for index, member in enumerate(np.asarray(members, dtype=object).ravel()):
        if isinstance(member, str):
            continue
        seen = lanes
        if features is not None:
            seen = [lanes[int(position)] for position in features[index]]
        walk(member, seen, columns)
    return [None]


def _walk_calibrated(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    for member in step.calibrated_classifiers_:  # type: ignore[attr-defined]
        walk(member.estimator, lanes, columns)
    return [None]


def _walk_quantiles(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """QuantileTransformer: a line with a bend, or a step, at each quantile of a column."""
    note_numbers(step, lanes, columns)
    for lane, quantiles in zip(lanes, np.asarray(step.quantiles_).T, strict=False):  # type: ignore[attr-defined]
        if lane is not None:
            note_thresholds(lane, columns, quantiles)
            note_ranges([lane], columns, quantiles[:1], quantiles[-1:])
    return [None] * len(lanes)


def _walk_isotonic(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """IsotonicRegression: a line with a bend at each of its points; outside, as it was told."""
    note_numbers(step, lanes, columns)
    points = np.asarray(step.X_thresholds_, dtype=np.float64)  # type: ignore[attr-defined]
    for lane in lanes[:1]:
        if lane is not None:
            note_thresholds(lane, columns, points)
            note_ranges([lane], columns, points[:1], points[-1:])
    return [None]


def _walk_unknown(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """Anything else of scikit-learn calculates with numbers, but for what says that it takes text.

    A class from elsewhere may do anything.
    """
    if type(step).__module__.split(".")[0] == "sklearn" and not takes_text(step):
        note_numbers(step, lanes, columns)
    width = getattr(step, "_n_features_out", None)
    return [None] * (width if isinstance(width, int) else len(lanes))


_Handler = Callable[[object, Lanes, Sequence[ColumnReading]], Lanes]
# By the attribute that only such a step has; the first that fits wins.
_HANDLERS: tuple[tuple[str, _Handler], ...] = (
    ("transformers_", _walk_columns),
    ("transformer_list", _walk_union),
    ("steps", _walk_pipeline),
    ("build_analyzer", _walk_vectorizer),
    ("categories_", _walk_encoder),
    ("statistics_", _walk_imputer),
    ("imputation_sequence_", _walk_neighbour_imputer),
    ("_mask_fit_X", _walk_neighbour_imputer),
    ("bin_edges_", _walk_bins),
    ("data_min_", _walk_scaler),
    ("max_abs_", _walk_scaler),
    ("with_centering", _walk_scaler),
    ("with_std", _walk_scaler),
    ("get_support", _walk_selector),
    ("func", _walk_function),
    ("X_thresholds_", _walk_isotonic),
    ("quantiles_", _walk_quantiles),
    ("_predictors", _walk_histogram_trees),
    ("tree_", _walk_tree),
    ("calibrated_classifiers_", _walk_calibrated),
    ("estimators_", _walk_ensemble),
)
