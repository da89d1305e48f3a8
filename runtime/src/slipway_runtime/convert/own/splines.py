"""SplineTransformer: each basis is a polynomial on each interval between two knots.

The interval is found by counting knots, the polynomial (scipy's `PPoly`) is summed by Horner's rule
from the interval's left end.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PPoly
from sklearn.preprocessing import SplineTransformer

from slipway_runtime.convert.own.bins import count_reached
from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.add(SplineTransformer, _splines)


def _splines(nodes: Nodes) -> None:
    model, rows = nodes.model, nodes.rows()
    beyond = model.extrapolation
    # Of degree 1 scikit-learn moves the ends of all columns but the first.
    if beyond == "error" or model.degree == 0 or (beyond == "linear" and model.degree == 1):
        raise NotImplementedError(
            f'SplineTransformer with extrapolation="{beyond}" and degree={model.degree} '
            "has no conversion"
        )
    pieces = [_read(spline) for spline in model.bsplines_]
    low = np.array([starts[0] for starts, _, _ in pieces])
    high = np.array([end for _, end, _ in pieces])
    inside = _bring_inside(nodes, rows, low, high, beyond)
    place = count_reached(nodes, inside, [starts[1:] for starts, _, _ in pieces])

    most = max(len(starts) for starts, _, _ in pieces)
    begins = np.zeros((len(pieces), most))
    factors = np.zeros((pieces[0][2].shape[0], len(pieces), most, pieces[0][2].shape[2]))
    for column, (starts, _, polynomials) in enumerate(pieces):
        begins[column, : len(starts)] = starts
        factors[:, column, : len(starts)] = polynomials
    if not model.include_bias:
        factors = factors[..., :-1]
    spot = nodes.add("Add", place, nodes.integers(*(most * np.arange(len(pieces))).tolist()))
    begin = nodes.add("Gather", nodes.floats(begins.ravel()), spot, axis=0)
    away = nodes.add("Unsqueeze", nodes.add("Sub", inside, begin), nodes.integers(2))
    flat = factors.reshape(len(factors), len(pieces) * most, -1)
    told = nodes.add("Gather", nodes.floats(flat[0]), spot, axis=0)
    for factor in flat[1:]:
        told = nodes.add("Mul", told, away)
        told = nodes.add("Add", told, nodes.add("Gather", nodes.floats(factor), spot, axis=0))
    if beyond == "linear":
        told = _go_on_linearly(nodes, told, rows, (low, high))
    if getattr(model, "handle_missing", "error") == "zeros":
        holes = nodes.add("Unsqueeze", nodes.add("IsNaN", rows), nodes.integers(2))
        told = nodes.add("Where", holes, nodes.floats(0.0), told)
    nodes.give(nodes.add("Flatten", told, axis=1))


def _read(spline: Any) -> tuple[NDArray[Any], float, NDArray[Any]]:
    """Where each interval starts, where the last one ends, and `[degree + 1, intervals, bases]`."""
    degree, knots = spline.k, spline.t
    first, last = knots[degree], knots[-degree - 1]
    bases = [PPoly.from_spline((knots, factors, degree)) for factors in spline.c.T]
    starts = bases[0].x[:-1]
    kept = (np.diff(bases[0].x) > 0) & (starts >= first) & (starts < last)
    if not kept.any():
        raise NotImplementedError("SplineTransformer of a constant column has no conversion")
    return starts[kept], float(last), np.stack([basis.c[:, kept] for basis in bases], axis=-1)


def _bring_inside(
    nodes: Nodes, rows: str, low: NDArray[Any], high: NDArray[Any], beyond: str
) -> str:
    if beyond in ("constant", "linear"):
        return nodes.add(
            "Min", nodes.add("Max", rows, nodes.floats(low[None])), nodes.floats(high[None])
        )
    if beyond == "continue":
        return rows
    period = nodes.floats(high - low)
    from_low = nodes.add("Sub", rows, nodes.floats(low))
    turns = nodes.add("Floor", nodes.add("Div", from_low, period))
    return nodes.add("Sub", rows, nodes.add("Mul", turns, period))


def _go_on_linearly(
    nodes: Nodes, told: str, rows: str, ends: tuple[NDArray[Any], NDArray[Any]]
) -> str:
    """Beyond its first and last knot a basis goes on with the slope that it has there."""
    model = nodes.model
    for end, nearest in zip(ends, ("Min", "Max"), strict=True):
        slopes = np.array(
            [spline(at, nu=1) for spline, at in zip(model.bsplines_, end, strict=True)]
        )
        if not model.include_bias:
            slopes = slopes[:, :-1]
        over = nodes.add(nearest, nodes.add("Sub", rows, nodes.floats(end)), nodes.floats(0.0))
        over = nodes.add("Unsqueeze", over, nodes.integers(2))
        told = nodes.add("Add", told, nodes.add("Mul", over, nodes.floats(slopes[None])))
    return told
