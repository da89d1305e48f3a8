"""Fills missing numbers in float64: onnxruntime's Imputer knows float32 only.

Where(IsNaN(x), fill, x): what SimpleImputer does with NaN. Used for the float64 attempts only;
text, float32 and other markers of missing values stay with skl2onnx.
"""

from typing import Any

import numpy as np


def custom_converters() -> tuple[dict[type, Any], dict[type, Any]]:
    """The converters and shape calculators to hand to skl2onnx."""
    from skl2onnx.common.utils import check_input_and_output_numbers
    from sklearn.impute import SimpleImputer

    def shapes(operator: Any) -> None:
        check_input_and_output_numbers(operator, input_count_range=[1, None])
        width = sum(variable.type.shape[1] for variable in operator.inputs)
        operator.outputs[0].type = type(operator.inputs[0].type)([None, width])

    return {SimpleImputer: _convert}, {SimpleImputer: shapes}


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.operator_converters.common import concatenate_variables
    from skl2onnx.operator_converters.imputer_op import convert_sklearn_imputer

    imputer, kind = operator.raw_operator, operator.inputs[0].type
    marker, fills = imputer.missing_values, np.asarray(imputer.statistics_)
    numbers = isinstance(marker, float) and np.isnan(marker) and fills.dtype.kind == "f"
    if not numbers or np.isnan(fills).any() or not isinstance(kind, DoubleTensorType):
        convert_sklearn_imputer(scope, operator, container)
        return
    source = concatenate_variables(scope, operator.inputs, container)
    fill, hole = scope.get_unique_variable_name("fill"), scope.get_unique_variable_name("hole")
    container.add_initializer(fill, TensorProto.DOUBLE, [1, len(fills)], fills.tolist())
    container.add_node("IsNaN", [source], [hole], op_version=13)
    container.add_node("Where", [hole, fill, source], [operator.outputs[0].full_name], op_version=9)
