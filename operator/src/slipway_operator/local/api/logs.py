"""A container's log as a stream, of its newest life or the one before; follows while it lives."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from slipway_operator.local.containers import PodFolder
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.errors import BadRequest, NotFound
from slipway_operator.local.objects import key_of, uid_of
from slipway_operator.local.processes import Run, RunState

CHUNK: Final = 65536
POLL_SECONDS: Final = 0.2


def choose_container(pod: Mapping[str, Any], asked: str | None) -> str:
    """The container whose log is wanted.

    Raises:
        BadRequest: none of that name, or several to choose from and none named.
    """
    spec = pod["spec"]
    names = [c["name"] for c in (*(spec.get("initContainers") or ()), *spec["containers"])]
    if asked is None:
        if len(spec["containers"]) == 1:
            return str(spec["containers"][0]["name"])
        raise BadRequest(f'Pod "{key_of(pod)}" has several containers; choose one of {names}.')
    if asked not in names:
        raise BadRequest(f'Pod "{key_of(pod)}" has no container "{asked}"; it has {names}.')
    return asked


def find_run(data: DataFolder, pod: Mapping[str, Any], container: str, *, previous: bool) -> Run:
    """The life of a container whose log is wanted.

    Raises:
        NotFound: when the container has not lived (often enough).
    """
    folder = PodFolder(root=data.pods / uid_of(pod)).runs(container)
    numbers = sorted(int(p.name) for p in folder.glob("*") if p.name.isdigit())
    if len(numbers) <= previous:
        raise NotFound(
            f'Container "{container}" of pod "{key_of(pod)}" has '
            f"{'no earlier life' if previous else 'not started yet'}: there is no log."
        )
    return Run(folder / str(numbers[-2 if previous else -1]))


async def stream_log(run: Run, *, follow: bool, tail_lines: int | None) -> AsyncIterator[bytes]:
    """The log's bytes; with ``follow`` until the process has ended."""
    position = await asyncio.to_thread(_find_tail, run.log, tail_lines)
    while True:
        living = run.state() in (RunState.STARTING, RunState.RUNNING, RunState.NEW)
        chunk, position = await asyncio.to_thread(_read_from, run.log, position)
        if chunk:
            yield chunk
            continue
        if not follow or not living:
            return
        await asyncio.sleep(POLL_SECONDS)


def _read_from(path: Path, position: int) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            if path.stat().st_size < position:
                position = 0  # it was cut, having grown too long
            file.seek(position)
            chunk = file.read(CHUNK)
            return chunk, position + len(chunk)
    except FileNotFoundError:
        return b"", 0


def _find_tail(path: Path, lines: int | None) -> int:
    if lines is None:
        return 0
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return 0
    position = len(content.rstrip(b"\n"))
    for _ in range(lines):
        position = content.rfind(b"\n", 0, position)
        if position < 0:
            return 0
    return position + 1 if lines else len(content)
