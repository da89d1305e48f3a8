"""The Open Inference Protocol V2 as JSON: a request's bytes to checked tensors, outputs to bytes.

Protocol only: knows nothing of HTTP. Row-major data, flat or nested; `id` is echoed by the caller.
"""

import math
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from slipway_runtime.serving.core import datatypes
from slipway_runtime.serving.core.faults import RequestFault, Violation
from slipway_runtime.serving.core.gate import Admitted, Gate
from slipway_runtime.serving.core.schema import ModelSchema, TensorSpec
from slipway_runtime.serving.core.table import Table, check_count

Parameters = dict[str, str | int | float | bool | None]
_MAX_RANK = 8


class InferInput(msgspec.Struct, kw_only=True):
    """One tensor of a request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: Parameters | None = None


class InferOutput(msgspec.Struct, kw_only=True):
    """One output that the caller asks for."""

    name: str
    parameters: Parameters | None = None


class InferRequest(msgspec.Struct, kw_only=True):
    """The body of `POST /v2/models/NAME/infer`."""

    inputs: list[InferInput]
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[InferOutput] | None = None


_decoder = msgspec.json.Decoder(InferRequest)


def decode_request(body: bytes) -> InferRequest:
    """Parse a request.

    Raises:
        RequestFault: BodyUnreadable.
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestFault(
            "BodyUnreadable", f"The body is no inference request: {error}."
        ) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RequestFault("BodyUnreadable", f"The body is not JSON: {error}.") from error


def select_outputs(request: InferRequest, schema: ModelSchema) -> tuple[int, ...] | None:
    """Which outputs the caller wants, as positions; None for all.

    Raises:
        RequestFault: an output that the model does not have.
    """
    if not request.outputs:
        return None
    names = [output.name for output in schema.outputs]
    wanted = []
    for output in request.outputs:
        if output.name not in names:
            raise RequestFault(
                "ShapeInvalid",
                f'The model has no output "{output.name[:64]}"; it has {", ".join(names)}.',
            )
        wanted.append(names.index(output.name))
    return tuple(wanted)


class V2Codec:
    """Turns requests for one model into checked tensors.

    Args:
        schema: the model.
        gate: its contract.
        max_rows: how many rows one request may hold.
    """

    def __init__(self, schema: ModelSchema, gate: Gate, *, max_rows: int) -> None:
        self._schema = schema
        self._gate = gate
        self._max_rows = max_rows
        self._inputs = {tensor.name: tensor for tensor in schema.inputs}
        only = schema.inputs[0]
        self._matrix = (
            only
            if len(schema.inputs) == 1
            and len(only.columns) > 1
            and only.datatype in datatypes.NUMBERS
            else None
        )
        self._matrix_types = (
            {int, float, type(None)} if only.datatype in datatypes.FLOATS else {int}
        )
        self._canonical = (
            np.dtype(np.float64)
            if only.datatype in datatypes.FLOATS
            else datatypes.NUMPY[only.datatype]
        )

    def admit(self, request: InferRequest) -> Admitted:
        """Check shapes, datatypes, rows and the contract.

        Raises:
            RequestFault: ShapeInvalid, TooManyRows, ContractViolated.
        """
        inputs = request.inputs
        if self._matrix is not None and len(inputs) == 1 and inputs[0].name == self._matrix.name:
            matrix = self._read_matrix(inputs[0], self._matrix)
            if matrix is not None:
                return self._gate.admit_matrix(matrix)
        if not self._schema.is_table:
            return self._admit_tensors(inputs)
        return self._gate.admit(self._read_table(inputs))

    def _read_matrix(self, given: InferInput, tensor: TensorSpec) -> npt.NDArray[Any] | None:
        """The only input as a matrix of plain numbers; None when some value is none."""
        rows, flat = self._flatten(given, tensor)
        if not self._matrix_types.issuperset(map(type, flat)):
            return None
        try:
            return np.array(flat, dtype=self._canonical).reshape(rows, len(tensor.columns))
        except OverflowError:
            return None

    def _read_table(self, inputs: list[InferInput]) -> Table:
        columns: dict[str, Any] = {}
        count = -1
        for given in inputs:
            tensor = self._inputs.get(given.name)
            if given.name in columns:
                raise RequestFault("ShapeInvalid", f'Input "{given.name[:64]}" is given twice.')
            if tensor is None:  # an extra column, for the contract to judge
                columns[given.name] = given.data
                continue
            rows, flat = self._flatten(given, tensor)
            if count >= 0 and rows != count:
                raise RequestFault(
                    "ShapeInvalid",
                    f'Input "{given.name}" has {rows} rows, the inputs before it have {count}; '
                    "the first number of every shape must be the same.",
                )
            count = rows
            width = len(tensor.columns)
            if width == 1:
                columns[tensor.columns[0]] = flat
            else:
                for at, name in enumerate(tensor.columns):
                    columns[name] = flat[at::width]
        if count < 0:
            raise RequestFault(
                "ShapeInvalid",
                f"None of the model's inputs is given; it takes {', '.join(self._inputs)}.",
            )
        return Table(count=count, columns=columns)

    def _admit_tensors(self, inputs: list[InferInput]) -> Admitted:
        """Inputs that are no table: datatype and shape are all that can be checked."""
        given = {each.name: each for each in inputs}
        if given.keys() != self._inputs.keys() or len(given) != len(inputs):
            raise RequestFault(
                "ShapeInvalid", f"The model takes exactly these inputs: {', '.join(self._inputs)}."
            )
        tensors = {}
        rows = 1
        for name, tensor in self._inputs.items():
            rows, flat = self._flatten(given[name], tensor)
            tensors[name] = _plain_array(flat, given[name], tensor)
        return Admitted(tensors, rows)

    def _flatten(self, given: InferInput, tensor: TensorSpec) -> tuple[int, list[Any]]:
        """Check datatype, shape and length; returns the number of rows and the flat values."""
        if given.datatype != tensor.datatype and not _is_compatible(
            given.datatype, tensor.datatype
        ):
            raise RequestFault(
                "ShapeInvalid",
                f'Input "{tensor.name}" has datatype {given.datatype[:16]}, the model takes '
                f"{tensor.datatype}.",
            )
        shape = given.shape
        if not _fits(shape, tensor):
            raise RequestFault(
                "ShapeInvalid",
                f'Input "{tensor.name}" has shape {shape[:_MAX_RANK]}, the model takes '
                f"{list(tensor.shape)} (-1: any).",
            )
        check_count(shape[0] if shape else 0, self._max_rows)
        flat = given.data
        depth = 0
        while flat and type(flat[0]) is list:
            depth += 1
            if depth >= len(shape) or set(map(type, flat)) != {list}:
                raise RequestFault(
                    "ShapeInvalid",
                    f'The data of input "{tensor.name}" is nested unevenly or too deep for its '
                    "shape.",
                )
            flat = list(chain.from_iterable(flat))
        if len(flat) != math.prod(shape):
            raise RequestFault(
                "ShapeInvalid",
                f'Input "{tensor.name}" has {len(flat)} values, its shape {shape[:_MAX_RANK]} '
                f"needs {math.prod(shape)}.",
            )
        return shape[0], flat


