"""Builds a model that came as ONNX: nothing to convert, much to check.

The graph is validated, its inputs are laid out as columns, it is run on rows, and what its outputs
are is told from what they hold. A final ZipMap (skl2onnx's default) is taken off: it makes lists of
maps that no protocol can carry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slipway_runtime.artifact.manifest import (
    Contract,
    Files,
    Golden,
    InputTensor,
    Kind,
    Measured,
    ModelFacts,
    Parity,
    Role,
    Signature,
    Task,
)
from slipway_runtime.contract_of.read import merge_samples
from slipway_runtime.contract_of.reading import ColumnReading, ModelReading, Table, row_count, take
from slipway_runtime.contract_of.samples import align_samples, read_samples
from slipway_runtime.convert.built import (
    NO_DIGEST,
    Built,
    choose_golden,
    describe_outputs,
    golden_outputs,
    golden_rows,
    list_versions,
)
from slipway_runtime.convert.graph import drop_zipmaps, graph_problem, to_bytes
from slipway_runtime.convert.original import Output
from slipway_runtime.convert.session import (
    Feeds,
    Runner,
    SessionCrashed,
    SessionFailed,
    TensorInfo,
    feeds_of,
)
from slipway_runtime.errors import BuildError
from slipway_runtime.monitors.baseline import make_baseline
from slipway_runtime.parity.probes import make_probes

MAX_ROWS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The rows that the model was run on, and whether they are samples."""

    table: Table
    samples: bool


def build_onnx(model_file: Path, samples_file: Path | None, *, run: Runner) -> Built:
    """Check an ONNX file and make it ready to serve.

    Raises:
        BuildError: `ModelRejected`, `ConversionUnsupported`, `SamplesInvalid`; `OutOfMemory` and
            `DeadlineExceeded`, when onnxruntime ended so.
    """
    import onnx

    name = model_file.name
    model = onnx.load_model_from_string(model_file.read_bytes())
    problem = graph_problem(model)
    if problem is not None:
        raise _rejected(name, problem, "export it again")
    classes = drop_zipmaps(model)
    content = to_bytes(model) if classes is not None else model_file.read_bytes()
    inputs = _describe(name, content, run)
    tensors = tuple(_input_tensor(name, tensor) for tensor in inputs)
    reading = _read_columns(inputs, tensors)
    rows = _gather(reading, samples_file)
    reading = merge_samples(reading, rows.table) if rows.samples else reading
    feeds = _feeds(rows, tensors, inputs)
    try:
        answered = run(content, feeds, measure=True)
    except SessionFailed as error:
        raise _unrunnable(name, "run", error) from error
    outputs = _read_outputs(answered.answers, classes or _classes_of(model))
    reading = _confirm_missing(reading, content, rows.table, tensors, run)
    columns = tuple(column.to_column() for column in reading.columns)
    chosen = choose_golden(rows.table, answered.answers, row_count(rows.table))
    described = describe_outputs(answered.answers, outputs)
    return Built(
        model=ModelFacts(
            uri="",
            digest=NO_DIGEST,
            format="ONNX",
            estimator=f"ONNX({model.producer_name or 'graph'})",
            task=_task_of(outputs),
            training_versions={model.producer_name: model.producer_version}
            if model.producer_name and model.producer_version
            else {},
        ),
        runtime="ONNX",
        fallback=None,
        files=Files(model="model.onnx", loader="onnx"),
        content=content,
        opset={item.domain: item.version for item in model.opset_import},
        signature=Signature(inputs=tensors, outputs=described),
        contract=Contract(columns=columns),
        parity=Parity(verdict="NotNeeded"),
        baseline=make_baseline(
            rows=rows.table, columns=columns, answers=answered.answers, outputs=described
        )
        if rows.samples
        else None,
        golden=Golden(
            source="Samples" if rows.samples else "Signature",
            rows=golden_rows(rows.table, chosen),
            outputs=golden_outputs(answered.answers, chosen),
        ),
        measured=Measured(
            latency_milliseconds=answered.latency_milliseconds,
            peak_memory_bytes=answered.memory_bytes,
        ),
        converters=list_versions("onnx", "onnxruntime"),
    )


def _describe(name: str, content: bytes, run: Runner) -> tuple[TensorInfo, ...]:
    """The inputs; that all outputs are tensors as well is made sure of."""
    try:
        described = run(content, None)
    except SessionFailed as error:
        raise _unrunnable(name, "load", error) from error
    inputs, outputs = described.inputs, described.outputs
    for what, tensors in (("input", inputs), ("output", outputs)):
        for tensor in tensors:
            if tensor.datatype is None:
                raise _rejected(
                    name, f'{what} "{tensor.name}" is no tensor', "export it with tensors only"
                )
    return inputs


def _input_tensor(name: str, tensor: TensorInfo) -> InputTensor:
    """Lay an input out as columns; one with more than two dimensions has none."""
    shape = tensor.shape
    if not shape or shape[0] != -1:
        raise _rejected(
            name,
            f'input "{tensor.name}" has a fixed number of rows ({list(shape)})',
            "export it with a first dimension that varies (dynamic batch)",
        )
    if any(size == -1 for size in shape[1:]):
        raise BuildError(
            "ConversionUnsupported",
            f'Reading model "{name}" failed: input "{tensor.name}" has shape {list(shape)}, so its '
            "columns cannot be told; export it with all dimensions but the first fixed.",
        )
    width = shape[1] if len(shape) == 2 else 1
    columns: tuple[str, ...] = (tensor.name,)
    if len(shape) > 2:
        columns = ()
    elif width > 1:
        columns = tuple(f"x{index}" for index in range(width))
    return InputTensor(
        name=tensor.name,
        datatype=tensor.datatype,  # type: ignore[arg-type]
        shape=shape,
        columns=columns,
    )


