"""The operator's two small servers: probes for the kubelet, metrics for Prometheus."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from slipway_operator.edges.telemetry import Telemetry


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
        # in the loop itself, whose state is what is told
        def answer(look: Callable[[], bool]) -> Callable[[Request], Awaitable[Response]]:
            async def handle(_: Request) -> Response:
                good = look()
                return PlainTextResponse("ok" if good else "no", 200 if good else 503)

            return handle

        async def metrics(_: Request) -> Response:
            told = generate_latest(telemetry.registry)
            return Response(told, media_type=CONTENT_TYPE_LATEST)

        probes = [Route("/livez", answer(is_alive)), Route("/readyz", answer(is_ready))]
        self._servers = [
            _serve(Starlette(routes=probes), port),
            _serve(Starlette(routes=[Route("/metrics", metrics)]), metrics_port),
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen."""
        self._tasks = [asyncio.create_task(server.serve()) for server in self._servers]

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's."""
        yield


def _serve(application: Starlette, port: int) -> uvicorn.Server:
    # of a pod: who may reach it is said by a NetworkPolicy
    everywhere = "0.0.0.0"  # noqa: S104
    return _Server(
        uvicorn.Config(
            application, host=everywhere, port=port, log_config=None, access_log=False,
            lifespan="off", server_header=False, timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
