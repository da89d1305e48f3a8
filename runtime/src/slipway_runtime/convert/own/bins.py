"""KBinsDiscretizer by counting edges; skl2onnx's trees put rows on an edge into the other bin."""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn.preprocessing import KBinsDiscretizer

from slipway_runtime.contract_of.decimals import are_decimals, shortest_decimals
from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.add(KBinsDiscretizer, _bins)


def _bins(nodes: Nodes) -> None:
    model, rows = nodes.model, nodes.rows()
    inner = [np.asarray(edges, dtype=np.float64)[1:-1] for edges in model.bin_edges_]
    places = count_reached(nodes, rows, inner)
    if model.encode == "ordinal":
        nodes.give(nodes.cast(places, nodes.element))
        return
    columns = np.repeat(np.arange(len(inner)), model.n_bins_)
    bins = np.concatenate([np.arange(count) for count in model.n_bins_]).astype(np.int64)
    hit = nodes.add("Equal", nodes.pick(places, columns), nodes.constant(bins[None]))
    nodes.give(nodes.cast(hit, nodes.element))


def count_reached(nodes: Nodes, rows: str, edges: list[NDArray[np.float64]]) -> str:
    """How many of its column's edges each value has reached (is not below), `[rows, columns]`."""
    width = max(1, *map(len, edges))
    padded = np.full((1, len(edges), width), np.inf)
    for column, each in enumerate(edges):
        padded[0, column, : len(each)] = each
    if nodes.dtype == np.float32:
        padded = edges_for_float32(padded)
    reached = nodes.add(
        "GreaterOrEqual", nodes.add("Unsqueeze", rows, nodes.integers(2)), nodes.floats(padded)
    )
    return nodes.sum(nodes.cast(reached, TensorProto.INT64), axis=2)


def edges_for_float32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least float32 that has reached each edge: the decimal that it is read from decides.

    The mirror image of `rewrite.thresholds_for_float32`. Example: 0.1 → 0.1 (float32).
    """
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    decimals = are_decimals(values)
    told = np.where(decimals, shortest_decimals(nearest), nearest.astype(np.float64))
    up = np.nextafter(nearest, np.float32(np.inf))
    return np.where(told >= values, nearest, up).astype(np.float64)
