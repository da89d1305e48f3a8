"""A column on its way through a model, and what may be noted about it in the user's own units.

`walk` decides which step notes what; here stands how a note is written into the column's reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slipway_runtime.contract_of.decimals import beside_long_decimal
from slipway_runtime.contract_of.reading import ColumnReading, is_missing, plain
from slipway_runtime.contract_of.unwrap import allows_missing

MAX_POINTS = 64
MAX_TWINS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A raw column on its way through the model: raw value = value · scale + shift."""

    column: int
    scale: float = 1.0
    shift: float = 0.0
    filled: bool = False

    @property
    def exact(self) -> bool:
        return self.scale == 1.0 and self.shift == 0.0

    def to_raw(self, value: float) -> float:
        return float(value) * self.scale + self.shift


Lanes = list[Lane | None]


def note_fill(step: object, lane: Lane, reading: ColumnReading, fill: object) -> None:
    reading.missing_taken = True
    if getattr(step, "missing_values", None) is None:
        reading.missing_token = None
    if isinstance(fill, str):
        reading.kind = reading.kind or "Categorical"
    elif getattr(step, "strategy", "") != "most_frequent":
        reading.kind = reading.kind or "Numerical"
    if is_missing(fill):
        return
    if reading.default is None and lane.exact:
        reading.default = plain(fill)
    if reading.centre is None and isinstance(fill, int | float | np.number):
        reading.centre = lane.to_raw(float(fill))


def readings_of(lanes: Lanes, columns: Sequence[ColumnReading]) -> list[ColumnReading]:
    return [columns[lane.column] for lane in lanes if lane is not None]


def as_vector(
    value: object, width: int, default: float
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    if value is None:
        return np.full(width, default, dtype=np.float64)
    return np.asarray(value, dtype=np.float64).ravel()


def note_numbers(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> None:
    takes_missing = allows_missing(step)
    for lane in lanes:
        if lane is None:
            continue
        reading = columns[lane.column]
        reading.kind = reading.kind or "Numerical"
        if not lane.filled:
            if takes_missing:
                reading.missing_taken = True
            else:
                reading.missing_refused = True

        _note_known(step, lanes, columns)


# Attributes that hold rows, or centres of rows, that the estimator has seen.
_SEEN_ROWS = (
    "support_vectors_", "_fit_X", "X_train_", "X_fit_", "cluster_centers_", "centroids_", "theta_",
    "means_", "mean_",
)  # fmt: skip


def _note_known(step: object, lanes: Lanes, columns: Sequence[ColumnReading]) -> None:
    """Note where the estimator's own data lay, column by column, where it keeps any of it."""
    width = len(lanes)
    for attribute in _SEEN_ROWS:
        rows = _matrix(getattr(step, attribute, None), width)
        if rows is None:
            continue
        for lane, values in zip(lanes, rows.T, strict=True):
            if lane is not None:
                reading = columns[lane.column]
                levels = np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0])
                reading.near.update(lane.to_raw(value) for value in levels)
                if reading.centre is None:
                    reading.centre = lane.to_raw(levels[2])
                    reading.spread = float(np.std(values)) * abs(lane.scale) or None
        return
    weights = getattr(step, "coef_", None)
    coefficients = getattr(step, "coefs_", None)
    if weights is None and coefficients:
        weights = np.asarray(coefficients[0]).T
    rows = _matrix(weights, width)
    if rows is not None:
        for lane, weight in zip(lanes, np.abs(rows).max(axis=0), strict=True):
            if lane is not None and weight > 0:
                columns[lane.column].near.update(
                    lane.to_raw(sign / float(weight)) for sign in (-1.0, 1.0)
                )


def _matrix(
    value: object, width: int
) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]] | None":
    """The value as finite rows of this width, or None."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim > 2:
        return None
    rows = np.atleast_2d(np.asarray(value, dtype=np.float64))
    rows = rows[np.isfinite(rows).all(axis=1)]
    return rows if len(rows) and rows.shape[1] == width else None


def note_ranges(
    lanes: Lanes, columns: Sequence[ColumnReading], lows: object, highs: object
) -> None:
    for lane, low, high in zip(lanes, np.asarray(lows), np.asarray(highs), strict=False):
        if lane is not None:
            ends = sorted((lane.to_raw(low), lane.to_raw(high)))
            columns[lane.column].minimum, columns[lane.column].maximum = ends


def note_splits(
    lanes: Lanes, columns: Sequence[ColumnReading], features: object, thresholds: object
) -> None:
    where, values = np.asarray(features), np.asarray(thresholds, dtype=np.float64)
    for position in np.unique(where):
        lane = lanes[int(position)] if int(position) < len(lanes) else None
        if lane is not None:
            note_thresholds(lane, columns, values[where == position])


def note_thresholds(lane: Lane, columns: Sequence[ColumnReading], values: object) -> None:
    """Note thresholds in raw units, evenly thinned: a forest has more than anybody can probe."""
    reading = columns[lane.column]
    found = np.unique(np.asarray(values, dtype=np.float64))
    found = found[np.isfinite(found)]
    if lane.exact:
        _note_twins(reading, found)
    noted = reading.points if lane.exact else reading.near
    room = MAX_POINTS - len(noted)
    if room <= 0:
        return
    kept = found[np.unique(np.linspace(0, len(found) - 1, min(room, len(found))).astype(int))]
    noted.update(lane.to_raw(value) for value in kept)


def _note_twins(
    reading: ColumnReading, found: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> None:
    """Note values that float32 misplaces: between two thresholds in one float32, or beside a
    threshold whose digits tell that the data had more of them than float32 holds.
    """
    with np.errstate(over="ignore"):
        single = found.astype(np.float32)
    twins = [
        float((found[place] + found[place + 1]) / 2)
        for place in np.flatnonzero(single[:-1] == single[1:])[:MAX_TWINS].tolist()
    ]
    for value in found.tolist():
        if len(twins) >= MAX_TWINS:
            break
        twins += beside_long_decimal(value) or ()
    reading.twins.update(twins[: max(0, MAX_TWINS - len(reading.twins))])
