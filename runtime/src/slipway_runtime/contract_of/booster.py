"""What a fitted XGBoost, LightGBM or CatBoost model tells about its columns."""

from collections.abc import Sequence
from typing import Any

from slipway_runtime.boosters.forest import Categories, Forest, NotRead
from slipway_runtime.boosters.known import framework_of
from slipway_runtime.boosters.read import read_categories, read_forest
from slipway_runtime.contract_of.lane import Lanes, note_ranges, note_splits, readings_of
from slipway_runtime.contract_of.reading import ColumnReading


def booster_names(model: Any) -> tuple[str, ...] | None:
    """The column names that a booster was trained with; None: none, or it made them up itself."""
    match framework_of(model):
        case "lightgbm":
            names = list(model.feature_name_)
            made_up = [f"Column_{place}" for place in range(len(names))]
        case "catboost":
            names = list(model.feature_names_)
            made_up = [str(place) for place in range(len(names))]
        case _:
            return None
    return None if names == made_up else tuple(map(str, names))


def as_trained(step: Any, names: tuple[str, ...], seen: Sequence[str]) -> tuple[str, ...]:
    """The names as the training rows had them; LightGBM keeps each space as an underscore.

    Args:
        step: what takes the columns first.
        names: as it tells them.
        seen: the columns of rows like the training rows.
    """
    if framework_of(step) != "lightgbm" or set(names) <= set(seen):
        return names
    spelled = {name.replace(" ", "_"): name for name in seen}
    return tuple(spelled.get(name, name) for name in names)


def booster_width(model: Any) -> int | None:
    """How many columns a CatBoost model takes: opened again, `n_features_in_` of it is 0."""
    return len(model.feature_names_) if framework_of(model) == "catboost" else None


def walk_booster(step: Any, lanes: Lanes, columns: Sequence[ColumnReading]) -> Lanes:
    """Note thresholds, categories and ranges; a booster takes missing numbers as they are."""
    _note_catboost(step, lanes, columns)
    _note_categories(step, lanes, columns)
    try:
        forest = read_forest(step)
    except NotRead:
        forest = None
    if forest is not None:
        _note_forest(forest, lanes, columns)
    for reading in readings_of(lanes, columns):
        if reading.kind in (None, "Numerical", "Boolean") or reading.coded:
            reading.kind = reading.kind or "Numerical"
            reading.missing_taken = True
    return [None]


def _note_categories(step: Any, lanes: Lanes, columns: Sequence[ColumnReading]) -> None:
    note_coded(lanes, columns, read_categories(step))


def note_coded(lanes: Lanes, columns: Sequence[ColumnReading], categories: Categories) -> None:
    """Columns that a model takes as categories of its own; it takes unknown and missing ones."""
    for place, known in categories.items():
        lane = lanes[place] if place < len(lanes) else None
        if lane is not None:
            reading = columns[lane.column]
            reading.kind, reading.categories, reading.coded = "Categorical", known, True
            reading.missing_taken = True
            reading.unknown_allowed = True  # pandas makes a missing value of it


def _note_forest(forest: Forest, lanes: Lanes, columns: Sequence[ColumnReading]) -> None:
    for place, (low, high) in forest.ranges.items():
        lane = lanes[place] if place < len(lanes) else None
        if lane is not None and lane.exact:
            note_ranges([lane], columns, [low], [high])
    features, values = forest.thresholds()
    note_splits(lanes, columns, features, values)


def _note_catboost(step: Any, lanes: Lanes, columns: Sequence[ColumnReading]) -> None:
    """CatBoost's own columns of categories and text; it keeps hashes of the categories only."""
    if framework_of(step) != "catboost":
        return
    for place in step.get_cat_feature_indices():
        lane = lanes[place] if place < len(lanes) else None
        if lane is not None:
            columns[lane.column].kind = "Categorical"
            columns[lane.column].unknown_allowed = True
            columns[lane.column].missing_refused = True
    for place in step.get_text_feature_indices():
        lane = lanes[place] if place < len(lanes) else None
        if lane is not None:
            columns[lane.column].kind = "Text"
