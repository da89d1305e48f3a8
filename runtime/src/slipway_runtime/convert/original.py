"""Asks the original model as a server would: a table in, named outputs out.

Used to prove a conversion, and by the model worker that serves a native model; both must ask in the
same way, or the proof would be worth nothing.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Role, Task
from slipway_runtime.boosters.known import has_several_labels
from slipway_runtime.contract_of.reading import ColumnReading, ModelReading, Table, row_count
from slipway_runtime.contract_of.unwrap import last_step, unwrap

Outputs = dict[str, NDArray[Any]]


class Estimator(Protocol):
    """What is asked of a scikit-learn model."""

    def predict(self, rows: object) -> NDArray[Any]: ...
    def predict_proba(self, rows: object) -> NDArray[Any]: ...
    def decision_function(self, rows: object) -> NDArray[Any]: ...
    def transform(self, rows: object) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output of the model: what it is called, what it is, and its classes where it has any."""

    name: str
    role: Role
    classes: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A fitted model, how its rows are fed and what it answers."""

    model: object
    reading: ModelReading
    task: Task
    outputs: tuple[Output, ...]

    def ask(self, table: Table) -> Outputs:
        """Answer the rows of `table`.

        Returns:
            An array for each output, rows first: labels `[n]`, probabilities `[n, k]`, a value
            `[n]` or `[n, k]`, scores and transformed rows `[n]` or `[n, k]`.

        Raises:
            Exception: whatever the model raises on these rows.
        """
        rows = self.feed(table)
        model = cast("Estimator", self.model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {output.name: _answer(model, output, self.task, rows) for output in self.outputs}

    def feed(self, table: Table) -> object:
        """Lay the rows out as the model was trained on them."""
        columns = self.reading.columns
        if self.reading.feeding == "Texts":
            return ["" if value is None else value for value in table[columns[0].name].tolist()]
        held = [_with_holes(table[column.name], column) for column in columns]
        if self.reading.feeding == "Frame":
            import pandas as pd

            frame: dict[str, Any] = dict(zip(self.reading.names, held, strict=True))
            for column in columns:
                if column.coded:
                    known = list(column.categories or ())
                    frame[column.name] = pd.Categorical(frame[column.name], categories=known)
            return pd.DataFrame(frame, index=range(row_count(table)))
        kind = object if any(values.dtype == object for values in held) else None
        return np.column_stack([values.reshape(-1, 1) for values in held]).astype(
            kind or np.result_type(*held)
        )


def open_original(model: object, reading: ModelReading) -> Original:
    """Tell what a fitted model answers.

    Args:
        model: a fitted estimator; a search stands for its best estimator.
        reading: its columns, from `contract_of.read`.
    """
    inner = unwrap(model)
    task = task_of(inner)
    return Original(model=inner, reading=reading, task=task, outputs=_outputs_of(inner, task))


def task_of(model: object) -> Task:
    """Tell what the model is for."""
    from sklearn.base import is_classifier, is_outlier_detector, is_regressor

    if not hasattr(model, "predict"):
        return "Transform"
    if is_classifier(model):
        return "Classification"
    if is_regressor(model):
        return "Regression"
    if is_outlier_detector(model):
        return "OutlierDetection"
    if getattr(model, "_estimator_type", None) == "clusterer" or _is_clusterer(model):
        return "Clustering"
    return "Transform" if hasattr(model, "transform") else "Regression"


def _is_clusterer(model: object) -> bool:
    import sklearn.base

    # before scikit-learn 1.6 the estimator's own word was all there was
    ask = getattr(sklearn.base, "is_clusterer", None)
    return ask is not None and bool(ask(model))


def _outputs_of(model: object, task: Task) -> tuple[Output, ...]:
    if task == "Transform":
        return (Output(name="transformed", role="Transformed"),)
    if task == "Regression":
        return (Output(name="value", role="Value"),)
    label = Output(name="label", role="Label")
    if task == "OutlierDetection":
        return (label, Output(name="scores", role="Scores"))
    if task == "Clustering":
        scored = hasattr(model, "transform") and hasattr(last_step(model), "cluster_centers_")
        return (label, Output(name="scores", role="Scores")) if scored else (label,)
    classes = _classes(model)
    if classes is None:
        return (label,)
    if hasattr(model, "predict_proba"):
        return (label, Output(name="probabilities", role="Probabilities", classes=classes))
    if hasattr(model, "decision_function"):
        return (label, Output(name="scores", role="Scores", classes=classes))
    return (label,)


def _classes(model: object) -> tuple[object, ...] | None:
    """The classes of a single-label classifier; None for several labels a row."""
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        return None
    if getattr(last_step(model), "outputs_2d_", False) or _is_multilabel(model):
        return None
    return tuple(classes.tolist())


def _is_multilabel(model: object) -> bool:
    end = last_step(model)
    if has_several_labels(end):
        return True
    kind = str(getattr(getattr(end, "_label_binarizer", None), "y_type_", ""))
    return bool(getattr(end, "multilabel_", False)) or kind.startswith("multilabel")


def _answer(model: Estimator, output: Output, task: Task, rows: object) -> NDArray[Any]:
    match output.role:
        case "Label":
            return _as_labels(model.predict(rows))
        case "Probabilities":
            return np.asarray(model.predict_proba(rows))
        case "Value":
            return _flat(np.asarray(model.predict(rows)))
        case "Transformed":
            return np.asarray(_dense(model.transform(rows)))
        case _ if task == "Clustering":
            return np.asarray(_dense(model.transform(rows)))
        case _:
            return _flat(np.asarray(model.decision_function(rows)))


def _as_labels(values: object) -> NDArray[Any]:
    labels = np.asarray(_dense(values))
    if labels.dtype.kind in "OUS":
        return _flat(labels.astype(str).astype(object))
    return _flat(labels)


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else values


def _with_holes(values: NDArray[Any], column: ColumnReading) -> NDArray[Any]:
    """Write missing text as the model was trained on it: NaN or None for a category, else ''."""
    if values.dtype != object:
        return values
    hole = "" if column.kind == "Text" else column.missing_token
    return np.array([hole if value is None or value == "" else value for value in values], object)
