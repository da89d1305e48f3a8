"""Transformers whose answer is an affine map of the row: the map is read by asking them.

answer(x) = answer(c) + (x - c) · W, where row i of W is answer(c + e_i) - answer(c) and c lies in
the middle of the data, so that nothing large cancels.
"""

from typing import Any

import numpy as np
from sklearn.cluster import FeatureAgglomeration
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical
from sklearn.decomposition import FactorAnalysis, FastICA, MiniBatchSparsePCA, SparsePCA
from sklearn.neural_network import BernoulliRBM
from sklearn.random_projection import SparseRandomProjection

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry, parse_numbers


def register(registry: Registry) -> None:
    for kind in (
        FactorAnalysis, FastICA, MiniBatchSparsePCA, PLSSVD, SparsePCA, SparseRandomProjection,
    ):  # fmt: skip
        registry.add(kind, _transform)
    for kind in (CCA, PLSCanonical):
        registry.add(kind, _predict)
    registry.add(FeatureAgglomeration, _agglomerate, parse=parse_numbers)
    registry.add(BernoulliRBM, _machine)


def _transform(nodes: Nodes) -> None:
    nodes.give(_map(nodes, nodes.model.transform))


def _predict(nodes: Nodes) -> None:
    """The regressions of partial least squares tell their map themselves."""
    model = nodes.model
    rows = nodes.add("Sub", nodes.rows(), nodes.floats(model._x_mean))
    nodes.give(nodes.affine(rows, model.coef_.T, model.intercept_))


def _agglomerate(nodes: Nodes) -> None:
    """Means of groups of columns; another pooling function is no affine map."""
    if nodes.model.pooling_func is not np.mean:
        raise NotImplementedError("FeatureAgglomeration converts with pooling_func=numpy.mean only")
    _transform(nodes)


def _machine(nodes: Nodes) -> None:
    """BernoulliRBM: the logistic function of an affine map."""
    model = nodes.model
    hidden = nodes.affine(nodes.rows(), model.components_.T, model.intercept_hidden_)
    nodes.give(nodes.add("Sigmoid", hidden))


def _map(nodes: Nodes, ask: Any) -> str:
    model = nodes.model
    width = int(model.n_features_in_)
    centre = getattr(model, "mean_", getattr(model, "_x_mean", None))
    centre = np.zeros(width) if centre is None else np.asarray(centre, dtype=np.float64)

    def answer(rows: Any) -> Any:
        told = ask(rows)
        told = np.asarray(told.toarray() if hasattr(told, "toarray") else told, dtype=np.float64)
        return told.reshape(len(rows), -1)

    shift = answer(centre[None])
    weights = answer(centre + np.eye(width)) - shift
    rows = nodes.add("Sub", nodes.rows(), nodes.floats(centre))
    return nodes.affine(rows, weights, shift)
