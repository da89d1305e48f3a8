"""Makes rows from what the model tells about itself, where its answers may change.

Each side of every threshold, every category and an unknown one, missing values where they are
allowed, extremes, words of the vocabulary and text beyond ASCII. Deterministic: the same model
gives the same rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.contract_of.decimals import are_decimals, beside_decimal, shortest_decimals
from slipway_runtime.contract_of.reading import (
    ColumnReading,
    ModelReading,
    Table,
    is_missing,
    row_count,
)

MAX_PROBES = 1500
COMBINATIONS = 128
CALM_ROWS = 12
_SEED = 20260101
UNKNOWN_CATEGORY = "slipway-unknown-é"
_NEAR = 1e-3  # how far from a threshold that a scaler has moved: the two sides must stay two sides
_TEXTS = (
    "",
    "   ",
    "Grüße aus Köln, naïve café",
    "ПРИВЕТ мир, добрый день",
    "你好 世界 机器学习",
    "مرحبا بالعالم",
    "123 4567 3.14 42",
    "e-mail: someone@example.org (50% off!!)",
    "don't stop -- under_score a b c",
    "ＦＵＬＬ ｗｉｄｔｈ ＴＥＸＴ",
)


def make_probes(reading: ModelReading, samples: Table | None = None) -> Table:
    """Make probe rows for a model.

    Args:
        reading: the model's columns (samples merged in).
        samples: rows to vary one value at a time; without any, rows from the middle of each column.

    Returns:
        At most `MAX_PROBES` rows: one value changed at a time, then random combinations.
    """
    chooser = np.random.default_rng(_SEED)
    columns = reading.columns
    levels = {column.name: column_levels(column, chooser) for column in columns}
    room = max(4, (MAX_PROBES - COMBINATIONS - CALM_ROWS) // max(1, len(columns)))
    kept = {name: _thin(values, room) for name, values in levels.items()}
    total = sum(len(values) for values in kept.values())
    base = _base_rows(columns, kept, samples, total, chooser)
    start = 0
    for column in columns:
        values = kept[column.name]
        base[column.name][start : start + len(values)] = values
        start += len(values)
    combined = {
        column.name: chooser.choice(
            _ordinary(kept[column.name], column), size=COMBINATIONS, replace=True
        )
        for column in columns
    }
    return {
        column.name: np.concatenate(
            [_calm(column, kept[column.name]), base[column.name], combined[column.name]]
        )[:MAX_PROBES]
        for column in columns
    }


def _calm(column: ColumnReading, levels: NDArray[Any]) -> NDArray[Any]:
    """Ordinary values for a few rows that any model answers: small steps from the middle.

    Where nothing is known of a number, 1.0, 1.1, …: positive, for a logarithm or a root may follow.
    """
    steps = np.arange(CALM_ROWS)
    if column.values == "Number" and column.kind != "Categorical":
        centre, spread = column.centre, column.spread
        if centre is None:
            centre, spread = (_middle(column), _spread_of(column)) if column.near else (1.0, 1.0)
        points = np.array(sorted(column.points), dtype=np.float64)
        calm = [centre + 0.1 * float(step) * (spread or 1.0) for step in steps]
        return np.array(_held(calm, decimals=bool(are_decimals(points).any())))
    ordinary = _ordinary(levels, column)
    return ordinary[steps % len(ordinary)]


def column_levels(column: ColumnReading, chooser: np.random.Generator) -> NDArray[Any]:
    """The values of one column that are worth trying."""
    if column.values == "Boolean":
        return np.array([False, True], dtype=np.bool_)
    if column.kind == "Text":
        return _text_levels(column, chooser)
    if column.kind == "Categorical":
        return _category_levels(column)
    return _number_levels(column)


def _number_levels(column: ColumnReading) -> NDArray[np.float64]:
    """Numbers that float32 holds exactly, so that both models see the same value at a threshold.

    A threshold that is a short decimal was learnt from decimals: there, those beside it are tried,
    and all other values of the column are decimals too.
    """
    points = np.array(sorted(column.points), dtype=np.float64)
    decimal = are_decimals(points)
    beside: list[float] = []
    for point, is_decimal in zip(points.tolist(), decimal.tolist(), strict=True):
        if is_decimal:
            beside += beside_decimal(point)
            continue
        below = np.float32(point)
        if float(below) > point:
            below = np.nextafter(below, np.float32(-np.inf))
        beside += [float(below), float(np.nextafter(below, np.float32(np.inf)))]
    plain: list[float] = []
    spread = column.spread or _spread_of(column)
    for value in sorted(column.near):
        step = _NEAR * max(abs(value), spread)
        plain += [value - step, value + step]
    centre = column.centre if column.centre is not None else _middle(column)
    plain += [centre + factor * spread for factor in (0.0, -1.0, 1.0, -3.0, 3.0, -10.0, 10.0)]
    plain += [end for end in (column.minimum, column.maximum) if end is not None]
    levels = [*sorted(column.twins), *beside, *_held(plain, decimals=bool(decimal.any()))]
    levels = [value for value in dict.fromkeys(levels) if np.isfinite(value)]
    if column.missing_allowed:
        levels.append(float("nan"))
    return np.array(levels, dtype=np.float64)


def _held(values: Sequence[float], *, decimals: bool) -> list[float]:
    """The same numbers as float32 holds them, or as the shortest decimals that it reads."""
    with np.errstate(over="ignore"):
        single = np.array(values, dtype=np.float64).astype(np.float32)
    held = shortest_decimals(single) if decimals else single.astype(np.float64)
    return list(held.tolist())


def _category_levels(column: ColumnReading) -> NDArray[Any]:
    known = [value for value in column.categories or () if not is_missing(value)]
    held = column.values
    if held == "Integer":
        numbers = [int(value) for value in known]  # type: ignore[call-overload]
        unknown = [max(numbers, default=0) + 7] if column.unknown_allowed else []
        return np.array([*numbers, *unknown], dtype=np.int64)
    if held == "Number":
        floats = [float(value) for value in known]  # type: ignore[arg-type]
        if column.unknown_allowed:
            floats += [max(floats, default=0.0) + 7.0, max(floats, default=0.0) + 0.5]
        return np.array([*floats, *([np.nan] if column.missing_allowed else [])], dtype=np.float64)
    texts: list[str | None] = [str(value) for value in known]
    if column.unknown_allowed or not texts:
        texts += [UNKNOWN_CATEGORY, f" {texts[0]} " if texts else "other"]
    if column.missing_allowed:
        texts.append(None)
    return np.array(texts, dtype=object)


def _text_levels(column: ColumnReading, chooser: np.random.Generator) -> NDArray[Any]:
    words = column.words
    texts: list[str] = list(_TEXTS)
    for start in range(0, min(len(words), 400), 8):
        some = words[start : start + 8]
        texts += [" ".join(some), " ".join(some).upper(), ", ".join(word.title() for word in some)]
    if words:
        picked = chooser.choice(len(words), size=(64, 6))
        texts += [" ".join(words[int(place)] for place in row) for row in picked]
    return np.array(texts, dtype=object)


def _base_rows(
    columns: tuple[ColumnReading, ...],
    levels: dict[str, NDArray[Any]],
    samples: Table | None,
    total: int,
    chooser: np.random.Generator,
) -> Table:
    if samples is not None and row_count(samples):
        picked = chooser.integers(row_count(samples), size=total)
        return {column.name: samples[column.name][picked] for column in columns}
    return {
        column.name: chooser.choice(
            _ordinary(levels[column.name], column), size=total, replace=True
        )
        for column in columns
    }


def _ordinary(levels: NDArray[Any], column: ColumnReading) -> NDArray[Any]:
    """Levels without missing and unknown ones, so that one hole does not hide another value."""
    kept = [
        value for value in levels.tolist() if not is_missing(value) and value != UNKNOWN_CATEGORY
    ]
    if column.kind not in ("Categorical", "Text", "Boolean"):
        middle = column.centre if column.centre is not None else _middle(column)
        spread = column.spread or _spread_of(column)
        kept = [value for value in kept if abs(value - middle) <= 4 * spread] or kept
    return np.array(kept, dtype=levels.dtype)


def _thin(values: NDArray[Any], room: int) -> NDArray[Any]:
    """Keep at most `room`, evenly, and always the last (the missing value, where allowed)."""
    if len(values) <= room:
        return values
    thinned: NDArray[Any] = values[np.unique(np.linspace(0, len(values) - 1, room).astype(int))]
    return thinned


def _known_numbers(column: ColumnReading) -> list[float]:
    ends = [end for end in (column.minimum, column.maximum) if end is not None]
    return [*column.points, *column.near, *ends]


def _middle(column: ColumnReading) -> float:
    numbers = _known_numbers(column)
    return float(np.median(numbers)) if numbers else 0.0


def _spread_of(column: ColumnReading) -> float:
    numbers = _known_numbers(column)
    if len(numbers) < 2:
        return max(1.0, abs(numbers[0])) if numbers else 1.0
    return float(np.std(numbers)) or 1.0
