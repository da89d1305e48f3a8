"""Transformers that pick columns, or say where values are missing."""

import numpy as np
from onnx import TensorProto
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.impute import MissingIndicator

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry, parse_numbers

_SELECTORS = (
    GenericUnivariateSelect, SelectFdr, SelectFpr, SelectFromModel, SelectFwe, SelectKBest,
    SelectPercentile, SequentialFeatureSelector, VarianceThreshold,
)  # fmt: skip


def register(registry: Registry) -> None:
    # skl2onnx knows most of them, and writes zeros where the first column alone is kept.
    for kind in _SELECTORS:
        registry.add(kind, _selector)
    for kind in (RFE, RFECV):  # it predicts as well: `rewrite` puts its estimator behind it
        registry.add(kind, _selector, parse=parse_numbers)
    registry.add(MissingIndicator, _indicator, boolean=True)


def _selector(nodes: Nodes) -> None:
    nodes.give(nodes.pick(nodes.rows(), nodes.model.get_support(indices=True)))


def _indicator(nodes: Nodes) -> None:
    nodes.give(missing_in(nodes, nodes.model, nodes.rows()))


def missing_in(nodes: Nodes, indicator: MissingIndicator, rows: str) -> str:
    """True where a value is missing, a column for each that the indicator watches."""
    marker = indicator.missing_values
    if isinstance(marker, float) and np.isnan(marker):
        holes = nodes.add("IsNaN", rows)
    elif isinstance(marker, int | float):
        holes = nodes.add("Equal", rows, nodes.floats(marker))
    else:
        raise NotImplementedError(f"MissingIndicator converts with numbers only, not {marker!r}")
    whole = nodes.cast(holes, TensorProto.INT64)
    return nodes.cast(nodes.pick(whole, indicator.features_), TensorProto.BOOL)
