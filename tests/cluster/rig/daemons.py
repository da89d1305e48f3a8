"""The cluster's processes: each in its own session, its pid and its log kept as files."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from rig.network import inside
from rig.places import Places

HANG_SECONDS = 120.0


class NotUp(Exception):
    """The cluster cannot be started; the text is one sentence and says where to look."""


def start(places: Places, name: str, *arguments: str) -> None:
    """Start a program in the cluster's network namespace."""
    for folder in (places.logs, _pids(places)):
        folder.mkdir(parents=True, exist_ok=True)
    with (places.logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            inside(_find(places, name), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={"PATH": f"{places.programs}:{os.environ['PATH']}", "HOME": "/root"},
        )
    (_pids(places) / name).write_text(str(process.pid))


def stop(places: Places, names: tuple[str, ...], *, how: signal.Signals) -> None:
    """End some of them and wait; what does not end in time is killed."""
    found = []
    for name in names:
        path = _pids(places) / name
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess, ValueError):
            found.append(psutil.Process(int(path.read_text())))
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(how)
    _, alive = psutil.wait_procs(found, timeout=10)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=10)
    for name in names:
        (_pids(places) / name).unlink(missing_ok=True)


def running(places: Places) -> dict[str, bool]:
    """The started processes, and whether each still runs."""
    found = {}
    for path in sorted(_pids(places).glob("*")):
        try:
            status = psutil.Process(int(path.read_text())).status()
        except (psutil.NoSuchProcess, ValueError):
            status = psutil.STATUS_DEAD
        found[path.name] = status not in (psutil.STATUS_DEAD, psutil.STATUS_ZOMBIE)
    return found


def wait_until(places: Places, what: str, look: Callable[[], object]) -> None:
    """Look until it is true; a process that ended meanwhile is told at once.

    Raises:
        NotUp: it does not come true, or a process has ended.
    """
    deadline = time.monotonic() + HANG_SECONDS
    while not look():
        ended = [name for name, runs in running(places).items() if not runs]
        if ended:
            raise NotUp(f"{ended[0]} ended: {places.logs / ended[0]}.log says why")
        if time.monotonic() > deadline:
            raise NotUp(f"not within {HANG_SECONDS:g} s: {what} (logs in {places.logs})")
        time.sleep(0.1)


def succeeds(*command: str) -> Callable[[], bool]:
    """Whether a command ends well, to be asked again and again."""

    def look() -> bool:
        try:
            return (
                subprocess.run(command, capture_output=True, check=False, timeout=20).returncode
                == 0
            )
        except subprocess.TimeoutExpired:
            return False

    return look


def _find(places: Places, name: str) -> str:
    built = places.programs / name
    return str(built) if built.exists() else name


def _pids(places: Places) -> Path:
    return places.state / "pids"