def _read_columns(inputs: tuple[TensorInfo, ...], tensors: tuple[InputTensor, ...]) -> ModelReading:
    """One reading a column; two wide inputs get their own names in front."""
    wide = sum(len(tensor.columns) > 1 for tensor in tensors)
    if wide > 1:
        raise BuildError(
            "ConversionUnsupported",
            f"The ONNX model has {wide} inputs of several columns "
            f"({', '.join(tensor.name for tensor in inputs)}); join them into one matrix, or give "
            "each column an input of its own.",
        )
    columns = tuple(
        ColumnReading(name=column, kind=_kind_of(tensor.datatype))
        for tensor in tensors
        for column in tensor.columns
    )
    return ModelReading(feeding="Matrix", columns=columns, named=wide == 0)


def _kind_of(datatype: str) -> Kind:
    if datatype == "BYTES":
        return "Categorical"
    return "Boolean" if datatype == "BOOL" else "Numerical"


def _gather(reading: ModelReading, samples_file: Path | None) -> _Rows:
    if samples_file is None or not reading.columns:
        return _Rows(table=make_probes(reading) if reading.columns else {}, samples=False)
    samples = align_samples(read_samples(samples_file), reading, samples_file)
    return _Rows(table=take(samples, slice(0, MAX_ROWS)), samples=True)


def _feeds(rows: _Rows, tensors: tuple[InputTensor, ...], inputs: tuple[TensorInfo, ...]) -> Feeds:
    """The rows as tensors; an input without columns gets a plain ramp, to see that it runs."""
    flat = tuple(tensor for tensor in tensors if tensor.columns)
    feeds = feeds_of(rows.table, flat) if flat else {}
    total = row_count(rows.table) or 4
    for tensor in inputs:
        if tensor.name not in feeds:
            shape = (total, *tensor.shape[1:])
            ramp = np.linspace(0.0, 1.0, int(np.prod(shape))).reshape(shape)
            kind = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "UINT8": np.uint8}
            feeds[tensor.name] = ramp.astype(kind.get(str(tensor.datatype), np.float32))
    return feeds


def _confirm_missing(
    reading: ModelReading,
    content: bytes,
    table: Table,
    tensors: tuple[InputTensor, ...],
    run: Runner,
) -> ModelReading:
    """A missing number is allowed where a row with a hole still gets numbers for an answer."""
    datatypes = {column: tensor.datatype for tensor in tensors for column in tensor.columns}
    floats = [c for c in reading.columns if datatypes[c.name] in ("FP16", "FP32", "FP64")]
    if not floats or not row_count(table):
        return reading
    rows = take(table, np.zeros(len(floats), dtype=np.intp))  # the same row, a hole in each
    for place, column in enumerate(floats):
        rows[column.name] = rows[column.name].astype(np.float64)
        rows[column.name][place] = np.nan
    try:
        answers = run(content, feeds_of(rows, tensors)).answers
    except SessionFailed:
        return reading
    taken = np.ones(len(floats), dtype=bool)
    for values in answers.values():
        if values.dtype.kind == "f" and len(values) == len(taken):
            taken &= np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    for column, allowed in zip(floats, taken.tolist(), strict=True):
        column.missing_taken = allowed
    return reading


def _read_outputs(
    answers: Mapping[str, NDArray[Any]], classes: tuple[object, ...] | None
) -> tuple[Output, ...]:
    """Tell each output's role from what it holds."""
    return tuple(
        Output(
            name=name,
            role=(role := _role_of(values)),
            classes=classes
            if role in ("Probabilities", "Scores")
            and classes is not None
            and values.shape[1:] == (len(classes),)
            else None,
        )
        for name, values in answers.items()
    )


def _role_of(values: NDArray[Any]) -> Role:
    if values.dtype.kind != "f":
        return "Label"
    if values.ndim == 2 and values.shape[1] > 1:
        inside = bool(((values >= -1e-6) & (values <= 1 + 1e-6)).all())
        if inside and bool(np.allclose(values.sum(axis=1), 1.0, atol=1e-3)):
            return "Probabilities"
        return "Scores"
    return "Value"


def _task_of(outputs: tuple[Output, ...]) -> Task:
    roles = {output.role for output in outputs}
    if roles & {"Label", "Probabilities"}:
        return "Classification"
    return "Regression" if "Value" in roles else "Transform"


def _classes_of(model: Any) -> tuple[object, ...] | None:
    """Class labels that a classifier operator of the graph carries."""
    for node in reversed(model.graph.node):
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
                if attribute.strings:
                    return tuple(value.decode("utf-8", "replace") for value in attribute.strings)
                if attribute.ints:
                    return tuple(int(value) for value in attribute.ints)
    return None


def _rejected(name: str, why: str, action: str) -> BuildError:
    return BuildError("ModelRejected", f'Checking model "{name}" failed: {why}; {action}.')


def _unrunnable(name: str, what: str, error: SessionFailed) -> BuildError:
    if isinstance(error, SessionCrashed) and error.reason != "ModelRejected":
        return BuildError(error.reason, f'Checking model "{name}" failed: {error}.')
    return _rejected(name, f"onnxruntime does not {what} it ({error})", "export it again")
