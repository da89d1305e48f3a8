"""Estimators that answer the same to every row."""

from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    registry.add(DummyRegressor, _regressor)
    registry.add(DummyClassifier, _classifier)


def _repeat(nodes: Nodes, row: Any) -> str:
    """One row of constants for each row that comes."""
    count = nodes.add("Shape", nodes.rows(), start=0, end=1)
    shape = nodes.add("Concat", count, nodes.integers(row.shape[1]), axis=0)
    return nodes.add("Expand", nodes.constant(row), shape)


def _regressor(nodes: Nodes) -> None:
    constant = np.asarray(nodes.model.constant_, dtype=nodes.dtype).reshape(1, -1)
    nodes.give(_repeat(nodes, constant))


def _classifier(nodes: Nodes) -> None:
    model = nodes.model
    if model.strategy not in ("prior", "most_frequent", "constant") or model.n_outputs_ != 1:
        raise NotImplementedError(f'DummyClassifier with strategy "{model.strategy}" is random')
    row = np.zeros((1, model.n_features_in_))
    shares = _repeat(nodes, model.predict_proba(row).astype(nodes.dtype))
    place = np.flatnonzero(model.classes_ == model.predict(row)[0]).reshape(1, 1)
    places = nodes.add("Reshape", _repeat(nodes, place), nodes.integers(-1))
    nodes.give(nodes.labels(places, model.classes_), shares)
