"""The latest answers of one serving process, for whoever compares two revisions.

Nothing is kept unless somebody asks: the first `read` begins, and half a minute after the last one
it ends and all is forgotten. What is kept is bounded in number, in size and in the size of each.
"""

import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from threading import Lock
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import orjson

from slipway_runtime.contract import SOURCE_MIRROR, SOURCE_ROUTE
from slipway_runtime.serving.core.gate import Tensors
from slipway_runtime.serving.core.schema import ModelSchema, TensorSpec

SECONDS = 30.0  # it goes on for so long after the last reading
MOST_ANSWERS = 4096
MOST_BYTES = 4 << 20  # of all that is kept
MOST_BYTES_READ = 1 << 20  # of one reading
MOST_BYTES_ANSWER = 16 << 10
MOST_ROWS = 16
MOST_COLUMNS = 64  # of the inputs, and values of a row of an output
MOST_TEXT = 64  # characters of a value
# rows of the inputs and of the outputs: of an answer that is too large fewer are kept
_ATTEMPTS = ((MOST_ROWS, MOST_ROWS), (4, MOST_ROWS), (1, MOST_ROWS), (0, 1))
_HASHES = 1 << 32
_GIVEN_BY_THE_GATEWAY = frozenset({SOURCE_ROUTE, SOURCE_MIRROR})
_ROOM = 256  # for what stands around the answers


class Recorder:
    """Keeps answers while somebody reads them.

    `is_on` is all that a request looks at otherwise. Written by the event loop, read by the thread
    of the metrics.

    Args:
        clock: seconds of a clock that never goes back.
        first: number of the answer before the first; it grows from one process to the next, so
            that a reader who asks a restarted process misses nothing.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, first: int | None = None
    ) -> None:
        self.is_on = False
        self._clock = clock
        self._last = time.time_ns() // 1000 if first is None else first
        self._begun = self._last
        self._kept: deque[bytes] = deque()
        self._bytes = 0
        self._limit = 0
        self._until = 0.0
        self._lock = Lock()

    def read(self, after: int, keep: float) -> bytes:
        """The answers after number `after`, as JSON; begins to keep some, or goes on.

        Args:
            keep: the share of requests to keep from now on, by a hash of the id: two processes
                keep the same ones.
        """
        with self._lock:
            if not self.is_on:
                self._begun = self._last
            self._limit = int(keep * _HASHES)
            self._until = self._clock() + SECONDS
            self.is_on = True
            oldest = self._last - len(self._kept)
            # A number from the future is another process's.
            start = max(after, self._begun) if after <= self._last else self._begun
            dropped = max(oldest - start, 0)
            room = MOST_BYTES_READ - _ROOM
            taken: list[bytes] = []
            for answer in islice(self._kept, max(start - oldest, 0), None):
                room -= len(answer) + 1
                if room < 0:
                    break
                taken.append(answer)
            end = start + dropped + len(taken)
            left = self._last - end
        return b'{"next":%d,"dropped":%d,"left":%d,"answers":[%b]}' % (
            end,
            dropped,
            left,
            b",".join(taken),
        )

    def expire(self) -> None:
        """Forget everything where nobody has asked for long."""
        if not self.is_on:
            return
        with self._lock:
            if self._clock() > self._until:
                self.is_on = False
                self._kept.clear()
                self._bytes = 0

    def record(
        self,
        request_id: str,
        source: str,
        schema: ModelSchema,
        *,
        inputs: Tensors,
        outputs: list[npt.NDArray[Any]],
        rows: int,
    ) -> None:
        """Keep an answer; `inputs` as the model got them, `rows` of the request."""
        if not self._is_wanted(request_id, source):
            return
        for told, answered in _ATTEMPTS:
            document = {
                "id": request_id,
                "source": source,
                "code": 200,
                "rows": rows,
                "inputs": _render_inputs(schema.inputs, inputs, told),
                "outputs": {
                    spec.name: _render_output(spec, output, answered)
                    for spec, output in zip(schema.outputs, outputs, strict=True)
                },
            }
            answer = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
            if len(answer) <= MOST_BYTES_ANSWER:
                self._keep(answer)
                return
        self._keep(_render_bare(request_id, source, 200, rows))

    def record_failure(self, request_id: str, source: str, code: int) -> None:
        """Keep that a request was refused or failed."""
        if self._is_wanted(request_id, source):
            self._keep(_render_bare(request_id, source, code, 0))

    def _is_wanted(self, request_id: str, source: str) -> bool:
        return source in _GIVEN_BY_THE_GATEWAY and crc32(request_id.encode()) < self._limit

    def _keep(self, answer: bytes) -> None:
        with self._lock:
            if not self.is_on:
                return
            self._kept.append(answer)
            self._bytes += len(answer)
            self._last += 1
            while len(self._kept) > MOST_ANSWERS or self._bytes > MOST_BYTES:
                self._bytes -= len(self._kept.popleft())


def _render_bare(request_id: str, source: str, code: int, rows: int) -> bytes:
    return orjson.dumps({"id": request_id, "source": source, "code": code, "rows": rows})


def _render_inputs(
    specs: tuple[TensorSpec, ...], tensors: Tensors, most_rows: int
) -> dict[str, Any]:
    """The first columns of a table; other tensors are not told."""
    found: dict[str, Any] = {}
    for spec in specs if most_rows else ():
        array = tensors[spec.name]
        for at, name in enumerate(spec.columns[: MOST_COLUMNS - len(found)]):
            values = array[:most_rows, at] if array.ndim > 1 else array[:most_rows]
            found[name[:MOST_TEXT]] = _render(values)
    return found


def _render_output(spec: TensorSpec, array: npt.NDArray[Any], most_rows: int) -> Any:
    """The first values of the first rows. A class is text, so that it is no number that may differ
    a little."""
    rows = array[:most_rows] if array.ndim else array.reshape(1)
    if rows.ndim > 1:
        rows = rows.reshape(len(rows), -1)[:, :MOST_COLUMNS]
        rows = rows[:, 0] if rows.shape[1] == 1 else rows
    if spec.role == "Label" and rows.dtype.kind in "biuf":
        texts = [_name_class(value) for value in rows.ravel().tolist()]
        rows = np.array(texts, dtype=object).reshape(rows.shape)
    return _render(rows)


def _render(array: npt.NDArray[Any]) -> Any:
    if array.dtype.kind not in "OSU":
        return np.ascontiguousarray(array)
    if array.ndim > 1:
        return [_render(row) for row in array]
    return [_cut(value) for value in array.tolist()]


def _cut(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value[:MOST_TEXT] if isinstance(value, str) else value


def _name_class(value: Any) -> str:
    """1 and 1.0 are the same class."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
