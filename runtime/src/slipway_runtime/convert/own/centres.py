"""Estimators that look for the nearest of some points: clusters and nearest centroids."""

from typing import Any

import numpy as np
from sklearn.cluster import AffinityPropagation, Birch, BisectingKMeans, MeanShift
from sklearn.covariance import EllipticEnvelope
from sklearn.neighbors import NearestCentroid

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry


def register(registry: Registry) -> None:
    for kind in (AffinityPropagation, MeanShift):
        registry.add(kind, _clusters)
    registry.add(Birch, _birch)
    registry.add(BisectingKMeans, _bisecting)
    registry.add(NearestCentroid, _centroids)
    registry.add(EllipticEnvelope, _envelope)


def _nearest(nodes: Nodes, centres: Any) -> tuple[str, str]:
    """The place of the nearest centre, and the distances to all."""
    squares = nodes.apart(nodes.rows(), centres)
    return nodes.first_largest(nodes.add("Neg", squares)), nodes.add("Sqrt", squares)


def _clusters(nodes: Nodes) -> None:
    nodes.give(*_nearest(nodes, nodes.model.cluster_centers_))


def _birch(nodes: Nodes) -> None:
    place, distances = _nearest(nodes, nodes.model.subcluster_centers_)
    nodes.give(nodes.labels(place, nodes.model.subcluster_labels_), distances)


def _bisecting(nodes: Nodes) -> None:
    """Down the tree of bisections: at each, the nearer of two centres."""
    model, rows = nodes.model, nodes.rows()
    mean = getattr(model, "_X_mean", 0.0)

    def label(node: Any) -> str:
        if node.left is None:
            return nodes.integers(int(node.label))
        squares = nodes.apart(rows, np.vstack([node.left.center, node.right.center]) + mean)
        left = nodes.first_largest(squares)  # the farther one is the second: 1 means left
        is_left = nodes.add("Equal", left, nodes.integers(1))
        return nodes.add("Where", is_left, label(node.left), label(node.right))

    distances = nodes.add("Sqrt", nodes.apart(rows, model.cluster_centers_))
    nodes.give(label(model._bisecting_tree), distances)


def _centroids(nodes: Nodes) -> None:
    """-|x - c|² + 2 · log(prior), each column divided by its spread within the classes."""
    model = nodes.model
    if model.metric != "euclidean":
        raise NotImplementedError("NearestCentroid converts with metric euclidean only")
    spread = np.where(model.within_class_std_dev_ != 0, model.within_class_std_dev_, 1.0)
    rows = nodes.add("Div", nodes.rows(), nodes.floats(spread))
    squares = nodes.apart(rows, model.centroids_ / spread)
    scores = nodes.add("Sub", nodes.floats(2 * np.log(model.class_prior_)), squares)
    place = nodes.first_largest(scores)
    if np.isclose(model.class_prior_, 1 / len(model.classes_)).all():
        place, _ = _nearest(nodes, model.centroids_)  # then columns are not divided
    nodes.give(nodes.labels(place, model.classes_), nodes.add("Softmax", scores, axis=1))


def _envelope(nodes: Nodes) -> None:
    """-(x - m)ᵀ P (x - m) - offset; an outlier where it is below 0."""
    model = nodes.model
    rows = nodes.add("Sub", nodes.rows(), nodes.floats(model.location_))
    weighed = nodes.add("Mul", nodes.affine(rows, model.get_precision()), rows)
    total = nodes.sum(weighed, axis=1, keep=True)
    scores = nodes.add("Sub", nodes.floats(-model.offset_), total)
    inside = nodes.add("GreaterOrEqual", scores, nodes.floats(0.0))
    label = nodes.add("Where", inside, nodes.integers(1), nodes.integers(-1))
    nodes.give(nodes.add("Reshape", label, nodes.integers(-1)), scores)
