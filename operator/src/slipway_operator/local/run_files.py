"""What lies in the folder of a container's life besides the keeper's own files.

::

    N/ended-because why the engine ended this life, when it did (a probe failed)
    N/restarts      how often the container was restarted before this life
    N/termination   its last words, if it wrote any (docs/wire.md)
    N/log, log.1    standard output and error; what came before when it grew too long
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from slipway_operator.local.pod_status import cut_message
from slipway_operator.local.processes import Exit, Run

KEPT_RUNS: Final = 2
MAX_LOG_BYTES: Final = 10 * 2**20
_MAX_READ: Final = 65536
_FALLBACK_BYTES: Final = 2048


def find_newest_run(folder: Path) -> Run | None:
    """The newest life of a container, or None when it has had none."""
    try:
        numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    except FileNotFoundError:
        return None
    return Run(folder / str(max(numbers))) if numbers else None


def forget_old_runs(folder: Path, *, newest: int) -> None:
    """Remove all lives but the newest two; the one before tells why it was restarted."""
    for path in folder.iterdir():
        if path.name.isdigit() and int(path.name) <= newest - KEPT_RUNS:
            shutil.rmtree(path, ignore_errors=True)


def read_restarts(run: Run | None) -> int:
    """How often the container had been restarted when this life began."""
    if run is None:
        return 0
    try:
        return int((run.folder / "restarts").read_text())
    except (OSError, ValueError):
        return 0


def read_run_id(run: Run) -> str:
    """The ``containerID`` of a life."""
    pod, _, name, number = run.folder.parts[-4:]
    return f"process://{pod}/{name}/{number}"


def read_tail(path: Path, limit: int = 4096) -> str:
    """The last bytes of a file as text; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - limit))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def note_end(run: Run, why: str) -> None:
    """Keep why the engine ends this life."""
    with contextlib.suppress(OSError):
        (run.folder / "ended-because").write_text(why)


def read_end_note(run: Run) -> str:
    """Why the engine ended this life; empty when it did not."""
    try:
        return (run.folder / "ended-because").read_text()
    except OSError:
        return ""


def read_message(run: Run, container: Mapping[str, Any], ended: Exit | None) -> str:
    """The termination message: what it wrote, else why the engine ended it, else its last log."""
    try:
        with (run.folder / "termination").open("rb") as file:
            said = file.read(_MAX_READ).decode(errors="replace")
    except OSError:
        said = ""
    if said := said or read_end_note(run):
        return cut_message(said)
    if ended is not None and ended.lost:
        return "The process was gone when the engine came back; how it ended is not known."
    fallback = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    if fallback and ended is not None and ended.code != 0:
        return cut_message(read_tail(run.log, _FALLBACK_BYTES))
    return ""


def rotate_log(run: Run) -> None:
    """Start a log that has grown too long anew; the process appends on."""
    with contextlib.suppress(OSError):
        shutil.copyfile(run.log, run.folder / "log.1")
        os.truncate(run.log, 0)
