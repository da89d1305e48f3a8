"""Start a sandboxed child, watch it, and say how it ended.

`spawn` starts one and hands it over (a model worker lives long); `run_sandboxed` also waits,
with a deadline and a limit on what it may leave in its folder. What the child says is hostile.
"""

import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import msgspec

from slipway_runtime.sandbox.enter import Enforcement
from slipway_runtime.sandbox.messages import Problem, Result, Start
from slipway_runtime.sandbox.policy import Interpreter, SandboxPolicy, sandbox_environment
from slipway_runtime.sandbox.usage import MAX_THREADS, count_threads, count_written, holds_more

HERE = Interpreter()
_STATUS_BYTES = 1 << 20
_LOG_BYTES = 1 << 20
_TAIL_BYTES = 16 << 10
_TICK_SECONDS = 0.1
_START_SECONDS = 60.0
_REWRITES = 4  # temporary files may be written and deleted, but not for ever
_CONTROL = bytes(set(range(32)) - {9, 10}) + b"\x7f"


class SandboxExit(msgspec.Struct, frozen=True, kw_only=True):
    """How a sandboxed child ended.

    Attributes:
        code: the exit code; negative for a signal, as in `subprocess`.
        result: what the target returned, plain JSON; None when it did not.
        problem: the error that the child explained; its reason is not yet checked.
        stopped: why the parent killed it: `deadline`, `disk`, `threads`, or None.
        tail: the end of its output, control characters taken out.
    """

    code: int
    enforcement: Enforcement
    cpu_seconds: float
    peak_memory_bytes: int
    finished: bool
    result: Any = None
    problem: Problem | None = None
    stopped: str | None = None
    tail: str = ""


class Sandboxed:
    """A running sandboxed child."""

    def __init__(self, process: "subprocess.Popen[bytes]", status: int, log: "_LogPump") -> None:
        self.process = process
        self._status: int | None = status
        self._log = log
        self._received = b""

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    def wait_until_shut_in(self, timeout_seconds: float = _START_SECONDS) -> Enforcement:
        """Wait for the child to report its walls.

        Raises:
            RuntimeError: it ended, or said nothing in time; it is collected.
        """
        deadline = time.monotonic() + timeout_seconds
        while b"\n" not in self._received:
            if time.monotonic() > deadline or not self._receive(_TICK_SECONDS):
                self.end()
                raise RuntimeError(
                    f"Cannot start a sandboxed process: it ended before it was shut in. "
                    f"{self._log.finish()}"
                )
        line, _, self._received = self._received.partition(b"\n")
        return msgspec.json.decode(line, type=Enforcement)

    def wait(
        self,
        *,
        enforcement: Enforcement,
        wall_seconds: float,
        watch: tuple[Path, ...] = (),
        watch_bytes: int = 0,
    ) -> SandboxExit:
        """Wait for the end; kill at the deadline, or when the folders `watch` hold too much."""
        deadline = time.monotonic() + wall_seconds
        stopped: str | None = None
        try:
            while self._receive(_TICK_SECONDS):
                stopped = self._excess(deadline, watch, watch_bytes)
                if stopped is not None:
                    break
            if stopped is not None:
                self.kill()
            code, usage = self._reap(deadline)
            if code is None:
                stopped = "deadline"
                self.kill()
                code, usage = self._reap(None)
            assert code is not None  # noqa: S101  a reap without deadline ends with the child
        finally:
            self.end()
        outcome = _read_result(self._received) if stopped is None else None
        return SandboxExit(
            code=code,
            enforcement=enforcement,
            cpu_seconds=usage[0],
            peak_memory_bytes=usage[1],
            finished=outcome is not None,
            result=outcome.result if outcome else None,
            problem=outcome.error if outcome else None,
            stopped=stopped,
            tail=self._log.finish(),
        )

    def _excess(self, deadline: float, watch: tuple[Path, ...], watch_bytes: int) -> str | None:
        """What the child takes too much of now, if anything."""
        if time.monotonic() > deadline:
            return "deadline"
        if watch and holds_more(watch, watch_bytes):
            return "disk"
        if self.has_too_many_threads():
            return "threads"
        if watch and count_written(self.pid) > watch_bytes * _REWRITES:
            return "disk"
        return None

    def has_too_many_threads(self) -> bool:
        """Whether it runs more threads than any model needs; the kernel counts none for root."""
        return count_threads(self.pid) > MAX_THREADS

    def kill(self) -> None:
        """Kill the child at once, if it still runs."""
        if self.process.returncode is None:
            self.process.kill()

    def end(self) -> None:
        """Kill the child, if it still runs, collect it and let go of its channel."""
        self.kill()
        self.process.wait()
        status, self._status = self._status, None
        if status is not None:
            os.close(status)

    def _receive(self, timeout_seconds: float) -> bool:
        """Read what the status channel has; False once the child closed it."""
        assert self._status is not None  # noqa: S101  nobody listens after the end
        with selectors.DefaultSelector() as selector:
            selector.register(self._status, selectors.EVENT_READ)
            if not selector.select(timeout_seconds):
                return True
        chunk = os.read(self._status, 65536)
        room = _STATUS_BYTES - len(self._received)
        self._received += chunk[:room]
        return bool(chunk)

    def _reap(self, deadline: float | None) -> tuple[int | None, tuple[float, int]]:
        """Collect the child with its resource usage; None when the deadline came first."""
        while True:
            flags = 0 if deadline is None else os.WNOHANG
            pid, status, usage = os.wait4(self.process.pid, flags)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.process.returncode = code
                unit = 1 if sys.platform == "darwin" else 1024
                return code, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)
            if deadline is not None and time.monotonic() > deadline:
                return None, (0.0, 0)
            time.sleep(0.005)


