"""PowerTransformer: skl2onnx fills a missing value with a number, where scikit-learn keeps it.

Yeo-Johnson (x ≥ 0: ((x + 1)^λ - 1) / λ; x < 0: -((1 - x)^(2 - λ) - 1) / (2 - λ)) and Box-Cox
((x^λ - 1) / λ), the logarithm where the divisor is 0 (Yeo and Johnson, Biometrika 87, 2000).
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import PowerTransformer

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.add(PowerTransformer, _power)


def _power(nodes: Nodes) -> None:
    model, rows = nodes.model, nodes.rows()
    powers = np.asarray(model.lambdas_, dtype=np.float64)
    if model.method == "box-cox":
        told = _raise(nodes, rows, powers)
    else:
        zero = nodes.floats(0.0)
        one = nodes.floats(1.0)
        above = nodes.add("Add", nodes.add("Max", rows, zero), one)
        below = nodes.add("Sub", one, nodes.add("Min", rows, zero))
        told = nodes.add(
            "Where",
            nodes.add("GreaterOrEqual", rows, zero),
            _raise(nodes, above, powers),
            nodes.add("Neg", _raise(nodes, below, 2.0 - powers)),
        )
    if model.standardize:
        told = nodes.add("Sub", told, nodes.floats(model._scaler.mean_))
        told = nodes.add("Div", told, nodes.floats(model._scaler.scale_))
    nodes.give(told)


def _raise(nodes: Nodes, base: str, powers: NDArray[np.float64]) -> str:
    """(base^power - 1) / power, column by column; log(base) where the power is 0."""
    is_log = powers == 0.0
    power = nodes.floats(np.where(is_log, 1.0, powers))
    raised = nodes.add("Sub", nodes.add("Pow", base, power), nodes.floats(1.0))
    raised = nodes.add("Div", raised, power)
    if not is_log.any():
        return raised
    return nodes.add("Where", nodes.constant(is_log[None]), nodes.add("Log", base), raised)
