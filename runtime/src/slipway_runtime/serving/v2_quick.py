"""The quick way of a small, plainly clean V2 request: from bytes to tensors with little Python.

It only ever says "clean"; whatever it does not accept is read again by `v2` and judged there, so a
request that it accepts gives the same tensors on both ways.
"""

import msgspec
import numpy as np

from slipway_runtime.serving.core import datatypes
from slipway_runtime.serving.core.gate import Admitted, Gate
from slipway_runtime.serving.core.schema import ModelSchema

_VALUES = 64  # beyond this many values numpy compares faster than Python does


class _Input(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: tuple[int, int]
    datatype: str
    data: list[float]


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: tuple[_Input]
    id: str | None = None


class QuickReader:
    """Reads requests for a model whose only input is a matrix of floats.

    Args:
        schema: the model.
        gate: its contract, for the bounds of each column.
        max_rows: how many rows one request may hold.
    """

    def __init__(self, schema: ModelSchema, gate: Gate, *, max_rows: int) -> None:
        only = schema.inputs[0]
        bounds = gate.matrix_bounds
        self._fits = (
            bounds is not None
            and only.datatype in datatypes.FLOATS
            and only.shape == (-1, len(only.columns))
        )
        self._max_rows = max_rows
        self._name = only.name
        self._dtype = datatypes.NUMPY[only.datatype]
        self._width = len(only.columns)
        self._bounds = (bounds or ()) * (_VALUES // max(1, self._width))
        self._decode = msgspec.json.Decoder(_Request).decode

    def read(self, body: bytes) -> tuple[str | None, Admitted] | None:
        """The request's id and its tensors; None where the request must be looked at closer."""
        if not self._fits:
            return None
        try:
            request = self._decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        given = request.inputs[0]
        rows, width = given.shape
        data = given.data
        if (
            given.name != self._name
            or given.datatype not in datatypes.NUMBERS
            or width != self._width
            or not 0 < rows <= self._max_rows
            or not len(data) == rows * width <= len(self._bounds)
        ):
            return None
        for value, (low, high) in zip(data, self._bounds, strict=False):
            if not low <= value <= high:
                return None
        matrix = np.array(data, self._dtype).reshape(rows, width)
        return request.id, Admitted({self._name: matrix}, rows)
