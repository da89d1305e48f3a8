"""The model behind one small port: tensors in, tensors out. Here: onnxruntime."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import datatypes
from .faults import ModelInvalid, RequestFault
from .schema import ModelSchema, TensorSpec

Tensors = dict[str, npt.NDArray[Any]]


class Session(Protocol):
    """Runs the model; outputs come in the schema's order."""

    def run(self, tensors: Tensors) -> list[npt.NDArray[Any]]:
        """Raises RequestFault when the model gives no answer."""
        ...

    def close(self) -> None:
        """Let go of what the session holds outside this process."""
        ...


class OnnxSession:
    """One onnxruntime session on the CPU.

    Args:
        path: `model.onnx`.
        schema: its inputs and outputs as the manifest tells them.
        threads: threads for one request within the model.

    Raises:
        ModelInvalid: onnxruntime cannot load the file, or its inputs and outputs are not as told.
    """

    def __init__(self, path: Path, *, schema: ModelSchema, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # a spinning thread would take the processor from the HTTP server
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises many types of its own
            raise ModelInvalid(
                f'Cannot load model "{schema.name}": onnxruntime refuses it '
                f"({type(error).__name__})."
            ) from error
        _compare("input", schema, schema.inputs, {node.name for node in session.get_inputs()})
        _compare("output", schema, schema.outputs, {node.name for node in session.get_outputs()})
        # the binding itself: what its wrapper checks on every request was checked just now
        self._run = session._sess.run
        self._options = onnxruntime.RunOptions()
        self._outputs = [output.name for output in schema.outputs]

    def run(self, tensors: Tensors) -> list[npt.NDArray[Any]]:
        """Run the model.

        Raises:
            RequestFault: InferenceFailed.
        """
        try:
            outputs: list[npt.NDArray[Any]] = self._run(self._outputs, tensors, self._options)
        except Exception as error:  # as above; its text may name files and nodes
            raise RequestFault(
                "InferenceFailed", "The model could not compute an answer for these inputs."
            ) from error
        return outputs

    def close(self) -> None:
        """Nothing is held outside this process."""


def _compare(what: str, schema: ModelSchema, told: tuple[TensorSpec, ...], found: set[str]) -> None:
    names = {tensor.name for tensor in told}
    if (what == "input" and names != found) or not names <= found:
        raise ModelInvalid(
            f'Cannot serve model "{schema.name}": its {what}s are {sorted(found)}, the manifest '
            f"says {sorted(names)}."
        )


def conform(outputs: list[npt.NDArray[Any]], specs: tuple[TensorSpec, ...]) -> None:
    """Check outputs against the schema (at start-up, not on every request).

    Raises:
        ModelInvalid: another datatype or rank.
    """
    for array, spec in zip(outputs, specs, strict=True):
        wanted = datatypes.NUMPY[spec.datatype]
        kind = "O" if np.asarray(array).dtype.kind in "OSU" else None
        if kind != "O" and np.asarray(array).dtype != wanted:
            raise ModelInvalid(
                f'Cannot serve: output "{spec.name}" is {array.dtype}, the manifest says '
                f"{spec.datatype}."
            )