def _is_compatible(given: str, wanted: str) -> bool:
    """Any number may stand for a number: the gate checks that its value fits."""
    return given in datatypes.NUMBERS and wanted in datatypes.NUMBERS


def _fits(shape: list[int], tensor: TensorSpec) -> bool:
    if len(shape) == 1 and len(tensor.columns) == 1:
        return shape[0] >= 0  # a column may come as [n] for [-1, 1]
    return len(shape) == len(tensor.shape) and all(
        size >= 0 and wanted in (-1, size) for size, wanted in zip(shape, tensor.shape, strict=True)
    )


def _plain_array(flat: list[Any], given: InferInput, tensor: TensorSpec) -> npt.NDArray[Any]:
    kinds: dict[str, set[type]] = {"BYTES": {str}, "BOOL": {bool}}
    allowed = kinds.get(
        tensor.datatype, {int, float} if tensor.datatype in datatypes.FLOATS else {int}
    )
    if not allowed.issuperset(map(type, flat)):
        raise RequestFault(
            "ShapeInvalid", f'Input "{tensor.name}" has a value that is no {tensor.datatype}.'
        )
    try:
        array = np.array(flat, dtype=datatypes.NUMPY[tensor.datatype])
    except OverflowError as error:
        raise RequestFault(
            "ShapeInvalid", f'Input "{tensor.name}" has a value too large for {tensor.datatype}.'
        ) from error
    if tensor.datatype in datatypes.FLOATS and not np.isfinite(array).all():
        raise RequestFault(
            "ShapeInvalid", f'Input "{tensor.name}" has a value too large for {tensor.datatype}.'
        )
    return array.reshape(given.shape)


def render_outputs(
    outputs: list[npt.NDArray[Any]], specs: tuple[TensorSpec, ...], wanted: tuple[int, ...] | None
) -> list[dict[str, Any]]:
    """The `outputs` of an answer, for orjson with numpy support."""
    positions = range(len(specs)) if wanted is None else wanted
    return [_render_output(outputs[at], specs[at]) for at in positions]


def _render_output(array: npt.NDArray[Any], spec: TensorSpec) -> dict[str, Any]:
    data: Any = array.ravel()
    if data.dtype.kind in "OSU":
        data = [
            item.decode("utf-8", "replace") if isinstance(item, bytes) else item
            for item in data.tolist()
        ]
    return {"name": spec.name, "datatype": spec.datatype, "shape": array.shape, "data": data}


def render_violations(violations: tuple[Violation, ...]) -> list[dict[str, Any]]:
    """Violations as JSON values."""
    return [violation.to_json() for violation in violations]
