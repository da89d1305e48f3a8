"""SimpleImputer where skl2onnx fails: float64 (onnxruntime's Imputer knows float32 only), and the
indicator columns that it drops without a word.

Where(IsNaN(x), fill, x), and a column of 0 and 1 for each that the indicator watches. Text and
other markers of missing values stay with skl2onnx.
"""

from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer

from slipway_runtime.convert.own.features import missing_in
from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.converters[SimpleImputer] = _convert
    registry.shapes[SimpleImputer] = _shapes


def _shapes(operator: Any) -> None:
    from skl2onnx.common.utils import check_input_and_output_numbers

    check_input_and_output_numbers(operator, input_count_range=[1, None])
    width = int(operator.raw_operator.n_features_in_)
    indicator = getattr(operator.raw_operator, "indicator_", None)
    if indicator is not None:
        width += len(indicator.features_)
    operator.outputs[0].type = type(operator.inputs[0].type)([None, width])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer

    imputer = operator.raw_operator
    marker, fills = imputer.missing_values, np.asarray(imputer.statistics_)
    numbers = isinstance(marker, float) and np.isnan(marker) and fills.dtype.kind == "f"
    floats = all(
        isinstance(one.type, DoubleTensorType | FloatTensorType) for one in operator.inputs
    )
    double = isinstance(operator.inputs[0].type, DoubleTensorType)
    fillable = numbers and floats and not np.isnan(fills).any()
    if imputer.add_indicator and not fillable:
        raise NotImplementedError("SimpleImputer(add_indicator=True) converts for numbers only")
    if not fillable or not (double or imputer.add_indicator):
        convert_sklearn_imputer(scope, operator, container)
        return
    nodes = Nodes(scope, operator, container)
    rows = nodes.rows()
    filled = nodes.add("Where", nodes.add("IsNaN", rows), nodes.floats(fills[None]), rows)
    if imputer.add_indicator:
        told = nodes.cast(missing_in(nodes, imputer.indicator_, rows), nodes.element)
        filled = nodes.add("Concat", filled, told, axis=1)
    nodes.give(filled)
