"""The API's servers: uvicorn on a loopback socket, its life in the engine's hands."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from slipway_operator.local.ports import LOOPBACK


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the engine's."""
        yield


class ApiServer:
    """Serves an application on a free port of 127.0.0.1; with a certificate, over TLS."""

    def __init__(self, application: Starlette, *, certificate: Path | None = None) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, 0))
        self.port: int = self._socket.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                application, log_config=None, access_log=False, lifespan="off",
                server_header=False, timeout_graceful_shutdown=1, ssl_certfile=certificate,
            )
        )  # fmt: skip
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; returns when requests are taken."""
        self._task = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[self._socket])
        )
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Take no more, end what is open, and free the port."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
