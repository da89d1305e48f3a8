"""The operator's two small servers: probes for the kubelet, metrics for Prometheus.

On aiohttp, which Kopf and the Kubernetes client have loaded already.
"""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from slipway_operator.edges.telemetry import Telemetry

_EVERYWHERE = "0.0.0.0"  # noqa: S104  of a pod: who may reach it is said by a NetworkPolicy
_END_SECONDS = 1.0


class ProbeServer:
    """`/livez` and `/readyz` on one port, `/metrics` on another."""

    def __init__(
        self,
        *,
        port: int,
        metrics_port: int,
        telemetry: Telemetry,
        is_alive: Callable[[], bool],
        is_ready: Callable[[], bool],
    ) -> None:
        async def livez(_: web.Request) -> web.Response:
            return _say(is_alive())

        async def readyz(_: web.Request) -> web.Response:
            return _say(is_ready())

        async def metrics(_: web.Request) -> web.Response:
            told = generate_latest(telemetry.registry)
            return web.Response(body=told, headers={"Content-Type": CONTENT_TYPE_LATEST})

        probes = [web.get("/livez", livez), web.get("/readyz", readyz)]
        self._servers = {
            port: _build_runner(probes),
            metrics_port: _build_runner([web.get("/metrics", metrics)]),
        }

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: a port is taken.
        """
        for port, runner in self._servers.items():
            await runner.setup()
            await web.TCPSite(runner, _EVERYWHERE, port).start()

    async def close(self) -> None:
        """Stop listening."""
        for runner in self._servers.values():
            await runner.cleanup()


def _build_runner(routes: list[web.RouteDef]) -> web.AppRunner:
    application = web.Application()
    application.add_routes(routes)
    return web.AppRunner(application, access_log=None, shutdown_timeout=_END_SECONDS)


def _say(is_good: bool) -> web.Response:
    return web.Response(text="ok" if is_good else "no", status=200 if is_good else 503)
