"""Which rows are answered otherwise: by column and value, the few that explain the most.

Counted are rows, in bounded memory: of a column the first values tell whether it is a number, which
is cut into four bins at their quartiles, or a category, of which the most frequent are kept.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from slipway_operator.decide.analysis.rates import Counts
from slipway_operator.state.answers import Scalar

MISSING: Final = "(missing)"
MOST_COLUMNS: Final = 64
MOST_VALUES: Final = 24  # of a column
MOST_CELLS: Final = 50_000  # of a tick: rows beyond are left out
_FIRST: Final = 64  # rows that tell what a column is
_FEW: Final = 8  # more different numbers than that are no categories
_CHANCE: Final = 0.01

Row = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows with a value. `missed`: how many it may have had before it was counted, at most."""

    counts: Counts
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        first: its first rows, until they tell what it is.
        edges: of its bins; empty: its values are categories; None: it is not known.
        tallies: by value as text, or by bin.
    """

    first: tuple[tuple[Scalar, bool], ...] = ()
    edges: tuple[float, ...] | None = None
    tallies: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Rows with a value: how many, and how many of them were answered otherwise."""

    column: str
    value: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Segments:
    """The counts so far. `total`: all rows that went into them."""

    columns: Mapping[str, Column] = field(default_factory=dict)
    total: Counts = field(default_factory=Counts)

    def observe(self, rows: Iterable[tuple[Row, bool]]) -> "Segments":
        """After a tick: its rows, and whether each was answered otherwise."""
        taken: dict[str, list[tuple[Scalar, bool]]] = {}
        cells = n = bad = 0
        for row, differs in rows:
            cells += len(row)
            if cells > MOST_CELLS:
                break
            n, bad = n + 1, bad + differs
            for name, value in row.items():
                taken.setdefault(name, []).append((value, differs))
        columns = dict(self.columns)
        for name, values in taken.items():
            if name in columns or len(columns) < MOST_COLUMNS:
                columns[name] = _add(columns.get(name, Column()), values)
        return Segments(columns, self.total + Counts(n, bad))

    def explain(self, most: int) -> tuple[Segment, ...]:
        """The segments that explain the most, best first: more of their rows than of the others
        are answered otherwise, and by more than chance.

        The measure is the log-likelihood ratio G² of "inside and outside have a rate each" to "all
        have one" (T. Dunning, *Accurate methods for the statistics of surprise and coincidence*,
        Computational Linguistics 19, 1993): how much of the deviance the segment takes away. It
        grows with the counts, so that few rows never lead; and less than chance alone gives the
        best of as many segments as there are is left out: with one degree of freedom
        P(G² ≥ x) ≤ exp(-x/2).

        >>> rows = [({"sex": sex}, sex == "f" and at % 2 == 0)
        ...         for at in range(200) for sex in ("f", "m")]
        >>> [(one.column, one.value, one.counts.bad) for one in Segments().observe(rows).explain(5)]
        [('sex', 'f', 100)]
        """
        found = [
            (self._weigh(tally.counts), Segment(column=name, value=value, counts=tally.counts))
            for name, column in self.columns.items()
            for value, tally in _settle(column).tallies.items()
        ]
        least = 2 * math.log(len(found) / _CHANCE) if found else 0.0
        ranked = sorted(
            (one for one in found if one[0] > least),
            key=lambda one: (-one[0], one[1].column, one[1].value),
        )
        return tuple(segment for _, segment in ranked[:most])

    def _weigh(self, inside: Counts) -> float:
        """G², of segments with the higher rate; 0 of others."""
        outside = Counts(self.total.n - inside.n, self.total.bad - inside.bad)
        if inside.bad * outside.n <= outside.bad * inside.n:
            return 0.0
        return 2 * (_log(inside) + _log(outside) - _log(self.total))


def _log(counts: Counts) -> float:
    """The logarithm of the likelihood of these counts at their own rate."""
    return sum(part * math.log(part / counts.n) for part in (counts.bad, counts.good) if part > 0)


def _add(column: Column, values: list[tuple[Scalar, bool]]) -> Column:
    if column.edges is not None:
        return _count(column, values)
    first = (*column.first, *values)
    waiting = Column(first=first)
    return waiting if len(first) < _FIRST else _settle(waiting)


def _settle(column: Column) -> Column:
    """With what is known now: number or category."""
    if column.edges is not None:
        return column
    numbers = sorted(
        value
        for value, _ in column.first
        if isinstance(value, int | float) and not isinstance(value, bool)
    )
    texts = any(isinstance(value, str | bool) for value, _ in column.first)
    edges: tuple[float, ...] = ()
    different = sorted(set(numbers))
    if not texts and len(different) > _FEW:
        quarters = {numbers[len(numbers) * part // 4] for part in (1, 2, 3)}
        # Where most have the least value, that one is a bin.
        edges = tuple(sorted(quarters - {different[0]})) or (different[1],)
    return _count(Column(edges=edges), column.first)


def _count(column: Column, values: Iterable[tuple[Scalar, bool]]) -> Column:
    """As many values as are kept; the rarest makes room for a new one, which may have been there
    as often before (A. Metwally, D. Agrawal, A. El Abbadi, *Efficient computation of frequent and
    top-k elements in data streams*, ICDT 2005)."""
    assert column.edges is not None  # noqa: S101  it is settled
    found: dict[str, list[int]] = {}
    bins = _name_bins(column.edges) if column.edges else ()
    for value, differs in values:
        if bins and isinstance(value, int | float) and not isinstance(value, bool):
            name = bins[bisect_right(column.edges, value)]
        else:
            name = _name(value)
        entry = found.get(name)
        if entry is None:
            entry = found[name] = [0, 0]
        entry[0] += 1
        entry[1] += differs
    tallies = dict(column.tallies)
    for name, (n, bad) in found.items():
        before = tallies.get(name)
        if before is None:
            missed = 0
            if len(tallies) >= MOST_VALUES:
                rarest = min(tallies, key=lambda one: tallies[one].counts.n + tallies[one].missed)
                gone = tallies.pop(rarest)
                missed = gone.counts.n + gone.missed
            before = Tally(Counts(), missed)
        tallies[name] = Tally(before.counts + Counts(n, bad), before.missed)
    return Column(edges=column.edges, tallies=tallies)


def _name_bins(edges: tuple[float, ...]) -> tuple[str, ...]:
    between = (f"{low:g} to {high:g}" for low, high in pairwise(edges))
    return (f"< {edges[0]:g}", *between, f"≥ {edges[-1]:g}")


def _name(value: Scalar) -> str:
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"
