"""Small requests that arrive together run together: one call, one hand-over of the GIL.

Nothing ever waits for company: a batch is what one turn of the event loop found. It is used only
for a model that was seen to answer every row alike alone and in company.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.session import Session, Tensors
from slipway_runtime.serving.metrics import Metrics

MAX_ROWS = 16  # of one batch; `is_row_by_row` tries every size up to it
# a hundredth of the proof's default tolerance
_RELATIVE = 1e-5
_ABSOLUTE = 1e-6

Outputs = list[npt.NDArray[Any]]


class _Entry(NamedTuple):
    tensors: Tensors
    rows: int
    asked: float
    answer: "asyncio.Future[Outputs]"


class Batcher:
    """Collects what is asked in one turn of the event loop.

    Args:
        session: the model.
        metrics: where the time is counted.
        max_rows: how many rows may run together.
    """

    def __init__(self, session: Session, metrics: Metrics, *, max_rows: int) -> None:
        self._session = session
        self._metrics = metrics
        self._max_rows = max_rows
        self._pending: list[_Entry] = []

    def run(self, tensors: Tensors, rows: int) -> "asyncio.Future[Outputs]":
        """The outputs of these rows. The future fails with the session's RequestFault."""
        loop = asyncio.get_running_loop()
        if not self._pending:
            loop.call_soon(self._flush)
        answer = loop.create_future()
        self._pending.append(_Entry(tensors, rows, time.perf_counter(), answer))
        return answer

    def _flush(self) -> None:
        """Run what is pending; an entry whose caller has gone is left out."""
        entries = [entry for entry in self._pending if not entry.answer.done()]
        self._pending.clear()
        while entries:
            rows, count = 0, 0
            for entry in entries:
                rows += entry.rows
                if count and rows > self._max_rows:
                    break
                count += 1
            self._run(entries[:count])
            del entries[:count]

    def _run(self, entries: list[_Entry]) -> None:
        started = time.perf_counter()
        try:
            outputs = self._session.run(_merge(entries))
        except RequestFault as fault:
            if len(entries) == 1:
                entries[0].answer.set_exception(fault)
                return
            for entry in entries:  # one may have spoiled it for all
                self._run([entry])
            return
        seconds = time.perf_counter() - started
        start = 0
        waited = 0.0
        for entry in entries:
            stop = start + entry.rows
            entry.answer.set_result([output[start:stop] for output in outputs])
            start = stop
            waited += started - entry.asked
        count = len(entries)
        self._metrics.observe_stage("queue", waited, count)
        self._metrics.observe_stage("inference", seconds * count, count)


def _merge(entries: list[_Entry]) -> Tensors:
    first = entries[0].tensors
    if len(entries) == 1:
        return first
    return {name: np.concatenate([entry.tensors[name] for entry in entries]) for name in first}


def is_row_by_row(session: Session, rows: Sequence[Tensors], *, max_rows: int) -> bool:
    """Whether each of `rows` (one row each) is answered alike alone and among others.

    Tried for every size of a batch from 2 to `max_rows`. Labels must be the same; numbers may
    differ in their last bits, since another size takes another path through a matrix product. A
    model that refuses larger batches, or looks at other rows, is never run in company.
    """
    if not rows or max_rows < 2:
        return False
    alone = [session.run(tensors) for tensors in rows]
    if not all(np.shape(output)[:1] == (1,) for outputs in alone for output in outputs):
        return False
    for size in range(2, max_rows + 1):
        chosen = [at % len(rows) for at in range(size, 2 * size)]
        merged = {name: np.concatenate([rows[at][name] for at in chosen]) for name in rows[0]}
        try:
            together = session.run(merged)
        except RequestFault:
            return False
        for position, output in enumerate(together):
            expected = np.concatenate([alone[at][position] for at in chosen])
            if not _is_alike(output, expected):
                return False
    return True


def _is_alike(output: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    if output.shape != expected.shape or output.dtype != expected.dtype:
        return False
    if output.dtype.kind != "f":
        return np.array_equal(output, expected)
    return np.allclose(output, expected, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
