"""A measured figure with its spread, and the table that holds several."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure: `runs` measurements, their median and their range."""

    what: str
    unit: str
    runs: int
    median: float
    low: float
    high: float

    def __str__(self) -> str:
        spread = f"{self.low:.4g} to {self.high:.4g}"
        return f"| {self.what} | {self.median:.4g} {self.unit} | {spread} | {self.runs} |"


def row_of(what: str, unit: str, values: Sequence[float]) -> Row:
    """The row of a list of measurements."""
    return Row(
        what=what, unit=unit, runs=len(values), median=statistics.median(values),
        low=min(values), high=max(values),
    )  # fmt: skip


def render(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    head = "| what | median | range | n |\n|---|---|---|---|\n"
    return head + "".join(f"{row}\n" for row in rows)
