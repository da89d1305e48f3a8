"""Runs an ONNX model on tables: feeds, answers, latency.

The same feeding as the server's: one tensor an input, text as objects with '' for missing.
"""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import Datatype, InputTensor
from slipway_runtime.contract_of.reading import Table

Feeds = dict[str, NDArray[Any]]

_NUMPY_TYPES = {
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BOOL": np.bool_,
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
}  # fmt: skip
_ORT_TYPES: dict[str, Datatype] = {
    "tensor(float16)": "FP16", "tensor(float)": "FP32", "tensor(double)": "FP64",
    "tensor(bool)": "BOOL", "tensor(int8)": "INT8", "tensor(int16)": "INT16",
    "tensor(int32)": "INT32", "tensor(int64)": "INT64", "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16", "tensor(uint32)": "UINT32", "tensor(uint64)": "UINT64",
    "tensor(string)": "BYTES",
}  # fmt: skip
LATENCY_ROWS = (1, 32)
_MEASURE_SECONDS = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """An input or output of a session; -1: a dimension that varies. `datatype` None: no tensor."""

    name: str
    datatype: Datatype | None
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a session said about itself, its answers, how long a call took and what it holds.

    `memory_bytes` is what the process grew by while the session was opened and answered.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    answers: Feeds
    latency_milliseconds: dict[str, float]
    memory_bytes: int


class SessionFailed(Exception):
    """onnxruntime does not load the model or does not answer its rows."""


class SessionCrashed(SessionFailed):
    """The process of onnxruntime ended; `reason` is one of BUILD_REASONS."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Runner(Protocol):
    """Runs a model on feeds; with None it only tells its inputs and outputs.

    Raises SessionFailed.
    """

    def __call__(
        self, content: bytes, feeds: Feeds | None, *, measure: bool = False
    ) -> Answered: ...


def open_session(content: bytes) -> Any:
    """Open an onnxruntime session on one thread, quiet.

    Raises:
        Exception: onnxruntime's own, when the model does not load.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def describe_session(session: Any) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """List the session's inputs and outputs."""
    return tuple(map(_describe, session.get_inputs())), tuple(map(_describe, session.get_outputs()))


def _describe(value: Any) -> TensorInfo:
    return TensorInfo(
        name=value.name,
        datatype=_ORT_TYPES.get(value.type),
        shape=tuple(
            size if isinstance(size, int) and size > 0 else -1 for size in value.shape or ()
        ),
    )


def feeds_of(table: Table, inputs: Sequence[InputTensor]) -> Feeds:
    """Make the tensors for a table: `[rows, columns]` an input."""
    feeds: Feeds = {}
    for tensor in inputs:
        held = [tensor_values(table[column], tensor.datatype) for column in tensor.columns]
        stacked = np.column_stack(held) if len(held) > 1 else held[0]
        feeds[tensor.name] = stacked.reshape(len(stacked), *tensor.shape[1:])
    return feeds


def tensor_values(values: NDArray[Any], datatype: str) -> NDArray[Any]:
    """Cast one column to the tensor's type; text takes '' for a missing value."""
    if datatype == "BYTES":
        return np.array(["" if value is None else str(value) for value in values], dtype=object)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(_NUMPY_TYPES[datatype])


def run_session(content: bytes, feeds: Feeds | None, *, measure: bool = False) -> Answered:
    """The runner of this process: a model that crashes onnxruntime ends it (see `apart`).

    Opens the model, answers all rows at once, and times calls of 1 and 32 rows where asked.

    Raises:
        SessionFailed: onnxruntime refused the model or a row.
    """
    before = _resident_bytes()
    try:
        session = open_session(content)
        inputs, outputs = describe_session(session)
        answers, latency = {}, {}
        if feeds is not None:
            told = session.run(None, feeds)
            answers = dict(zip((output.name for output in outputs), told, strict=True))
        if feeds is not None and measure:
            latency = {str(rows): _measure(session, _resize(feeds, rows)) for rows in LATENCY_ROWS}
    except Exception as error:  # an edge: onnxruntime raises its own kinds from native code
        raise SessionFailed(" ".join(str(error).split())[:400] or type(error).__name__) from error
    return Answered(
        inputs=inputs,
        outputs=outputs,
        answers=answers,
        latency_milliseconds=latency,
        memory_bytes=max(0, _resident_bytes() - before),
    )


def _resident_bytes() -> int:
    """Bytes of this process in memory; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            return int(told.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _resize(feeds: Feeds, rows: int) -> Feeds:
    """Repeat or cut to this many rows."""
    return {name: values[np.arange(rows) % len(values)] for name, values in feeds.items()}


def _measure(session: Any, feeds: Feeds) -> float:
    """Median milliseconds of one call."""
    session.run(None, feeds)
    taken: list[float] = []
    end = time.perf_counter() + _MEASURE_SECONDS
    while len(taken) < 5 or (time.perf_counter() < end and len(taken) < 1000):
        start = time.perf_counter()
        session.run(None, feeds)
        taken.append(time.perf_counter() - start)
    return round(float(np.median(taken)) * 1000, 4)
