"""Estimators that ask another one: the inner model is converted by whoever knows it, the rest here.

A parser puts the inner model's outputs where the rows would be; `write` goes on from there.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import RandomizedSearchCV
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.multioutput import RegressorChain
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from slipway_runtime.boosters.known import framework_of
from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry, own_converters

_LEAST = 1e-4  # as far as probabilities are compared
_SCALERS = (MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler)


def _one_node(kind: str, nodes: Nodes, value: str) -> str:
    return nodes.add(kind, value)


_ONE = ("Exp", "Log", "Sqrt", "Sinh", "Cosh", "Tanh", "Abs", "Reciprocal")
_FUNCTIONS: dict[Any, Callable[[Nodes, str], str]] = {
    None: lambda _, value: value,
    np.expm1: lambda nodes, value: nodes.add("Sub", nodes.add("Exp", value), nodes.floats(1.0)),
    np.log1p: lambda nodes, value: nodes.add("Log", nodes.add("Add", value, nodes.floats(1.0))),
    np.exp2: lambda nodes, value: nodes.add("Pow", nodes.floats(2.0), value),
    np.square: lambda nodes, value: nodes.add("Mul", value, value),
    np.negative: lambda nodes, value: nodes.add("Neg", value),
    np.cbrt: lambda nodes, value: nodes.add(
        "Mul",
        nodes.add("Sign", value),
        nodes.add("Pow", nodes.add("Abs", value), nodes.floats(1 / 3)),
    ),
    **{getattr(np, kind.lower()): partial(_one_node, kind) for kind in _ONE},
}


def register(registry: Registry) -> None:
    for kind, inside in (
        *((kind, "estimator") for kind in find_classes("sklearn.frozen", "FrozenEstimator")),
        (SelfTrainingClassifier, "estimator_"),
        (RandomizedSearchCV, "best_estimator_"),
        (HalvingGridSearchCV, "best_estimator_"),
        (HalvingRandomSearchCV, "best_estimator_"),
    ):
        registry.parsers[kind] = _only(inside)
    thresholds = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")
    for kind in find_classes("sklearn.model_selection", *thresholds):
        registry.add(kind, _threshold, parse=_parse_threshold)
    registry.add(TransformedTargetRegressor, _target, parse=_parse_target)
    registry.add(RegressorChain, _chain, parse=_parse_chain)


def find_classes(module: str, *names: str) -> tuple[type, ...]:
    """The classes that this scikit-learn has: a training environment may have an older one."""
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return ()
    return tuple(getattr(found, name) for name in names if hasattr(found, name))


def knows_zipmap(step: object) -> bool:
    """Whether a classifier's converter takes the option that turns its list of maps off."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import _converter_pool

    if framework_of(step) is not None or type(step) in own_converters().converters:
        return False
    converter = _converter_pool.get(sklearn_operator_name_map.get(type(step), ""))
    return converter is None or "zipmap" in (converter.get_allowed_options() or ())


def _inner(scope: Any, model: Any, inputs: Any, custom_parsers: Any) -> Any:
    """The outputs of a model inside, as tensors."""
    from skl2onnx._parse import _parse_sklearn
    from sklearn.base import is_classifier

    if is_classifier(model) and knows_zipmap(model):
        scope.add_options(id(model), {"zipmap": False})
    return _parse_sklearn(scope, model, inputs, custom_parsers=custom_parsers)


def _only(inside: str) -> Any:
    def parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
        return _inner(scope, getattr(model, inside), inputs, custom_parsers)

    return parse


def _after(scope: Any, model: Any, told: Any, *outputs: tuple[str, Any]) -> Any:
    """The operator that `write` fills, behind what the inner model told."""
    operator = scope.declare_local_operator(f"Slipway{type(model).__name__}", model)
    operator.inputs = list(told)
    for name, kind in outputs:
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return operator.outputs


def _number(inputs: Any) -> Any:
    from skl2onnx.common.data_types import guess_tensor_type

    return guess_tensor_type(inputs[0].type)


def _parse_threshold(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    from skl2onnx.common.data_types import Int64TensorType

    estimator = getattr(model, "estimator_", model.estimator)
    if not hasattr(estimator, "predict_proba") or model.response_method == "decision_function":
        raise NotImplementedError(f"{type(model).__name__} converts over predict_proba only")
    told = _inner(scope, estimator, inputs, custom_parsers)
    outputs = (("label", Int64TensorType()), ("probabilities", _number(inputs)))
    return _after(scope, model, told[1:], *outputs)


def _threshold(nodes: Nodes) -> None:
    """The positive class where its probability reaches the threshold."""
    model = nodes.model
    told = getattr(model, "best_threshold_", getattr(model, "threshold", "auto"))
    threshold = 0.5 if told == "auto" else float(told)
    if not _LEAST <= threshold <= 1 - _LEAST:
        raise NotImplementedError(
            f"{type(model).__name__} converts with a threshold that float32 can tell, "
            f"not {threshold:.2g}"
        )
    negative, positive = 0, 1
    wanted = getattr(model, "pos_label", None)
    if wanted is not None and model.classes_[0] == wanted:
        negative, positive = 1, 0
    shares = nodes.inputs()[0]
    score = nodes.add("Gather", shares, nodes.constant(np.array(positive)), axis=1)
    reached = nodes.add("GreaterOrEqual", score, nodes.floats(threshold))
    place = nodes.add("Where", reached, nodes.integers(positive), nodes.integers(negative))
    nodes.give(nodes.labels(place, model.classes_), shares)


def _parse_target(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    told = _inner(scope, model.regressor_, inputs, custom_parsers)
    return _after(scope, model, told[:1], ("variable", _number(inputs)))


def _target(nodes: Nodes) -> None:
    """The inner answer, through the inverse of what the target went through."""
    transformer, value = nodes.model.transformer_, nodes.inputs()[0]
    if isinstance(transformer, _SCALERS):
        width = int(transformer.n_features_in_)
        shift = transformer.inverse_transform(np.zeros((1, width)))
        scale = transformer.inverse_transform(np.ones((1, width))) - shift
        value = nodes.add("Mul", value, nodes.floats(scale))
        nodes.give(nodes.add("Add", value, nodes.floats(shift)))
        return
    inverse = getattr(transformer, "inverse_func", transformer)
    if inverse not in _FUNCTIONS:
        name = getattr(inverse, "__name__", type(inverse).__name__)
        raise NotImplementedError(
            f"TransformedTargetRegressor converts with functions of NumPy or scalers, not {name}"
        )
    nodes.give(_FUNCTIONS[inverse](nodes, value))


def _parse_chain(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Each model of the chain sees the rows, and what those before it told."""
    told: list[Any] = []
    for estimator in model.estimators_:
        seen = list(inputs)
        if told:
            operator = scope.declare_local_operator("SklearnConcat")
            operator.inputs = [*inputs, *told]
            joined = scope.declare_local_variable("chained", _number(inputs))
            operator.outputs.append(joined)
            seen = [joined]
        told += _inner(scope, estimator, seen, custom_parsers)[:1]
    return _after(scope, model, told, ("variable", _number(inputs)))


def _chain(nodes: Nodes) -> None:
    order = np.argsort(np.asarray(nodes.model.order_))
    columns = [nodes.add("Reshape", one, nodes.integers(-1, 1)) for one in nodes.inputs()]
    nodes.give(nodes.pick(nodes.add("Concat", *columns, axis=1), order))
