"""KNNImputer: the mean of the nearest rows of the fit that know the column.

Squared distance over the columns that both rows know, scaled to all columns (Dixon, IEEE Trans.
SMC-9, 1979), by matrix products of rows that are centred first, so that less cancels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import KNNImputer

from slipway_runtime.convert.own.features import missing_in
from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry, set_shapes

_MOST_CELLS = 2_000_000  # of the fitted rows: they become constants of the graph


def register(registry: Registry) -> None:
    registry.add(KNNImputer, _impute)
    # With empty columns kept, the model itself counts them wrongly (scikit-learn 1.9).
    registry.shapes[KNNImputer] = _shapes


def _shapes(operator: Any) -> None:
    """As many columns as `_impute` joins."""
    set_shapes(operator)
    model = operator.raw_operator
    width = int(np.count_nonzero(_kept(model)))
    width += len(model.indicator_.features_) if model.add_indicator else 0
    operator.outputs[0].type.shape = [operator.outputs[0].type.shape[0], width]


def _kept(model: Any) -> NDArray[np.bool_]:
    return np.asarray(model._valid_mask) | bool(model.keep_empty_features)


def _impute(nodes: Nodes) -> None:
    model, rows = nodes.model, nodes.rows()
    known = np.asarray(model._fit_X, dtype=np.float64)
    holes = np.asarray(model._mask_fit_X)
    if model.metric != "nan_euclidean" or model.weights not in ("uniform", "distance"):
        raise NotImplementedError("KNNImputer converts with its own metric and weights only")
    if not (isinstance(model.missing_values, float) and np.isnan(model.missing_values)):
        raise NotImplementedError("KNNImputer converts with missing_values=nan only")
    if known.size > _MOST_CELLS:
        raise NotImplementedError(f"KNNImputer of {known.size:,} fitted values is too large")
    valid = np.asarray(model._valid_mask)
    missing = nodes.add("IsNaN", rows)
    apart = _distances(nodes, rows, missing, known, holes)
    columns = []
    for column in np.flatnonzero(_kept(model)):
        value = nodes.pick(rows, np.array([column]))
        if valid[column]:
            filled = _fill(nodes, apart, known[:, column], np.flatnonzero(~holes[:, column]))
            hole = nodes.add("IsNaN", value)
            columns.append(nodes.add("Where", hole, filled, value))
        else:  # a column that was empty when it was fitted becomes 0, whatever it holds
            columns.append(
                nodes.add("Where", nodes.add("IsNaN", value), nodes.floats(0.0), nodes.floats(0.0))
            )
    if model.add_indicator:
        columns.append(nodes.cast(missing_in(nodes, model.indicator_, rows), nodes.element))
    nodes.give(columns[0] if len(columns) == 1 else nodes.add("Concat", *columns, axis=1))


def _distances(
    nodes: Nodes, rows: str, missing: str, known: NDArray[np.float64], holes: NDArray[np.bool_]
) -> str:
    """Squared, `[rows, fitted rows]`; infinite where two rows know no column in common."""
    with np.errstate(invalid="ignore"):
        counts = np.maximum((~holes).sum(axis=0), 1)
        centre = np.where(holes, 0.0, known).sum(axis=0) / counts
    fitted = np.where(holes, 0.0, known - centre)
    told = nodes.cast(nodes.add("Not", missing), nodes.element)
    zero = nodes.floats(0.0)
    centred = nodes.add("Sub", rows, nodes.floats(centre))
    centred = nodes.add("Where", missing, zero, centred)
    squares = nodes.affine(nodes.add("Mul", centred, centred), (~holes).T)
    squares = nodes.add("Add", squares, nodes.affine(told, (fitted**2).T))
    both = nodes.add("Mul", nodes.affine(centred, fitted.T), nodes.floats(2.0))
    squares = nodes.add("Max", nodes.add("Sub", squares, both), zero)
    common = nodes.affine(told, (~holes).T)
    scaled = nodes.add("Mul", squares, nodes.add("Div", nodes.floats(known.shape[1]), common))
    alone = nodes.add("Equal", common, zero)
    return nodes.add("Where", alone, nodes.floats(np.inf), scaled)


def _fill(nodes: Nodes, apart: str, known: NDArray[np.float64], donors: NDArray[np.intp]) -> str:
    """The mean of the nearest donors, `[rows, 1]`; of all donors where none can be compared."""
    count = min(int(nodes.model.n_neighbors), len(donors))
    near, places = nodes.add_two(
        "TopK", nodes.pick(apart, donors), nodes.integers(count), axis=1, largest=0, sorted=1
    )
    values = nodes.add("Gather", nodes.floats(known[donors]), places, axis=0)
    compared = nodes.cast(nodes.add("Not", nodes.add("IsInf", near)), nodes.element)
    if nodes.model.weights == "distance":
        compared = nodes.add("Mul", compared, _closeness(nodes, near))
    total = nodes.sum(nodes.add("Mul", values, compared), axis=1, keep=True)
    weight = nodes.sum(compared, axis=1, keep=True)
    nobody = nodes.add("Equal", weight, nodes.floats(0.0))
    mean = nodes.floats([[known[donors].mean()]])
    return nodes.add("Where", nobody, mean, nodes.add("Div", total, weight))


def _closeness(nodes: Nodes, near: str) -> str:
    """1 / distance; where a donor is the row itself, such donors alone count."""
    same = nodes.cast(nodes.add("Equal", near, nodes.floats(0.0)), nodes.element)
    any_same = nodes.add("Greater", nodes.sum(same, axis=1, keep=True), nodes.floats(0.0))
    return nodes.add("Where", any_same, same, nodes.add("Reciprocal", nodes.add("Sqrt", near)))
