"""What normal looks like: histograms, category counts and missing share of the samples.

Fixed bins at the samples' quantiles and plain counts, so that what a server counts later can be
added up across processes and compared bin by bin. Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Column, OutputTensor
from slipway_runtime.contract_of.reading import Table, is_missing, plain, row_count

BINS = 10
MAX_CATEGORIES = 100


def make_baseline(
    *,
    rows: Table,
    columns: Sequence[Column],
    answers: Mapping[str, NDArray[Any]],
    outputs: Sequence[OutputTensor],
) -> dict[str, Any]:
    """Summarize samples and the answers to them.

    Returns:
        `{"rows", "columns": [{"name", "kind", "missing", …}], "predictions": [{"output", …}]}`,
        where … is `edges` (inner bin edges, ascending) and `counts` (one more), or `categories`
        (value and count, most frequent first) and `other`.
    """
    return {
        "rows": row_count(rows),
        "columns": [_column(column, rows[column.name]) for column in columns],
        "predictions": [
            {"output": output.name, **_summary(answers[output.name])}
            for output in outputs
            if output.name in answers and _is_flat(output, answers[output.name])
        ],
    }


def _column(column: Column, values: NDArray[Any]) -> dict[str, Any]:
    holes = np.array([is_missing(value) for value in values.tolist()], dtype=bool)
    known = values[~holes]
    told = {"name": column.name, "kind": column.kind, "missing": int(holes.sum())}
    if column.kind == "Text":
        lengths = np.array([len(str(value)) for value in known.tolist()], dtype=np.float64)
        return {**told, **histogram(lengths)}
    if column.kind in ("Categorical", "Boolean"):
        return {**told, **count_categories(known)}
    return {**told, **histogram(known.astype(np.float64))}


def _summary(values: NDArray[Any]) -> dict[str, Any]:
    flat = values.reshape(-1)
    if flat.dtype.kind in "fc":
        return histogram(flat[np.isfinite(flat)].astype(np.float64))
    return count_categories(flat)


def _is_flat(output: OutputTensor, values: NDArray[Any]) -> bool:
    return output.role in ("Label", "Value", "Scores") and values.ndim == 1


def histogram(values: NDArray[np.float64]) -> dict[str, Any]:
    """Count values in bins whose edges are the values' own quantiles.

    A value goes into bin i when edges[i-1] < value <= edges[i]. Equal quantiles become one edge.

    Example: 0, 1, … 99 → edges 9.9, 19.8, … 89.1 and ten counts of 10.
    """
    if not len(values):
        return {"edges": [], "counts": [0]}
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(values, inner))
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counts]}


def count_categories(values: NDArray[Any]) -> dict[str, Any]:
    """Count values, most frequent first (ties by name); past `MAX_CATEGORIES` they are `other`."""
    counts = Counter(plain(value) for value in values.tolist())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    kept, rest = ranked[:MAX_CATEGORIES], ranked[MAX_CATEGORIES:]
    return {
        "categories": [{"value": value, "count": count} for value, count in kept],
        "other": sum(count for _, count in rest),
    }
