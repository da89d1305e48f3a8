"""Serves a native model by a sandboxed worker: started again when it dies, killed when it hangs.

The server never opens the model. One request at a time; the data plane's threads wait their turn.
"""

import logging
import socket
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy.typing as npt

from slipway_runtime.native.frames import (
    Closed,
    Reply,
    Request,
    pack,
    receive,
    send,
    unpack,
)
from slipway_runtime.sandbox import (
    HERE,
    Enforcement,
    Interpreter,
    Sandboxed,
    SandboxPolicy,
    policy_for,
    spawn,
)
from slipway_runtime.serving.core.faults import ModelInvalid, RequestFault
from slipway_runtime.serving.core.schema import ModelSchema

TARGET = "slipway_runtime.native.worker:serve"
DEFAULT_MEMORY_BYTES = 2 << 30
_LOAD_SECONDS = 60.0
_BACK_OFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STABLE_SECONDS = 30.0  # a worker that lived this long starts the back-off anew

log = logging.getLogger("slipway.serve")

Tensors = dict[str, npt.NDArray[Any]]


class NativeSession:
    """The session port over a worker process.

    Args:
        folder: the artifact's folder.
        schema: the model.
        unpickle: `spec.model.unpickle`.
        timeout_seconds: a request that takes longer kills the worker.
        memory_bytes: the worker's limit.
        interpreter: the Python of the model's training environment.

    Raises:
        ModelInvalid: the worker cannot open the model.
    """

    def __init__(
        self,
        folder: Path,
        *,
        schema: ModelSchema,
        unpickle: str,
        timeout_seconds: float,
        memory_bytes: int | None,
        interpreter: Interpreter = HERE,
    ) -> None:
        self._interpreter = interpreter
        self._scratch = None if interpreter is HERE else TemporaryDirectory(prefix="slipway-")
        self._argument = {"folder": str(folder.resolve()), "unpickle": unpickle}
        # Some older scipy makes an empty temporary file when it is imported.
        write = () if self._scratch is None else (Path(self._scratch.name),)
        self._policy: SandboxPolicy = policy_for(
            read=(folder,),
            write=write,
            memory_bytes=memory_bytes or DEFAULT_MEMORY_BYTES,
            file_bytes=0,
        )
        self._schema = schema
        self._timeout = timeout_seconds
        self._turn = threading.Lock()
        self._channel: socket.socket | None = None
        self._child: Sandboxed | None = None
        self._number = 0
        self._wake = threading.Event()
        self._started = threading.Event()
        self._problem: str | None = None
        self._closing = threading.Event()
        self._told = False
        # one thread starts every worker: the kernel kills a worker when its starter ends
        self._keeper = threading.Thread(target=self._keep, name="model-worker", daemon=True)
        self._keeper.start()
        self._started.wait(_LOAD_SECONDS * 2)
        if self._channel is None:
            self.close()
            raise ModelInvalid(
                f'Cannot serve model "{schema.name}" natively: '
                f"{self._problem or 'its worker did not start in time'}"
            )

    def run(self, tensors: Tensors) -> list[npt.NDArray[Any]]:
        """Ask the worker.

        Raises:
            RequestFault: ModelCrashed (it died, or starts again), DeadlineExceeded (it hung, and
                was killed), InferenceFailed (the model refused the rows).
        """
        deadline = time.monotonic() + self._timeout
        if not self._turn.acquire(timeout=self._timeout):
            raise RequestFault("DeadlineExceeded", "The request waited too long for the model.")
        try:
            reply = self._ask(tensors, deadline)
            if reply.error is not None:
                raise RequestFault("InferenceFailed", reply.error[:200])
            return self._outputs_of(reply)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Kill the worker and let its keeper end."""
        self._closing.set()
        self._drop()
        self._keeper.join(2)
        if self._scratch is not None:
            self._scratch.cleanup()

    def _ask(self, tensors: Tensors, deadline: float) -> Reply:
        channel = self._channel
        if channel is None:
            raise RequestFault("ModelCrashed", "The model's process is being started again.")
        self._number += 1
        packed = tuple(pack(name, array) for name, array in tensors.items())
        try:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            send(channel, Request(number=self._number, tensors=packed))
            reply = receive(channel, Reply)
        except TimeoutError as error:
            self._drop()
            raise RequestFault(
                "DeadlineExceeded", "The model did not answer within the time limit."
            ) from error
        except Closed as error:
            self._drop()
            raise RequestFault(
                "ModelCrashed", "The model's process died while it answered; try again."
            ) from error
        if reply.number != self._number:
            self._drop()
            raise RequestFault("ModelCrashed", "The model's process answered out of turn.")
        return reply

    def _outputs_of(self, reply: Reply) -> list[npt.NDArray[Any]]:
        """What the worker says is hostile: names, types and shapes are checked."""
        names = [output.name for output in self._schema.outputs]
        try:
            outputs = [unpack(tensor) for tensor in reply.tensors]
        except ValueError as error:
            outputs, names = [], ["unreadable"]
            log.warning("the model worker sent an unreadable answer: %s", error)
        if [tensor.name for tensor in reply.tensors] != names or len(outputs) != len(names):
            self._drop()
            raise RequestFault("ModelCrashed", "The model's process gave no proper answer.")
        return outputs

    def _drop(self) -> None:
        """Kill the worker; its keeper starts another."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        if self._child is not None:
            self._child.kill()
        self._wake.set()

    def _keep(self) -> None:
        failures = 0
        while not self._closing.is_set():
            self._wake.clear()
            began = time.monotonic()
            self._problem = self._start()
            self._started.set()
            if self._problem is None:
                log.info("the model worker is ready (process %d)", self._pid)
                self._wait_for_end()
            else:
                log.error("the model worker did not start: %s", self._problem)
            if self._closing.is_set():
                return
            failures = 0 if time.monotonic() - began > _STABLE_SECONDS else failures + 1
            pause = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
            log.warning("the model worker ended; starting another in %g s", pause)
            time.sleep(pause)

    @property
    def _pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    def _start(self) -> str | None:
        """Start one worker and wait until the model is loaded; returns the problem, if any."""
        ours, theirs = socket.socketpair()
        try:
            child = spawn(
                target=TARGET,
                argument={**self._argument, "channel": theirs.fileno()},
                policy=self._policy,
                keep=(theirs.fileno(),),
                interpreter=self._interpreter,
            )
        finally:
            theirs.close()
        try:
            self._tell_missing(child.wait_until_shut_in(_LOAD_SECONDS))
            ours.settimeout(_LOAD_SECONDS)
            reply = receive(ours, Reply)
        except (RuntimeError, Closed, TimeoutError) as error:
            child.end()
            ours.close()
            return str(error) or "it did not load the model in time"
        if reply.number != 0 or reply.error is not None:
            child.end()
            ours.close()
            return reply.error or "it did not say that it is ready"
        self._child, self._channel = child, ours
        return None

    def _tell_missing(self, walls: Enforcement) -> None:
        """Say once what this machine lacks."""
        if walls.missing and not self._told:
            log.warning(
                "this machine cannot shut the model in by %s (docs/security.md)",
                ", ".join(walls.missing),
            )
        self._told = True

    def _wait_for_end(self) -> None:
        child = self._child
        assert child is not None  # noqa: S101 just started
        while child.process.poll() is None and not self._closing.is_set():
            self._wake.wait(0.1)
            self._wake.clear()
            if child.has_too_many_threads():
                log.error("the model worker started too many threads and is killed")
                child.kill()
        child.end()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
