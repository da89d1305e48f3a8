"""Compares the answers of the original and of the converted model, output by output.

Pure: arrays in, a verdict out. Called by `parity.check` and, for golden rows, usable anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Role, Tolerance
from slipway_runtime.contract_of.reading import plain

Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The largest difference found: where, and both values (None: the shapes differ)."""

    row: int
    output: str
    position: int
    original: Scalar | None
    converted: Scalar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of comparing rows; `worst` is the row furthest beyond what is allowed."""

    passed: bool
    numbers_passed: bool
    rows: int
    max_absolute_error: float
    max_relative_error: float
    label_flips: int
    detail: str | None
    worst: Difference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One output of both, with what it is and what is allowed."""

    name: str
    role: Role
    original: NDArray[Any]
    converted: NDArray[Any]
    tolerance: Tolerance
    classes: tuple[object, ...] | None = None


def compare(outputs: Sequence[Compared]) -> Comparison:
    """Compare every output; all must be within tolerance.

    Labels are compared by value and counted. Numbers: |converted - original| <= absolute + relative
    · |original|; NaN equals NaN only; a missing row or column is a failure. The worst of labels
    goes before the worst of numbers: a wrong label is what a user sees.
    """
    parts = [
        _compare_labels(part) if _is_label(part) else _compare_numbers(part) for part in outputs
    ]
    failed = [part for part in parts if not part.passed]
    shown = failed[0] if failed else next((part for part in parts if part.worst), None)
    return Comparison(
        passed=not failed,
        numbers_passed=all(part.numbers_passed for part in parts),
        rows=max((part.rows for part in parts), default=0),
        max_absolute_error=max((part.max_absolute_error for part in parts), default=0.0),
        max_relative_error=max((part.max_relative_error for part in parts), default=0.0),
        label_flips=sum(part.label_flips for part in parts),
        detail=shown.detail if failed and shown else None,
        worst=shown.worst if failed and shown else None,
    )


def _is_label(part: Compared) -> bool:
    return part.role == "Label"


def _compare_labels(part: Compared) -> Comparison:
    if part.original.shape != part.converted.shape:
        return _misshapen(part)
    if _family(part.original) != _family(part.converted):
        return _different_kind(part)
    wrong = part.original != part.converted
    per_row = wrong.reshape(len(wrong), -1).any(axis=1) if len(wrong) else wrong
    flips = int(np.count_nonzero(per_row))
    passed = flips <= part.tolerance.label_flips
    worst = None if flips == 0 else _difference(part, int(np.argmax(per_row)), wrong)
    return Comparison(
        passed=passed,
        numbers_passed=True,
        rows=len(part.original),
        max_absolute_error=0.0,
        max_relative_error=0.0,
        label_flips=flips,
        detail=None
        if passed
        else f"{flips} of {len(part.original)} rows get another label on output "
        f'"{part.name}" (allowed {part.tolerance.label_flips}), row {_row(worst)} '
        f"{_shown(worst, 'converted')} instead of {_shown(worst, 'original')}",
        worst=worst,
    )


def _compare_numbers(part: Compared) -> Comparison:
    if part.original.shape != part.converted.shape:
        return _misshapen(part)
    original = part.original.astype(np.float64)
    converted = part.converted.astype(np.float64)
    error, excess = errors(original, converted, part.tolerance)
    size = np.maximum(np.abs(original), part.tolerance.absolute)
    with np.errstate(invalid="ignore"):
        relative = np.where(error == 0, 0.0, error / size)
    relative = np.where(np.isnan(relative), np.inf, relative)
    passed = not bool(np.any(excess > 0))
    largest = float(error.max(initial=0.0))
    worst = None
    if error.size:
        row = int(np.argmax(excess.reshape(len(excess), -1).max(axis=1)))
        worst = _difference(part, row, excess)
    return Comparison(
        passed=passed,
        numbers_passed=passed,
        rows=len(original),
        max_absolute_error=largest,
        max_relative_error=float(relative.max(initial=0.0)),
        label_flips=0,
        detail=None if passed else _numbers_detail(part, worst),
        worst=worst,
    )


def errors(
    original: NDArray[np.float64], converted: NDArray[np.float64], tolerance: Tolerance
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give |difference| and how far it is beyond what is allowed (<= 0: within).

    Equal values (also infinities) differ by 0, two NaN as well; one NaN alone by infinity.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(converted - original)
        allowed = tolerance.absolute + tolerance.relative * np.abs(original)
        allowed = np.where(np.isfinite(allowed), allowed, 0.0)
        same = (converted == original) | (np.isnan(converted) & np.isnan(original))
        error = np.where(same, 0.0, error)
        error = np.where(np.isnan(error), np.inf, error)
        return error, np.where(same, -allowed, error - allowed)


def _difference(part: Compared, row: int, badness: NDArray[Any]) -> Difference:
    width = badness[row : row + 1].reshape(-1)
    position = int(np.argmax(width))
    return Difference(
        row=row,
        output=part.name,
        position=position,
        original=plain(np.asarray(part.original[row]).reshape(-1)[position]),
        converted=plain(np.asarray(part.converted[row]).reshape(-1)[position]),
    )


def _numbers_detail(part: Compared, worst: Difference | None) -> str:
    if worst is None:
        return f'output "{part.name}" differs'
    original, converted = float(worst.original or 0.0), float(worst.converted or 0.0)
    allowed = part.tolerance.absolute + part.tolerance.relative * abs(original)
    return (
        f"{converted:.7g} instead of {original:.7g} (difference {abs(converted - original):.2g} > "
        f'tolerance {allowed:.2g}) on output "{part.name}"{_column(part, worst)}, '
        f"row {_row(worst)}"
    )


def _column(part: Compared, worst: Difference) -> str:
    """Which of several columns: the class, where the output has classes, else its number."""
    if part.original.ndim < 2 or part.original.shape[1] < 2:
        return ""
    if part.classes is not None and worst.position < len(part.classes):
        return f' of class "{plain(part.classes[worst.position])}"'
    return f", column {worst.position + 1}"


def _row(worst: Difference | None) -> int:
    """Rows are counted from 1, as in a table."""
    return 0 if worst is None else worst.row + 1


def _shown(worst: Difference | None, which: Literal["original", "converted"]) -> str:
    value = None if worst is None else getattr(worst, which)
    return f'"{value}"' if isinstance(value, str) else str(value)


def _misshapen(part: Compared) -> Comparison:
    return _failure(
        part,
        f'output "{part.name}" has shape {list(part.converted.shape)} instead of '
        f"{list(part.original.shape)}",
    )


def _different_kind(part: Compared) -> Comparison:
    return _failure(
        part,
        f'output "{part.name}" gives {_family(part.converted)} instead of {_family(part.original)}',
    )


def _failure(part: Compared, detail: str) -> Comparison:
    return Comparison(
        passed=False,
        numbers_passed=False,
        rows=len(part.original),
        max_absolute_error=0.0,
        max_relative_error=0.0,
        label_flips=0,
        detail=detail,
        worst=Difference(row=0, output=part.name, position=0, original=None, converted=None),
    )


def _family(values: NDArray[Any]) -> str:
    kinds: Mapping[str, str] = {"b": "booleans", "i": "integers", "u": "integers", "f": "numbers"}
    return kinds.get(values.dtype.kind, "text")
