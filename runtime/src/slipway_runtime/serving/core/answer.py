"""Outputs of the model as one plain object a row, for people."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .schema import TensorSpec

_SHORT_FLOATS = (np.dtype(np.float16), np.dtype(np.float32))
_KEYS = {
    "Label": "label",
    "Probabilities": "probabilities",
    "Value": "value",
    "Scores": "scores",
    "Transformed": "transformed",
}


def render_predictions(
    outputs: Sequence[npt.NDArray[Any]], specs: tuple[TensorSpec, ...]
) -> list[dict[str, Any]]:
    """One object a row: `label`, `probabilities` by class, `value`, `scores` or `transformed`.

    16- and 32-bit floats stay numpy scalars, so that they print with the digits they have. A second
    output of the same role is called by its own name.
    """
    keys: dict[str, str] = {}
    for spec in specs:
        key = _KEYS.get(spec.role, spec.name)
        keys[spec.name] = spec.name if key in keys.values() else key
    rows = len(outputs[0])
    predictions: list[dict[str, Any]] = [{} for _ in range(rows)]
    for array, spec in zip(outputs, specs, strict=True):
        key = keys[spec.name]
        for prediction, value in zip(predictions, _each(array, spec), strict=True):
            prediction[key] = value
    return predictions


def _each(array: npt.NDArray[Any], spec: TensorSpec) -> list[Any]:
    """The value of each row: a scalar, a list, or an object by class."""
    if array.dtype == object or array.dtype.kind in "SU":
        items = array.tolist()
        return [_text(item) for item in items] if array.ndim == 1 else _squeezed(items, spec)
    short = array.dtype in _SHORT_FLOATS
    if array.ndim == 1:
        return list(array) if short else array.tolist()
    if array.ndim == 2 and spec.classes is not None and array.shape[1] == len(spec.classes):
        names = [str(name) for name in spec.classes]
        rows = array if short else array.tolist()
        return [dict(zip(names, row, strict=True)) for row in rows]
    if array.ndim == 2 and array.shape[1] == 1 and spec.role in ("Label", "Value"):
        return list(array[:, 0]) if short else array[:, 0].tolist()
    return [list(row) for row in array] if short and array.ndim == 2 else array.tolist()


def _squeezed(items: list[list[Any]], spec: TensorSpec) -> list[Any]:
    if spec.role in ("Label", "Value") and all(len(item) == 1 for item in items):
        return [_text(item[0]) for item in items]
    return items


def _text(item: Any) -> Any:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item
