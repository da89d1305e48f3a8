"""Reads columns, kinds, categories and ranges out of a fitted model of scikit-learn or a booster.

Looks at attributes, asks no row. `read_model` first, then `merge_samples` where there are
samples; `convert.step` calls both.
"""

from dataclasses import replace

import numpy as np

from slipway_runtime.contract_of.booster import as_trained, booster_names, booster_width
from slipway_runtime.contract_of.lane import Lane
from slipway_runtime.contract_of.reading import (
    ColumnReading,
    Feeding,
    ModelReading,
    Table,
    is_missing,
    plain,
    without_target,
)
from slipway_runtime.contract_of.unwrap import first_step, last_step, unwrap
from slipway_runtime.contract_of.walk import walk

MAX_OBSERVED_CATEGORIES = 100


def read_model(model: object, sample_names: tuple[str, ...] = ()) -> ModelReading | None:
    """Read the columns of a fitted model.

    Args:
        model: a fitted estimator, pipeline or search.
        sample_names: columns of the samples, used where the model was fitted without names.

    Returns:
        None when neither the model nor the samples tell how many columns there are.
    """
    model = unwrap(model)
    first = first_step(model)
    if hasattr(first, "build_analyzer"):
        name = sample_names[0] if len(sample_names) == 1 else "text"
        column = ColumnReading(name=name)
        walk(model, [Lane(column=0)], (column,))
        return ModelReading(feeding="Texts", columns=(column,), named=False)
    names = _names(model, first)
    named = names is not None
    if names is None:
        width = _width(model, first)
        if width is None:
            names, named = sample_names, bool(sample_names)
        else:
            names = without_target(sample_names, width)
            if len(names) != width:
                names = tuple(f"x{index}" for index in range(width))
    names = as_trained(first, names, sample_names)
    if not names:
        return None
    columns = tuple(ColumnReading(name=name) for name in names)
    walk(model, [Lane(column=index) for index in range(len(columns))], columns)
    feeding: Feeding = "Frame" if named else "Matrix"
    if feeding == "Frame":
        columns = tuple(column for column in columns if column.used)
    return ModelReading(feeding=feeding, columns=columns, named=named)


def merge_samples(reading: ModelReading, samples: Table, *, typical: bool = True) -> ModelReading:
    """Add what rows like the training rows show: kinds, ranges, categories, missing values.

    What the model itself tells is kept; `source` is Samples where its ranges or categories come
    from the rows. Rows that are no more than an example (`typical` False) tell no ranges and no
    categories.
    """
    merged = (_merge_column(column, samples[column.name]) for column in reading.columns)
    if typical:
        return reading.with_columns(tuple(merged))
    return reading.with_columns(
        tuple(
            replace(
                new,
                minimum=old.minimum,
                maximum=old.maximum,
                categories=old.categories,
                source=old.source,
            )
            for old, new in zip(reading.columns, merged, strict=True)
        )
    )


def _merge_column(
    column: ColumnReading, values: "np.ndarray[tuple[int], np.dtype[np.generic]]"
) -> ColumnReading:
    merged = replace(
        column, points=set(column.points), near=set(column.near), twins=set(column.twins)
    )
    holes = np.array([is_missing(value) for value in values.tolist()], dtype=bool)
    known = values[~holes]
    if holes.any():
        merged.missing_taken, merged.missing_refused = True, False
    if merged.kind is None:
        kinds = {"f": "Numerical", "i": "Numerical", "u": "Numerical", "b": "Boolean"}
        merged.kind = kinds.get(values.dtype.kind, "Categorical")  # type: ignore[assignment]
    if merged.kind == "Numerical" and len(known):
        numbers = known.astype(np.float64)
        low, high = float(numbers.min()), float(numbers.max())
        if merged.minimum is None or merged.maximum is None:
            merged.minimum, merged.maximum, merged.source = low, high, "Samples"
        else:
            merged.minimum, merged.maximum = min(low, merged.minimum), max(high, merged.maximum)
        merged.centre = float(np.median(numbers))
        merged.spread = float(np.std(numbers)) or 1.0
        merged.near.update(np.quantile(numbers, [0.0, 0.05, 0.5, 0.95, 1.0]).tolist())
    if merged.kind == "Categorical" and merged.categories is None:
        observed = sorted({plain(value) for value in known.tolist()}, key=str)
        if len(observed) <= MAX_OBSERVED_CATEGORIES:
            merged.categories, merged.source = tuple(observed), "Samples"
    return merged


def _names(model: object, first: object) -> tuple[str, ...] | None:
    for part in (model, first):
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            return tuple(str(name) for name in names)
    return booster_names(first)


def _width(model: object, first: object) -> int | None:
    for part in (model, first, last_step(model)):
        width = getattr(part, "n_features_in_", None)
        if isinstance(width, int | np.integer) and width:
            return int(width)
    # IsotonicRegression takes one column and counts none.
    return 1 if hasattr(first, "X_thresholds_") else booster_width(first)
