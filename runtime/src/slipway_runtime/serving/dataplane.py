"""The data plane: admits, infers and renders, without knowing which protocol asked.

Light work runs on the event loop; work that was measured to take longer runs in a thread, so that
health checks and other requests are answered meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy.typing as npt

from slipway_runtime.serving.admission import Admission
from slipway_runtime.serving.batcher import Batcher
from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.gate import Admitted, Gate
from slipway_runtime.serving.core.schema import ModelSchema
from slipway_runtime.serving.core.session import Session
from slipway_runtime.serving.core.table import Table
from slipway_runtime.serving.metrics import Metrics
from slipway_runtime.serving.v2 import V2Codec, decode_request, select_outputs
from slipway_runtime.serving.v2_quick import QuickReader

INLINE_SECONDS = 0.002  # at most this long may one inference hold the event loop


class AskedV2(NamedTuple):
    """A V2 request: its id, the positions of the outputs it wants (None: all), its inputs."""

    id: str | None
    wanted: tuple[int, ...] | None
    admitted: Admitted


class DataPlane:
    """One model, ready to answer.

    Args:
        schema: what it takes and gives.
        gate: its contract.
        session: runs it.
        places: how many threads may run it at once.
        queue: how many requests may wait for one of them.
        max_rows: rows in one request.
        inline_rows: up to this many rows run on the event loop (0: never).
        batch_rows: up to this many rows of different requests run together (0: never).
    """

    def __init__(
        self,
        *,
        schema: ModelSchema,
        gate: Gate,
        session: Session,
        metrics: Metrics,
        places: int,
        queue: int,
        max_rows: int,
        inline_rows: int,
        batch_rows: int,
    ) -> None:
        self.schema = schema
        self.max_rows = max_rows
        self.metrics = metrics
        self._gate = gate
        self._session = session
        self._codec = V2Codec(schema, gate, max_rows=max_rows)
        self._quick = QuickReader(schema, gate, max_rows=max_rows)
        self._inline_rows = inline_rows
        self._batcher = Batcher(session, metrics, max_rows=batch_rows) if batch_rows else None
        self._admission = Admission(places=places, queue=queue, metrics=metrics)
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="model")

    def read_v2(self, body: bytes, source: str) -> AskedV2:
        """Read and check a V2 request. Raises RequestFault."""
        quick = self._quick.read(body)
        if quick is not None:
            return AskedV2(quick[0], None, quick[1])
        request = decode_request(body)
        wanted = select_outputs(request, self.schema)
        return AskedV2(request.id, wanted, self._watch(self._codec.admit, request, source))

    def admit_table(self, table: Table, source: str) -> Admitted:
        """Check rows. Raises RequestFault."""
        if not self.schema.is_table:
            raise RequestFault(
                "ShapeInvalid",
                "This model takes tensors, not rows; ask with the V2 protocol: "
                f"POST /v2/models/{self.schema.name}/infer.",
            )
        return self._watch(self._gate.admit, table, source)

    def _watch(self, admit: Any, request: Any, source: str) -> Admitted:
        """Count what the contract found, also in requests that it refuses."""
        try:
            admitted: Admitted = admit(request)
        except RequestFault as fault:
            self.metrics.observe_violations(fault.violations, source)
            raise
        if admitted.violations:
            self.metrics.observe_violations(admitted.violations, source)
        return admitted

    async def infer(
        self,
        admitted: Admitted,
        deadline: float,
        gone: Callable[[], Awaitable[None]],
        source: str,
    ) -> list[npt.NDArray[Any]]:
        """Run the model before `deadline` (the loop's time); outputs in the schema's order.

        Args:
            gone: comes back when the caller has hung up.
            source: where the request came from; the rows are counted by it.

        Raises:
            RequestFault: Overloaded, DeadlineExceeded, InferenceFailed, ModelCrashed.
            ClientGone: the caller hung up before the model was asked.
        """
        metrics = self.metrics
        if admitted.rows > self._inline_rows:
            queued = time.perf_counter()
            await self._admission.enter(deadline, gone)
            started = time.perf_counter()
            metrics.observe_stage("queue", started - queued)
            outputs = await self._run_in_thread(admitted, deadline)
        elif self._batcher is None or metrics.in_flight == 1:
            started = time.perf_counter()
            outputs = self._session.run(admitted.tensors)
        else:
            metrics.rows[source] += admitted.rows
            return await self._batcher.run(admitted.tensors, admitted.rows)
        metrics.observe_stage("inference", time.perf_counter() - started)
        metrics.rows[source] += admitted.rows
        return outputs

    async def _run_in_thread(self, admitted: Admitted, deadline: float) -> list[npt.NDArray[Any]]:
        """Run in a thread; the place is given back when the thread is done, not before."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, self._session.run, admitted.tensors)
        future.add_done_callback(self._on_done)
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise RequestFault(
                "DeadlineExceeded", "The model did not answer within the time limit."
            ) from error

    def _on_done(self, future: "asyncio.Future[Any]") -> None:
        self._admission.leave()
        if not future.cancelled():
            future.exception()  # seen: an abandoned request's failure is nobody's surprise

    def describe(self, revision: str) -> Mapping[str, Any]:
        """The model's metadata in the form of V2."""
        return {
            "name": self.schema.name,
            "versions": [revision],
            "platform": self.schema.platform,
            "inputs": [
                {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)}
                for each in self.schema.inputs
            ],
            "outputs": [
                {"name": each.name, "datatype": each.datatype, "shape": list(each.shape)}
                for each in self.schema.outputs
            ],
        }

    def close(self) -> None:
        """Let the threads and a model worker end."""
        self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
