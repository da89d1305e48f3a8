"""Estimators that weigh kernels between a row and known points."""

from typing import Any

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from slipway_runtime.convert.own.nodes import Nodes
from slipway_runtime.convert.own.registry import Registry

_UNDERFLOW = 745.13  # exp(-x) of float64 is 0 beyond


def register(registry: Registry) -> None:
    registry.add(KernelRidge, _ridge)
    registry.add(Nystroem, _nystroem)
    for kind in (LabelPropagation, LabelSpreading):
        registry.add(kind, _labels)


def _ridge(nodes: Nodes) -> None:
    dual = np.asarray(nodes.model.dual_coef_, dtype=np.float64)
    kernel = _kernel(nodes, nodes.model.X_fit_)
    nodes.give(nodes.affine(kernel, dual.reshape(len(dual), -1)))


def _nystroem(nodes: Nodes) -> None:
    kernel = _kernel(nodes, nodes.model.components_)
    nodes.give(nodes.affine(kernel, nodes.model.normalization_.T))


def _labels(nodes: Nodes) -> None:
    """Shares of the labels nearby: exp(-gamma · |x - p|²), made relative to the nearest point.

    Where scikit-learn's own sum underflows to 0 / 0 the answer is NaN, here as there.
    """
    model = nodes.model
    if model.kernel != "rbf":
        raise NotImplementedError(f"{type(model).__name__} converts with kernel rbf only")
    apart = nodes.add("Mul", nodes.apart(nodes.rows(), model.X_), nodes.floats(model.gamma))
    least = nodes.add("ReduceMin", apart, nodes.integers(1), keepdims=1)
    weights = nodes.add("Exp", nodes.add("Sub", least, apart))
    totals = nodes.affine(weights, model.label_distributions_)
    shares = nodes.add("Div", totals, nodes.sum(totals, axis=1, keep=True))
    lost = nodes.add("Greater", least, nodes.floats(_UNDERFLOW))
    shares = nodes.add("Where", lost, nodes.floats(np.nan), shares)
    first = nodes.add("Where", lost, nodes.floats(0.0), shares)  # argmax of NaN is the first
    nodes.give(nodes.labels(nodes.first_largest(first), model.classes_), shares)


def _kernel(nodes: Nodes, points: Any) -> str:
    """K(row, point) as `sklearn.metrics.pairwise` defines it, `[rows, points]`."""
    model, rows = nodes.model, nodes.rows()
    points = np.asarray(points, dtype=np.float64)
    gamma = 1.0 / points.shape[1] if model.gamma is None else float(model.gamma)
    # Nystroem leaves what is None to the kernel's own defaults, which KernelRidge has as its own.
    degree = 3 if model.degree is None else model.degree
    coef0 = 1.0 if model.coef0 is None else model.coef0
    match model.kernel:
        case "linear":
            return nodes.affine(rows, points.T)
        case "rbf":
            return _fading(nodes, nodes.apart(rows, points), gamma)
        case "laplacian":
            return _fading(nodes, nodes.apart(rows, points, norm=1), gamma)
        case "poly" | "polynomial":
            inner = nodes.affine(rows, gamma * points.T, coef0)
            return nodes.add("Pow", inner, nodes.floats(degree))
        case "sigmoid":
            return nodes.add("Tanh", nodes.affine(rows, gamma * points.T, coef0))
        case kernel:
            raise NotImplementedError(f"{type(model).__name__} does not convert with {kernel!r}")


def _fading(nodes: Nodes, apart: str, gamma: float) -> str:
    return nodes.add("Exp", nodes.add("Mul", apart, nodes.floats(-gamma)))
