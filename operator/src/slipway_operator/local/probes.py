"""Start-up, readiness and liveness probes of one running container, as a kubelet asks them."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from slipway_operator.local.containers import ContainerRefused
from slipway_operator.local.ports import LOOPBACK

EAGER_SECONDS: Final = 0.15  # until a probe has passed once it is asked this often


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One HTTP probe; times in seconds, thresholds in consecutive answers."""

    path: str
    port: int
    initial_delay: float
    period: float
    timeout: float
    success_threshold: int
    failure_threshold: int


def parse_probe(container: Mapping[str, Any], field: str, ports: Mapping[str, int]) -> Probe | None:
    """The probe in ``container[field]``, or None; ``ports`` maps port names to loopback ports.

    Raises:
        ContainerRefused: a probe that is no HTTP probe, or of a port that the container has not.
    """
    found = container.get(field)
    if not found:
        return None
    http = found.get("httpGet")
    if not http:
        raise ContainerRefused(f"{field} is no httpGet; the laptop engine has HTTP probes only")
    wanted = http.get("port")
    names = {port.get("containerPort"): port.get("name") for port in container.get("ports") or ()}
    name = wanted if isinstance(wanted, str) else names.get(wanted)
    if not isinstance(name, str) or name not in ports:
        raise ContainerRefused(f'{field} asks port "{wanted}", which the container does not name')
    return Probe(
        path=http.get("path", "/"),
        port=ports[name],
        initial_delay=float(found.get("initialDelaySeconds", 0)),
        period=float(found.get("periodSeconds", 10)),
        timeout=float(found.get("timeoutSeconds", 1)),
        success_threshold=int(found.get("successThreshold", 1)),
        failure_threshold=int(found.get("failureThreshold", 3)),
    )


async def ask(probe: Probe) -> bool:
    """Whether one GET answers with a status of 200 to 399 in time."""
    with contextlib.suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(probe.timeout):
            reader, writer = await asyncio.open_connection(LOOPBACK, probe.port)
            try:
                head = f"GET {probe.path} HTTP/1.1\r\nHost: {LOOPBACK}:{probe.port}\r\n"
                writer.write(
                    f"{head}User-Agent: slipway-probe\r\nConnection: close\r\n\r\n".encode()
                )
                await writer.drain()
                status = int((await reader.readline()).split()[1])
                await reader.read(65536)
                return 200 <= status < 400
            finally:
                writer.close()
    return False


class Prober:
    """Watches one container; ``changed``: its readiness did, ``failed``: it must end."""

    def __init__(
        self,
        *,
        startup: Probe | None,
        readiness: Probe | None,
        liveness: Probe | None,
        started: bool,
        ready: bool,
        changed: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        self.started = started or startup is None
        self.ready = ready if readiness is not None else self.started
        self._startup, self._readiness, self._liveness = startup, readiness, liveness
        self._changed, self._failed = changed, failed
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Ask no more; the container is not ready any more."""
        self._task.cancel()
        self.ready = False

    async def _watch(self) -> None:
        if not self.started and self._startup is not None:
            if not await self._wait_for_start(self._startup):
                return
            self.started = True
            self.ready = self._readiness is None
            self._changed()
        async with asyncio.TaskGroup() as group:
            if self._readiness is not None:
                group.create_task(self._watch_readiness(self._readiness))
            if self._liveness is not None:
                group.create_task(self._watch_liveness(self._liveness))

    async def _wait_for_start(self, probe: Probe) -> bool:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(probe.initial_delay)
        deadline = loop.time() + probe.period * probe.failure_threshold
        while not await ask(probe):
            if loop.time() >= deadline:
                self._failed(
                    f"Start-up probe {probe.path} did not pass within "
                    f"{probe.period * probe.failure_threshold:g} s."
                )
                return False
            await asyncio.sleep(min(EAGER_SECONDS, probe.period))
        return True

    async def _watch_readiness(self, probe: Probe) -> None:
        await asyncio.sleep(0 if self.ready else probe.initial_delay)
        passed = failures = 0
        while True:
            if await ask(probe):
                passed, failures = passed + 1, 0
                if not self.ready and passed >= probe.success_threshold:
                    self.ready = True
                    self._changed()
            else:
                passed, failures = 0, failures + 1
                if self.ready and failures >= probe.failure_threshold:
                    self.ready = False
                    self._changed()
            await asyncio.sleep(probe.period if self.ready else min(EAGER_SECONDS, probe.period))

    async def _watch_liveness(self, probe: Probe) -> None:
        await asyncio.sleep(probe.initial_delay)
        failures = 0
        while True:
            failures = 0 if await ask(probe) else failures + 1
            if failures >= probe.failure_threshold:
                self._failed(f"Liveness probe {probe.path} failed {failures} times.")
                return
            await asyncio.sleep(probe.period)
