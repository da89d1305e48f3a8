"""Which class is converted by which module, in the three forms that skl2onnx asks for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from slipway_runtime.convert.own.nodes import Nodes

Write = Callable[[Nodes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Keyword arguments for `skl2onnx.convert_sklearn`, each by class."""

    converters: dict[type, Any] = field(default_factory=dict)
    shapes: dict[type, Any] = field(default_factory=dict)
    parsers: dict[type, Any] = field(default_factory=dict)

    def add(self, kind: type, write: Write, *, parse: Any = None, boolean: bool = False) -> None:
        """Convert a class by `write`; `boolean`: its output is true or false."""

        def convert(scope: Any, operator: Any, container: Any) -> None:
            write(Nodes(scope, operator, container))

        self.converters[kind] = convert
        self.shapes[kind] = _boolean_shape if boolean else set_shapes
        if parse is not None:
            self.parsers[kind] = parse


@cache
def own_converters() -> Registry:
    """All of them; imports scikit-learn, so call it where models are opened."""
    from slipway_runtime.convert.own import (
        affine,
        bins,
        categories,
        centres,
        constants,
        delegates,
        features,
        imputer,
        isotonic,
        kernels,
        neighbours,
        power,
        samplers,
        splines,
    )

    registry = Registry()
    for module in (
        affine, bins, categories, centres, constants, delegates, features, imputer, isotonic,
        kernels, neighbours, power, samplers, splines,
    ):  # fmt: skip
        module.register(registry)
    return registry


def parse_numbers(scope: Any, model: Any, inputs: Any, **_: Any) -> Any:
    """One output of numbers, also for a class that skl2onnx takes for a clusterer."""
    from skl2onnx.common.data_types import guess_tensor_type

    operator = scope.declare_local_operator(f"Slipway{type(model).__name__}", model)
    operator.inputs = list(inputs)
    output = scope.declare_local_variable("variable", guess_tensor_type(inputs[0].type))
    operator.outputs.append(output)
    return operator.outputs


def set_shapes(operator: Any) -> None:
    """Outputs hold as many rows as the input; a label is text or a whole number."""
    from skl2onnx.common.data_types import (
        DoubleTensorType,
        FloatTensorType,
        Int64TensorType,
        StringTensorType,
    )

    rows = operator.inputs[0].get_first_dimension()
    double = any(isinstance(one.type, DoubleTensorType) for one in operator.inputs)
    number = DoubleTensorType if double else FloatTensorType
    outputs = list(operator.outputs)
    if len(outputs) > 1:
        classes = np.asarray(getattr(operator.raw_operator, "classes_", 0))
        label = StringTensorType if classes.dtype.kind in "OU" else Int64TensorType
        outputs.pop(0).type = label([rows])
    width = _count_columns(operator.raw_operator) if len(operator.outputs) == 1 else None
    for output in outputs:
        output.type = number([rows, width])


def _count_columns(model: Any) -> int | None:
    """How many columns a transformer gives; None where it cannot tell."""
    ask = getattr(model, "get_feature_names_out", None)
    try:
        return None if ask is None else len(ask())
    except (AttributeError, ValueError):
        return None


def _boolean_shape(operator: Any) -> None:
    from skl2onnx.common.data_types import BooleanTensorType

    operator.outputs[0].type = BooleanTensorType([operator.inputs[0].get_first_dimension(), None])
