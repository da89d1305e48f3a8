"""Random features that approximate a kernel: fixed once they are fitted."""

import numpy as np
from sklearn.kernel_approximation import AdditiveChi2Sampler, RBFSampler, SkewedChi2Sampler

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.add(RBFSampler, _waves)
    registry.add(SkewedChi2Sampler, _skewed)
    registry.add(AdditiveChi2Sampler, _additive)


def _cosine(nodes: Nodes, rows: str) -> None:
    """sqrt(2 / n) · cos(rows · W + offset)."""
    model = nodes.model
    waves = nodes.add("Cos", nodes.affine(rows, model.random_weights_, model.random_offset_))
    scale = np.sqrt(2.0 / model.random_weights_.shape[1])
    nodes.give(nodes.add("Mul", waves, nodes.floats(scale)))


def _waves(nodes: Nodes) -> None:
    _cosine(nodes, nodes.rows())


def _skewed(nodes: Nodes) -> None:
    """The same over log(x + skewedness)."""
    shifted = nodes.add("Add", nodes.rows(), nodes.floats(nodes.model.skewedness))
    _cosine(nodes, nodes.add("Log", shifted))


def _additive(nodes: Nodes) -> None:
    """sqrt(x·L), then sqrt(2·x·L / cosh(π·j·L)) times cos and sin of j·L·log(x); 0 stays 0."""
    model, rows = nodes.model, nodes.rows()
    interval = {1: 0.8, 2: 0.5, 3: 0.4}.get(model.sample_steps, model.sample_interval)
    interval = model.sample_interval if model.sample_interval is not None else interval
    nought = nodes.add("Equal", rows, nodes.floats(0.0))
    safe = nodes.add("Where", nought, nodes.floats(1.0), rows)
    turn = nodes.add("Mul", nodes.add("Log", safe), nodes.floats(interval))
    size = nodes.add("Sqrt", nodes.add("Mul", rows, nodes.floats(interval)))
    parts = [size]
    for step in range(1, model.sample_steps):
        factor = np.sqrt(2.0 / np.cosh(np.pi * step * interval))
        height = nodes.add("Mul", size, nodes.floats(factor))
        angle = nodes.add("Mul", turn, nodes.floats(float(step)))
        parts += [nodes.add("Mul", height, nodes.add(wave, angle)) for wave in ("Cos", "Sin")]
    nodes.give(nodes.add("Concat", *parts, axis=1))
