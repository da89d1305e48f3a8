"""IsotonicRegression: a line through known points, found by counting the points below."""

import numpy as np
from onnx import TensorProto
from sklearn.isotonic import IsotonicRegression

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.add(IsotonicRegression, _line)


def _line(nodes: Nodes) -> None:
    """y_i + slope_i · (x - x_i) between point i and the next; outside, the end or NaN."""
    model = nodes.model
    x = np.asarray(model.X_thresholds_, dtype=np.float64)
    y = np.asarray(model.y_thresholds_, dtype=np.float64)
    rows = nodes.add("Reshape", nodes.rows(), nodes.integers(-1, 1))
    if len(x) == 1:
        nodes.give(nodes.add("Add", nodes.add("Mul", rows, nodes.floats(0.0)), nodes.floats(y)))
        return
    inside = nodes.add("Min", nodes.add("Max", rows, nodes.floats(x[0])), nodes.floats(x[-1]))
    above = nodes.add("GreaterOrEqual", inside, nodes.floats(x[None, 1:-1]))
    place = nodes.sum(nodes.cast(above, TensorProto.INT64), axis=1, keep=True)
    if len(x) == 2:
        place = nodes.cast(nodes.add("Mul", inside, nodes.floats(0.0)), TensorProto.INT64)
    begin, base, slope = (
        nodes.add("Gather", nodes.floats(values), place, axis=0)
        for values in (x[:-1], y[:-1], np.diff(y) / np.diff(x))
    )
    rise = nodes.add("Mul", slope, nodes.add("Sub", inside, begin))
    answer = nodes.add("Add", base, rise)
    if model.out_of_bounds == "nan":
        kept = nodes.add("Equal", inside, rows)
        answer = nodes.add("Where", kept, answer, nodes.floats(np.nan))
    nodes.give(answer)
