"""What a build of one model is, before names and digests are written into the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import (
    Contract,
    Fallback,
    Files,
    Golden,
    Measured,
    ModelFacts,
    OutputTensor,
    Parity,
    Runtime,
    Signature,
)
from slipway_runtime.contract_of.reading import Table, is_missing, plain, row_count

GOLDEN_ROWS = 16
GOLDEN_VALUES = 100_000  # of all outputs together: the manifest is read whole
NO_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """All that the manifest holds about a model. `content` None: the fetched file is served."""

    model: ModelFacts
    runtime: Runtime
    fallback: Fallback | None
    files: Files
    content: bytes | None
    opset: dict[str, int] | None
    signature: Signature
    contract: Contract
    parity: Parity
    baseline: dict[str, Any] | None
    golden: Golden
    measured: Measured
    converters: dict[str, str]


def list_versions(*packages: str) -> dict[str, str]:
    """Installed versions of these packages."""
    return {package: metadata.version(package) for package in packages}


def golden_rows(table: Table, rows: NDArray[np.intp]) -> tuple[dict[str, Any], ...]:
    """Rows of a table as JSON objects; a missing value is null."""
    return tuple(
        {
            name: None if is_missing(values[row]) else plain(values[row])
            for name, values in table.items()
        }
        for row in rows
    )


def golden_outputs(answers: Mapping[str, NDArray[Any]], rows: NDArray[np.intp]) -> dict[str, Any]:
    """Answers to these rows as JSON lists."""
    return {name: tuple(_listed(values[rows])) for name, values in answers.items()}


def choose_golden(
    table: Table, answers: Mapping[str, NDArray[Any]], limit: int
) -> NDArray[np.intp]:
    """Choose rows for warm-up, evenly over the first `limit`, with finite answers only.

    Fewer where answers are wide; none where one row alone is too much for a manifest.
    """
    total = min(limit, row_count(table))
    if total == 0:
        return np.array([], dtype=np.intp)
    width = sum(values[:1].size for values in answers.values()) + len(table)
    room = min(GOLDEN_ROWS, GOLDEN_VALUES // max(1, width))
    if room == 0:
        return np.array([], dtype=np.intp)
    usable = np.ones(total, dtype=bool)
    for values in answers.values():
        if values.dtype.kind == "f":
            usable &= np.isfinite(values[:total].reshape(total, -1)).all(axis=1)
    found = np.flatnonzero(usable)
    if not len(found):
        return found
    places = np.linspace(0, len(found) - 1, min(room, len(found))).astype(np.intp)
    chosen: NDArray[np.intp] = found[np.unique(places)]
    return chosen


def output_shape(values: NDArray[Any]) -> tuple[int, ...]:
    """The shape of an answer, rows being -1."""
    return (-1, *values.shape[1:])


def datatype_of(values: NDArray[Any]) -> Any:
    """The Open Inference Protocol's name for an array's type."""
    if values.dtype.kind in "OUS":
        return "BYTES"
    kinds = {"f": "FP", "i": "INT", "u": "UINT"}
    if values.dtype.kind == "b":
        return "BOOL"
    return f"{kinds[values.dtype.kind]}{values.dtype.itemsize * 8}"


def describe_outputs(answers: Mapping[str, NDArray[Any]], outputs: Any) -> tuple[OutputTensor, ...]:
    """The signature's outputs, from what was answered and what each output is."""
    return tuple(
        OutputTensor(
            name=output.name,
            datatype=datatype_of(answers[output.name]),
            shape=output_shape(answers[output.name]),
            role=output.role,
            classes=None
            if output.classes is None
            else tuple(plain(value) for value in output.classes),
        )
        for output in outputs
        if output.name in answers
    )


def _listed(values: NDArray[Any]) -> list[Any]:
    listed: list[Any] = values.tolist()
    return listed
