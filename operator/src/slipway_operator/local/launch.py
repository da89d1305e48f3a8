"""Start, find and stop the engine of a data folder: what the command line calls.

Synchronous, and safe to call when another engine runs, when one died, or when none ever was.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.errors import EngineRefused
from slipway_operator.local.processes import stop_all

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    """Where a running engine is reached: base URL, bearer token, pid, its data folder."""

    url: str
    token: str
    pid: int
    data_dir: Path


def find_engine(data_dir: str | os.PathLike[str]) -> EngineAddress | None:
    """The engine that runs on this folder and is ready, or None."""
    data = DataFolder(root=Path(data_dir).resolve())
    holder = data.lock_holder()
    found = data.read_address()
    if holder is None or found is None or found.get("pid") != holder:
        return None
    if not _is_alive(holder):  # both are of the engine before: the new one has not said its own yet
        return None
    return EngineAddress(
        url=str(found["url"]), token=str(found["token"]), pid=holder, data_dir=data.root
    )


def start_engine(data_dir: str | os.PathLike[str]) -> EngineAddress:
    """The engine of this folder: the running one, or one started now; returns when it is ready.

    The engine is a process of its own session: it outlives its caller and its terminal.

    Raises:
        EngineRefused: with the sentence why it could not start.
    """
    found = find_engine(data_dir)
    if found is not None:
        return found
    data = DataFolder(root=Path(data_dir).resolve())
    data.create()
    errors = data.root / "engine.err"
    pid = _spawn(data.root, errors)
    code: int | None = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = find_engine(data.root)
        if found is not None:
            return found
        code = _collect(pid) if code is None else code
        if code is not None and data.lock_holder() is None:
            raise EngineRefused(_explain(code, errors, data))
        time.sleep(0.03)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    raise EngineRefused(
        f"The engine was not ready within {START_SECONDS:g} s; its log {data.log} tells why."
    )


def _spawn(root: Path, errors: Path) -> int:
    """The engine's pid; spawned without a Popen, for nobody here waits for its end."""
    command = [sys.executable, "-m", "slipway_operator.local", "--data", str(root)]
    to_file = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        sys.executable,
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(errors), to_file, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _collect(pid: int) -> int | None:
    """The exit code of a child that has ended; None while it lives or when it is no child."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if ended else None


def _explain(code: int | None, errors: Path, data: DataFolder) -> str:
    said = errors.read_text(errors="replace").strip()
    if code == 3 and said:
        return said
    last = said.splitlines()[-1] if said else "it said nothing"
    return f"The engine ended with exit code {code}: {last} (log: {data.log})."


def stop_engine(data_dir: str | os.PathLike[str], *, purge: bool = False) -> bool:
    """End the engine and every process of this folder; objects stay unless ``purge``.

    Also cleans up after an engine that died. Returns whether anything was running.

    Raises:
        EngineRefused: when a process cannot be ended (it is another user's).
    """
    data = DataFolder(root=Path(data_dir).resolve())
    pid = data.lock_holder()
    if pid:
        _ask_to_stop(data, pid)
    left = stop_all(data.root)
    if data.lock_holder() is not None:
        raise EngineRefused(
            f'The engine with pid {pid} still holds data folder "{data.root}" and cannot be ended; '
            "end it as its owner."
        )
    for path in (data.address, data.kubeconfig, data.certificate):
        path.unlink(missing_ok=True)
    if purge:
        for path in (data.root / "runs", data.artifacts, data.environments):
            shutil.rmtree(path, ignore_errors=True)
        for path in data.root.glob("store.sqlite*"):
            path.unlink(missing_ok=True)
    return bool(pid) or left > 0


def _ask_to_stop(data: DataFolder, pid: int) -> None:
    found = data.read_address()
    if found is not None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(
                f"{found['url']}/slipway/v1/stop",
                headers={"Authorization": f"Bearer {found['token']}"},
                timeout=5.0,
                trust_env=False,
            )
    else:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.03)
        _collect(pid)
    if data.lock_holder() == pid:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            process.kill()
            process.wait(timeout=5.0)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
