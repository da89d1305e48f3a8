"""Asks the original for its answers and holds a conversion against them.

`ask_original` once, `check_conversion` for each attempt. What the verdict then means for the
runtime is decided in `convert.decide`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.contract_of.reading import (
    ModelReading,
    Table,
    concatenate,
    is_missing,
    row_count,
    take,
)
from slipway_runtime.convert.original import Original, Outputs
from slipway_runtime.errors import BuildError
from slipway_runtime.parity.compare import Compared, Comparison, compare
from slipway_runtime.parity.tolerance import tolerance_for

LAST_BITS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Rows that the original answered, its answers, and how many probes it refused.

    The first `sample_rows` rows are samples, the others probes.
    """

    rows: Table
    answers: Outputs
    sample_rows: int
    dropped_rows: int
    refusal: str | None

    @property
    def probe_rows(self) -> int:
        return row_count(self.rows) - self.sample_rows


def ask_original(original: Original, samples: Table | None, probes: Table) -> Evidence:
    """Ask the original for all rows; probes that it refuses or cannot settle are left out, counted.

    Raises:
        BuildError: `SamplesInvalid`, when it refuses a sample row.
    """
    sample_rows = row_count(samples) if samples is not None else 0
    parts: list[tuple[Table, Outputs]] = []
    if samples is not None and sample_rows:
        try:
            parts.append((samples, original.ask(samples)))
        except Exception as error:  # an edge: the model's own code runs and may raise anything
            raise _refused_sample(original, samples, error) from error
    kept, answers, refusal = _ask_apart(original, probes)
    if answers is not None:
        clear = ~_decided_by_last_bits(original, answers)
        kept, answers = kept[clear], {name: told[clear] for name, told in answers.items()}
    if answers is not None and len(kept):
        parts.append((take(probes, kept), answers))
    rows, told = parts[0] if parts else (take(probes, slice(0, 0)), {})
    for more_rows, more_told in parts[1:]:
        rows = concatenate(rows, more_rows)
        told = {name: np.concatenate([told[name], more_told[name]]) for name in told}
    return Evidence(
        rows=rows,
        answers=told,
        sample_rows=sample_rows,
        dropped_rows=row_count(probes) - len(kept),
        refusal=refusal,
    )


def check_conversion(
    original: Original, evidence: Evidence, converted: Mapping[str, Any]
) -> Comparison:
    """Compare a conversion's answers with the original's, each output within its own tolerance."""
    return compare(
        [
            Compared(
                name=output.name,
                role=output.role,
                original=evidence.answers[output.name],
                converted=np.asarray(converted[output.name]),
                tolerance=tolerance_for(output.role, evidence.answers[output.name]),
                classes=output.classes,
            )
            for output in original.outputs
            if output.name in converted
        ]
    )


def _decided_by_last_bits(original: Original, answers: Outputs) -> NDArray[np.bool_]:
    """Rows on which the two likeliest classes differ by less than float32 can tell, yet differ.

    The original's own label there changes with the order of its additions: such a probe proves
    nothing. Exact ties are kept (the first class wins), and samples are never left out.
    """
    for output in original.outputs:
        if output.role == "Probabilities" and answers[output.name].shape[1] > 1:
            top = np.sort(answers[output.name], axis=1)[:, -2:]
            margin = top[:, 1] - top[:, 0]
            return np.asarray((margin > 0) & (margin < LAST_BITS))
    rows = len(next(iter(answers.values())))
    return np.zeros(rows, dtype=np.bool_)


def _ask_apart(
    original: Original, probes: Table
) -> tuple[NDArray[np.intp], Outputs | None, str | None]:
    """Answer what can be answered: halve a refused batch until the rows to blame are left."""
    kept: list[NDArray[np.intp]] = []
    answers: list[Outputs] = []
    refusal: str | None = None
    pending = [np.arange(row_count(probes))]
    while pending:
        rows = pending.pop()
        if not len(rows):
            continue
        try:
            told = original.ask(take(probes, rows))
        except Exception as error:  # an edge: a probe may be more than the model can bear
            refusal = _one_line(error)
            if len(rows) > 1:
                half = len(rows) // 2
                pending += [rows[half:], rows[:half]]
            continue
        kept.append(rows)
        answers.append(told)
    if not kept:
        return np.array([], dtype=np.intp), None, refusal
    joined = {name: np.concatenate([told[name] for told in answers]) for name in answers[0]}
    return np.concatenate(kept), joined, refusal


def confirm_missing(original: Original, evidence: Evidence) -> ModelReading:
    """Ask the original for a row with a hole in each column that seems to allow one.

    Attributes tell what a step takes, not what the whole model makes of it; the answer does.
    """
    rows = evidence.rows
    whole = np.ones(row_count(rows), dtype=bool)
    for values in rows.values():
        whole &= np.array([not is_missing(value) for value in values.tolist()])
    if not whole.any():
        return original.reading
    row = take(rows, np.flatnonzero(whole)[:1])
    columns = []
    for column in original.reading.columns:
        values = row[column.name]
        if column.missing_allowed and values.dtype.kind in "fO":
            hole = np.array([None], object) if values.dtype == object else np.array([np.nan])
            try:
                original.ask({**row, column.name: hole})
            except Exception:  # an edge: that it raises is the answer
                columns.append(replace(column, missing_refused=True))
                continue
        columns.append(column)
    return original.reading.with_columns(tuple(columns))


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _refused_sample(original: Original, samples: Table, error: Exception) -> BuildError:
    place = ""
    for row in range(min(row_count(samples), 1000)):
        try:
            original.ask(take(samples, slice(row, row + 1)))
        except Exception as own:  # an edge: as above
            place, error = f" row {row + 1}", own
            break
    return BuildError(
        "SamplesInvalid",
        f"The model itself refuses the samples{place}: {_one_line(error)}; give rows "
        "that the model was trained to answer, with its columns and types.",
    )
