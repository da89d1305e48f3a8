"""What a sandboxed child takes of what no limit of its own counts, asked from outside.

Disk: rlimits bound a file, not a folder. Threads: the kernel counts none for root.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

MAX_THREADS: Final = 512
_MAX_FILES: Final = 10_000


def holds_more(folders: tuple[Path, ...], limit_bytes: int) -> bool:
    """Whether folders hold more than `limit_bytes`, or more files than any build needs."""
    total, files = 0, 0
    waiting = [os.fspath(folder) for folder in folders]
    while waiting:
        # What goes away while it is being counted is not counted.
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                files += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
                if total > limit_bytes or files > _MAX_FILES:
                    return True
    return False


def count_written(pid: int) -> int:
    """Bytes that the process ever wrote, also to files that it deleted since; 0 where not told."""
    counts = _read_table(pid, "io")
    return max(counts.get("wchar", 0), counts.get("write_bytes", 0))


def count_threads(pid: int) -> int:
    """Threads of the process now; 0 where the system does not tell."""
    return _read_table(pid, "status").get("Threads", 0)


def _read_table(pid: int, name: str) -> dict[str, int]:
    """The whole numbers of a `name: value` table in /proc."""
    try:
        text = Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:  # it has ended, or there is no /proc
        return {}
    pairs = (line.partition(":")[::2] for line in text.splitlines())
    return {key: int(value) for key, value in pairs if value.strip().isdigit()}
