"""What a fitted model tells about its columns, as values.

`walk` fills these in; samples are merged in by `merge`; probes, the contract and the signature are
made from them. Nothing here opens or runs a model.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Column, Kind

Table = dict[str, NDArray[np.generic]]
"""Rows as columns of one length: float64 (NaN: missing), int64, bool, or str objects (None)."""

Values = Literal["Number", "Integer", "Text", "Boolean"]
Feeding = Literal["Frame", "Matrix", "Texts"]


@dataclass(slots=True, kw_only=True)
class ColumnReading:
    """One input column, as far as the model tells.

    `coded`: the model was trained on a pandas column of categories and wants one.
    `points` are values at which the model changes its mind exactly (thresholds on the raw value),
    `near` values around which it does (behind a scaler), `twins` values that float32 cannot tell
    from a threshold beside them, `centre` and `spread` where its data lay.
    """

    name: str
    kind: Kind | None = None
    categories: tuple[object, ...] | None = None
    unknown_allowed: bool = False
    missing_taken: bool = False
    missing_refused: bool = False
    missing_token: float | None = float("nan")
    default: bool | int | float | str | None = None
    minimum: float | None = None
    maximum: float | None = None
    points: set[float] = field(default_factory=set)
    near: set[float] = field(default_factory=set)
    twins: set[float] = field(default_factory=set)
    centre: float | None = None
    spread: float | None = None
    words: tuple[str, ...] = ()
    used: bool = True
    coded: bool = False
    source: Literal["Model", "Samples"] = "Model"

    @property
    def missing_allowed(self) -> bool:
        """A missing value is taken somewhere and refused nowhere."""
        return self.missing_taken and not self.missing_refused

    @property
    def values(self) -> Values:
        """How the column's values are held; numbers where nothing else is known."""
        if self.kind == "Text":
            return "Text"
        if self.kind == "Boolean":
            return "Boolean"
        if self.kind == "Categorical" and self.categories is not None:
            known = [value for value in self.categories if not is_missing(value)]
            if all(isinstance(value, bool | np.bool_) for value in known):
                return "Boolean"
            if all(isinstance(value, int | np.integer) for value in known):
                return "Integer" if len(known) == len(self.categories) else "Number"
            if all(isinstance(value, int | float | np.number) for value in known):
                return "Number"
            return "Text"
        return "Text" if self.kind == "Categorical" else "Number"

    def to_column(self) -> Column:
        """Give the manifest's form."""
        categories = None
        if self.kind == "Categorical" and self.categories is not None:
            categories = tuple(plain(value) for value in self.categories if not is_missing(value))
        return Column(
            name=self.name,
            kind=self.kind or "Numerical",
            missing_allowed=self.missing_allowed,
            categories=categories,
            minimum=self.minimum,
            maximum=self.maximum,
            default=self.default,
            source=self.source,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReading:
    """The columns that the model uses, in its order, and how the original wants its rows.

    `named` tells whether the model was fitted with column names of its own.
    """

    feeding: Feeding
    columns: tuple[ColumnReading, ...]
    named: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def with_columns(self, columns: tuple[ColumnReading, ...]) -> "ModelReading":
        return replace(self, columns=columns)


def is_missing(value: object) -> bool:
    """None and NaN (also NumPy's and pandas' NA) are missing."""
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def plain(value: object) -> bool | int | float | str:
    """A NumPy scalar as the Python value that JSON knows."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str):
        return value
    return str(value)


_TARGET_NAMES = ("target", "label", "labels", "class", "species", "y", "outcome")


def without_target(names: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Leave out the one column too many: the one called like a target, else the last."""
    if len(names) != width + 1:
        return names
    named = [name for name in names if name.lower() in _TARGET_NAMES]
    left_out = named[0] if named else names[-1]
    return tuple(name for name in names if name != left_out)


def row_count(table: Table) -> int:
    """Rows of a table; 0 for one without columns."""
    return min((len(values) for values in table.values()), default=0)


def take(table: Table, rows: NDArray[np.intp] | slice) -> Table:
    """The rows at these positions."""
    return {name: values[rows] for name, values in table.items()}


def concatenate(first: Table, second: Table) -> Table:
    """The rows of two tables with the same columns."""
    return {name: np.concatenate([first[name], second[name]]) for name in first}
