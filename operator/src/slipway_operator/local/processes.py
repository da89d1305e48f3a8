"""Processes that outlive the engine: started through a keeper, found again, ended for certain.

A *run* is one life of one process in one folder (``shim`` tells what lies there). The folder's
lock says whether it lives, so an engine that was killed finds its processes by looking, and none
is started twice. ``stop_all`` also works without an engine. It must not know what a pod is.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final

import psutil

from slipway_operator.local.datafolder import ENV_COOKIE, DataFolder, write_json

_SHIM: Final = Path(__file__).with_name("shim.py")
_START_SECONDS: Final = 10.0


class RunState(Enum):
    """Where a run is in its one life."""

    NEW = "New"  # the folder may exist, nothing was ever started
    STARTING = "Starting"  # the keeper lives, the process not yet
    RUNNING = "Running"
    EXITED = "Exited"
    LOST = "Lost"  # it ran, and its keeper was killed (or the machine restarted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a run ended: ``code`` is 128 + signal for a signalled process; times are Unix seconds."""

    code: int
    out_of_memory: bool
    started: float
    finished: float
    error: str | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What to run."""

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    memory_bytes: int | None = None
    rlimits: Mapping[str, int] = field(default_factory=dict)


class Run:
    """One life of one process; all its facts lie in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keeper: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def mark_stopped(self) -> None:
        """Note that it is ended on purpose (the engine goes down), not by a failure of its own."""
        with contextlib.suppress(OSError):
            (self.folder / "stopped").touch()

    def was_stopped(self) -> bool:
        """Whether it ended on purpose."""
        return (self.folder / "stopped").exists()

    @property
    def log(self) -> Path:
        """Standard output and error of the process."""
        return self.folder / "log"

    def start(self, spec: RunSpec, *, cookie: str) -> None:
        """Start the keeper, which starts the process; does not wait.

        Raises:
            OSError: when the folder cannot be written or no process can be made.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(
            self.folder / "spec.json",
            {
                "command": list(spec.command),
                "env": {**spec.env, ENV_COOKIE: cookie},
                "cwd": str(spec.cwd),
                "memoryBytes": spec.memory_bytes,
                "rlimits": dict(spec.rlimits),
            },
        )
        with (self.folder / "keeper.log").open("ab") as errors:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SHIM), str(self.folder)],
                env={ENV_COOKIE: cookie},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        self._started_at = time.monotonic()

    def is_kept(self) -> bool:
        """Whether a keeper lives and holds the folder's lock."""
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def state(self) -> RunState:
        """Where the run is; looks at the folder."""
        if self._keeper is not None:
            self._keeper.poll()  # collects an ended child
        if (self.folder / "exit.json").exists():
            return RunState.EXITED
        kept = self.is_kept()
        if (self.folder / "exit.json").exists():
            return RunState.EXITED
        running = (self.folder / "state.json").exists()
        if kept:
            return RunState.RUNNING if running else RunState.STARTING
        if running:
            return RunState.LOST
        if self._keeper is not None and self._keeper.returncode is None:
            return RunState.STARTING
        return RunState.NEW

    def read_exit(self) -> Exit | None:
        """How it ended, or None while it lives or never lived."""
        state = self.state()
        if state is RunState.EXITED:
            found = _read(self.folder / "exit.json")
            return Exit(
                code=int(found.get("code", 255)),
                out_of_memory=bool(found.get("oom")),
                started=float(found.get("started", 0.0)),
                finished=float(found.get("finished", 0.0)),
                error=found.get("error"),
            )
        if state is RunState.LOST:
            found = _read(self.folder / "state.json")
            began = float(found.get("started", 0.0))
            return Exit(code=137, out_of_memory=False, started=began, finished=began, lost=True)
        return None

    def started_at(self) -> float:
        """When the process began, in Unix seconds (0 when it has not)."""
        return float(_read(self.folder / "state.json").get("started", 0.0))

    def keeper_pid(self) -> int | None:
        """The keeper's pid while it lives."""
        if not self.is_kept():
            return None
        found = _read(self.folder / "state.json").get("keeper")
        if found is None and self._keeper is not None and self._keeper.returncode is None:
            return self._keeper.pid
        return int(found) if found is not None else None

    def pid(self) -> int | None:
        """The process's pid while it lives."""
        if self.state() is not RunState.RUNNING:
            return None
        found = _read(self.folder / "state.json").get("pid")
        return int(found) if found is not None else None

    def ask_to_end(self) -> None:
        """SIGTERM to the process alone."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the process and all that it started."""
        self._signal(signal.SIGUSR1)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.keeper_pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def wait(self) -> None:
        """Return when the keeper has gone (the exit is recorded by then)."""
        pid = self.keeper_pid()
        while pid is None and self.state() is RunState.STARTING:
            await asyncio.sleep(0.02)
            pid = self.keeper_pid()
        if pid is not None:
            await _wait_for_process(pid)
        while self.is_kept():  # noqa: ASYNC110  another process holds the lock
            await asyncio.sleep(0.02)
        self.state()

    async def end(self, *, grace_seconds: float) -> None:
        """Ask, wait that long, then kill; returns when nothing of it lives."""
        self.ask_to_end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self.wait()
                return
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self.wait()
                return
        pid = self.keeper_pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)  # its process dies with it
        await self.wait()


async def _wait_for_process(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.1)
            with contextlib.suppress(psutil.Error):
                if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                    return
        return
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, gone)
    try:
        await gone
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def find_processes(data: Path) -> list[psutil.Process]:
    """Every living process of a data folder but this one: by mark, by session, by descent."""
    try:
        cookie = (data / "identity").read_text().strip()
    except OSError:
        return []
    marked: dict[int, psutil.Process] = {}
    rest: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(ENV_COOKIE) == cookie:
                marked[process.pid] = process
            else:
                rest.append(process)
        except psutil.Error:
            continue
    sessions = set()
    for pid in marked:
        with contextlib.suppress(ProcessLookupError):
            sessions.add(os.getsid(pid))
    for process in rest:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) in sessions:
                marked[process.pid] = process
    for process in tuple(marked.values()):
        with contextlib.suppress(psutil.Error):
            marked.update({child.pid: child for child in process.children(recursive=True)})
    marked.pop(os.getpid(), None)
    return list(marked.values())


def stop_all(data_dir: str | os.PathLike[str], *, grace_seconds: float = 10.0) -> int:
    """End every process that a (dead) engine of this folder has left; returns how many there were.

    Asks the served processes first (SIGTERM to each), kills what is left after ``grace_seconds``.
    """
    data = Path(data_dir)
    found = find_processes(data)
    keepers = dict(_find_keepers(DataFolder(root=data)))
    for pid, run in keepers.items():
        run.mark_stopped()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=grace_seconds)
    _kill([process for process in alive if process.pid not in keepers])  # keepers then note the end
    _, alive = psutil.wait_procs(alive, timeout=2.0)
    deadline = time.monotonic() + 10.0
    while alive and time.monotonic() < deadline:
        _kill(alive)
        psutil.wait_procs(alive, timeout=2.0)
        alive = find_processes(data)
    return len(found)


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _find_keepers(folder: DataFolder) -> Iterable[tuple[int, Run]]:
    for lock in folder.root.glob("runs/**/lock"):
        run = Run(lock.parent)
        pid = run.keeper_pid()
        if pid is not None:
            yield pid, run
