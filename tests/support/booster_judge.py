"""Builds one cell of the matrix and holds what would be served against the framework itself.

Shares nothing with the gate of the build: the rows are real ones, the comparison is written here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from booster_matrix import Cell, Made
from convert_models import Build, build
from slipway_runtime.artifact.manifest import InputTensor
from slipway_runtime.errors import BuildError
from slipway_runtime.native.model import NativeModel

RELATIVE, ABSOLUTE = 1e-4, 1e-5
_NUMBERS: dict[str, Any] = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a cell; `error` is the largest difference beside the size of the answer."""

    kind: Literal["ONNX", "Native", "Refused", "WRONG"]
    rows: int = 0
    error: float = 0.0
    why: str = ""


def judge(cell: Cell, folder: Path) -> Outcome:
    """Train, build as `runtime: Auto`, ask what was built, compare."""
    made = cell.make()
    try:
        built = build(folder, made.to_save())
    except BuildError as error:
        return Outcome(kind="Refused", why=f"{error.reason}: {error.message}")
    told = _ask_built(built, made.rows)
    worst, why = _compare(told, made)
    runtime = built.manifest.runtime
    fallback = built.manifest.fallback
    if why:
        return Outcome(kind="WRONG", rows=len(made.rows), error=worst, why=f"{runtime}: {why}")
    return Outcome(
        kind=runtime,
        rows=len(made.rows),
        error=worst,
        why=f"{fallback.reason}: {fallback.message}" if fallback else "",
    )


def _ask_built(built: Build, rows: pd.DataFrame | NDArray[Any]) -> dict[str, NDArray[Any]]:
    manifest = built.manifest
    if manifest.runtime == "ONNX":
        return built.answer(rows)
    names = [column.name for column in manifest.contract.columns]
    if isinstance(rows, pd.DataFrame):
        columns = {name: rows[name].astype(object).to_numpy() for name in names}
    else:
        columns = {name: rows[:, place] for place, name in enumerate(names)}
    whole: dict[str, Any] = json_of(built.folder / "manifest.json")
    model = NativeModel(built.folder, whole, unpickle="Sandboxed")
    answers = model.run({t.name: _tensor(columns, t) for t in manifest.signature.inputs})
    outputs = [output.name for output in manifest.signature.outputs]
    return dict(zip(outputs, answers, strict=True))


def json_of(path: Path) -> Any:
    """The values of a JSON file."""
    import json

    return json.loads(path.read_bytes())


def _tensor(columns: dict[str, Any], tensor: InputTensor) -> NDArray[Any]:
    held = []
    for name in tensor.columns:
        values = columns[name]
        if tensor.datatype == "BYTES":
            values = np.array([None if pd.isna(v) else str(v) for v in values], dtype=object)
        else:
            values = np.asarray(values).astype(_NUMBERS[tensor.datatype])
        held.append(values)
    return np.column_stack(held) if len(held) > 1 else held[0].reshape(-1, 1)


def _compare(told: dict[str, NDArray[Any]], made: Made) -> tuple[float, str]:
    """The largest difference beside the answer's size, and what is wrong ("" for nothing)."""
    worst = 0.0
    for name, values in told.items():
        with np.errstate(all="ignore"):
            expected = np.asarray(_expected(name, made))
        assert len(np.unique(expected.astype(str))) > 1, "every row is answered alike"
        if name == "label":
            wrong = int((_texts(values) != _texts(expected)).any(axis=1).sum())
            if wrong:
                return worst, f"{wrong} of {len(values)} labels differ"
            continue
        expected = expected.reshape(len(values), -1).astype(np.float64)
        numbers = values.reshape(len(values), -1).astype(np.float64)
        size = max(1.0, float(np.nanmedian(np.abs(expected))))
        difference = np.abs(numbers - expected)
        same = (np.isnan(numbers) & np.isnan(expected)) | (numbers == expected)
        difference[same] = 0.0
        worst = max(worst, float(np.max(difference)) / size)
        allowed = ABSOLUTE * size + RELATIVE * np.abs(expected)
        bad = ~(difference <= allowed)
        if bad.any():
            rows = int(bad.any(axis=1).sum())
            return worst, f'"{name}" differs on {rows} of {len(values)} rows, by {worst:.1e}'
    return worst, ""


def _expected(name: str, made: Made) -> Any:
    if name == "probabilities":
        return made.model.predict_proba(made.rows)
    return made.model.predict(made.rows)


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    return np.asarray(values).reshape(len(values), -1).astype(str)
