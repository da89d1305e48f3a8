"""Keeps a process beside the build that runs ONNX models, and replaces it when a model ends it.

Called by `steps.convert`, from outside both sandboxes: only here is it known which signal it was.
"""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from slipway_runtime.sandbox import Sandboxed, SandboxExit, SandboxPolicy, explain_exit, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slipway_runtime.convert.apart import Told

_MOST_CRASHES = 12  # more than any build has attempts


@contextmanager
def keep_runner(policy: SandboxPolicy, *, wall_seconds: float) -> Iterator[socket.socket]:
    """Start the process; what is given is the end of the channel for the one who asks.

    Args:
        policy: the walls and limits of the process.
        wall_seconds: for all of the build; one model gets a quarter of it.
    """
    asking, answering = socket.socketpair()
    keeper = _Keeper(answering, policy, wall_seconds)
    keeper.start()
    try:
        yield asking
    finally:
        asking.close()
        keeper.stop()


class _Keeper(threading.Thread):
    """Spawns and waits in one thread: the kernel ends the child with the thread that made it."""

    def __init__(self, channel: socket.socket, policy: SandboxPolicy, wall_seconds: float) -> None:
        super().__init__(name="slipway-onnx-runner", daemon=True)
        self._channel, self._policy, self._wall_seconds = channel, policy, wall_seconds
        self._child: Sandboxed | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        with self._channel:
            for _ in range(_MOST_CRASHES):
                ended = self._run_once()
                if ended is None or self._stopped.is_set():
                    return
                self._tell(self._explain(ended))

    def stop(self) -> None:
        """End the process, if it is still there, and wait for the thread."""
        self._stopped.set()
        if self._child is not None:
            self._child.kill()
        self.join()

    def _run_once(self) -> SandboxExit | None:
        """How the process ended; None when it was told to, or could not be started."""
        number = self._channel.fileno()
        argument = {"channel": number, "seconds": self._seconds()}
        child = spawn(
            target="slipway_runtime.convert.apart:serve",
            argument=argument,
            policy=self._policy,
            keep=(number,),
        )
        self._child = child
        if self._stopped.is_set():
            child.kill()
        try:
            enforcement = child.wait_until_shut_in()
        except RuntimeError:  # killed before, or its own log tells
            return None
        ended = child.wait(enforcement=enforcement, wall_seconds=self._wall_seconds)
        return None if ended.finished and ended.problem is None else ended

    def _seconds(self) -> int:
        return max(10, int(self._wall_seconds / 4))

    def _tell(self, told: "Told") -> None:
        from slipway_runtime.native.frames import Closed, send  # numpy, for a crash alone

        with suppress(Closed):
            send(self._channel, told)

    def _explain(self, ended: SandboxExit) -> "Told":
        from slipway_runtime.convert.apart import Told

        if -ended.code == signal.SIGALRM:
            words = f"onnxruntime took longer than {self._seconds()} s for one model"
            return Told(crash="DeadlineExceeded", failure=words)
        error = explain_exit(
            ended, policy=self._policy, wall_seconds=self._wall_seconds, doing="onnxruntime"
        )
        reason = "ModelRejected" if error is None else error.reason
        words = "its process ended" if error is None else error.message.rstrip(".")
        if reason == "ModelRejected" and ended.code < 0:
            words = f"onnxruntime crashed: RuntimeCrash(signal {-ended.code})"
        return Told(crash=reason, failure=words)
