"""The original model behind the same port as an ONNX session. Opening it runs the file's code.

Only the model worker (shut in) and a Bento that somebody chose to run import this module.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from slipway_runtime.artifact.flavor import detect_flavor
from slipway_runtime.contract_of.read import read_model
from slipway_runtime.convert.load import load_model
from slipway_runtime.convert.original import open_original
from slipway_runtime.serving.core.datatypes import FLOATS, NUMPY
from slipway_runtime.serving.core.faults import ModelInvalid, RequestFault
from slipway_runtime.serving.core.schema import compile_schema

Tensors = dict[str, npt.NDArray[Any]]


class NativeModel:
    """A fitted scikit-learn model, asked as the build asked it.

    Args:
        folder: the artifact's folder.
        manifest: its manifest as JSON values.
        unpickle: whether a file that runs code may be opened.

    Raises:
        BuildError: the file cannot be opened here.
        ModelInvalid: it is not the model that the manifest tells of.
    """

    def __init__(
        self, folder: Path, manifest: Mapping[str, Any], *, unpickle: Literal["Sandboxed", "Never"]
    ) -> None:
        self._schema = compile_schema(manifest)
        path = folder / manifest["files"]["model"]
        loaded = load_model(path, detect_flavor(path), unpickle=unpickle)
        names = tuple(column.name for column in self._schema.columns)
        reading = read_model(loaded.model, names)
        if reading is None or set(reading.names) - set(names):
            raise ModelInvalid(
                f'Cannot serve model "{manifest["name"]}": it reads other columns than its '
                "manifest says."
            )
        self._original = open_original(loaded.model, reading)

    def run(self, tensors: Tensors) -> list[npt.NDArray[Any]]:
        """Ask the model; outputs in the signature's order and datatypes.

        Raises:
            RequestFault: InferenceFailed, with the kind of the model's own error.
        """
        table: dict[str, npt.NDArray[Any]] = {}
        for tensor in self._schema.inputs:
            array = tensors[tensor.name]
            matrix = array.reshape(len(array), -1)
            for at, name in enumerate(tensor.columns):
                table[name] = _canonical(matrix[:, at], tensor.datatype)
        try:
            answers = self._original.ask(table)
        except Exception as error:  # the model's own code may raise anything
            raise RequestFault(
                "InferenceFailed", f"The model refused these inputs ({type(error).__name__})."
            ) from error
        return [_typed(answers[spec.name], spec.datatype) for spec in self._schema.outputs]

    def close(self) -> None:
        """Nothing is held outside this process."""


def _canonical(column: npt.NDArray[Any], datatype: str) -> npt.NDArray[Any]:
    """float64 (NaN: missing), int64, bool, or str objects (None: missing)."""
    if datatype in FLOATS:
        return column.astype(np.float64)
    if datatype in ("BYTES", "BOOL"):
        return column
    return column.astype(np.int64)


def _typed(answer: npt.NDArray[Any], datatype: str) -> npt.NDArray[Any]:
    if datatype == "BYTES":
        return answer.astype(str).astype(object)
    return np.ascontiguousarray(answer, dtype=NUMPY[datatype])