def spawn(
    *,
    target: str,
    argument: Any,
    policy: SandboxPolicy,
    keep: tuple[int, ...] = (),
    interpreter: Interpreter = HERE,
) -> Sandboxed:
    """Start `target` ("module:function", called with the plain JSON `argument`) shut in.

    Args:
        keep: descriptors that the child inherits under the same numbers (a socketpair's end).
        interpreter: the Python to run it.

    Start it from a thread that lives as long as the child may: with `die_with_parent` the kernel
    kills the child when that thread ends.
    """
    status_read, status_write = os.pipe()
    try:
        process = subprocess.Popen(
            [interpreter.python, "-s", "-P", "-B", "-m", "slipway_runtime.sandbox.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(status_write, *keep),
            env=dict(sandbox_environment(policy, interpreter)),
            cwd=policy.write[0] if policy.write else "/",
            start_new_session=True,
        )
    except BaseException:
        os.close(status_read)
        raise
    finally:
        os.close(status_write)
    assert process.stdin is not None  # noqa: S101  asked for as a PIPE
    assert process.stdout is not None  # noqa: S101
    start = Start(
        target=target,
        argument=argument,
        policy=policy,
        status=status_write,
        keep=keep,
        parent=os.getpid(),
    )
    log = _LogPump(process.stdout)
    try:
        process.stdin.write(msgspec.json.encode(start))
        process.stdin.close()
    except BrokenPipeError:
        pass  # it died at once; the wait explains how
    return Sandboxed(process, status_read, log)


def run_sandboxed(
    *,
    target: str,
    argument: Any,
    policy: SandboxPolicy,
    wall_seconds: float,
    watch: tuple[Path, ...] = (),
    watch_bytes: int = 0,
    keep: tuple[int, ...] = (),
    interpreter: Interpreter = HERE,
) -> SandboxExit:
    """Start, watch and collect one sandboxed call; never raises for what the child does."""
    child = spawn(
        target=target, argument=argument, policy=policy, keep=keep, interpreter=interpreter
    )
    try:
        enforcement = child.wait_until_shut_in(min(wall_seconds, _START_SECONDS))
        return child.wait(
            enforcement=enforcement,
            wall_seconds=wall_seconds,
            watch=watch,
            watch_bytes=watch_bytes,
        )
    finally:
        child.end()


def _read_result(received: bytes) -> Result | None:
    try:
        return msgspec.json.decode(received, type=Result)
    except msgspec.DecodeError:
        return None


class _LogPump:
    """Copies a child's output to our stderr, at most a megabyte, and keeps its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._tail = b""
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        left = _LOG_BYTES
        with self._stream as stream:
            while chunk := os.read(stream.fileno(), 65536):
                clean = chunk.translate(None, _CONTROL)
                self._tail = (self._tail + clean)[-_TAIL_BYTES:]
                if left > 0:
                    sys.stderr.write(clean[:left].decode(errors="replace"))
                    left -= len(clean)

    def finish(self) -> str:
        """Wait for the end of the output and return its last lines."""
        self._thread.join(timeout=5)
        sys.stderr.flush()
        return self._tail.decode(errors="replace")
