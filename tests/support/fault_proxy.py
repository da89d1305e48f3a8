"""A proxy between an operator and the API server that does harm by rule, and keeps the record.

Plain HTTP on loopback to the operator, TLS to the API server. A rule strikes the n-th request of
its verb and resource; what it does is one of `fault_acts.py`. Everything else passes unchanged.
"""

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import AddrInfoType, web

from fault_requests import Request, read_request

Act = Callable[["Exchange"], Awaitable[web.StreamResponse]]
Which = Callable[[int], bool]
LEASES = "leases"
_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Answered:
    """One request, and what the operator was told: an HTTP status, None where it was told nothing.

    `committed`: the API server's own status; None where it was never asked.
    """

    request: Request
    at: float
    status: int | None
    committed: int | None


@dataclass(slots=True)
class Rule:
    """Strike the requests of these verbs and this resource whose number (from 1) is meant."""

    act: Act
    verbs: frozenset[str]
    resource: str  # "*": any but the Lease
    which: Which
    seen: int = 0
    struck: list[Request] = field(default_factory=list)

    def is_hit(self, request: Request) -> bool:
        """Count the request, and tell whether it is one to strike."""
        wanted = request.resource != LEASES if self.resource == "*" else self.resource
        if request.verb not in self.verbs or wanted not in (True, request.resource):
            return False
        self.seen += 1
        return self.which(self.seen)


class Exchange:
    """One request on its way; `forward` sends it on and passes the answer back."""

    def __init__(self, proxy: "FaultProxy", request: Request, incoming: web.Request) -> None:
        self.request, self.incoming = request, incoming
        self.committed: int | None = None
        self._proxy = proxy

    @contextlib.asynccontextmanager
    async def sent(self) -> AsyncIterator[aiohttp.ClientResponse]:
        """The API server's answer, whose body is not yet read."""
        incoming = self.incoming
        headers = {key: value for key, value in incoming.headers.items() if key.lower() not in _HOP}
        async with self._proxy.upstream.request(
            incoming.method, incoming.raw_path, headers=headers, data=await incoming.read() or None
        ) as answer:
            self.committed = answer.status
            yield answer

    async def begin(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Begin to pass an answer whose end is not known yet."""
        kept = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(self.incoming)
        return response

    async def forward(self) -> web.StreamResponse:
        """Pass the request and its answer."""
        async with self.sent() as answer:
            response = await self.begin(answer)
            if self.request.verb == "watch":
                await self.keep_open(self._relay(answer, response))
            else:
                await response.write(await answer.read())
            await response.write_eof()
            return response

    async def keep_open(self, told: Coroutine[Any, Any, None]) -> None:
        """Let a watch tell, until either end closes or `FaultProxy.cut_watches` ends it."""
        task = asyncio.ensure_future(told)
        self._proxy.watches[task] = self.request.resource
        try:
            await asyncio.wait({task})
        finally:
            del self._proxy.watches[task]
            task.cancel()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    @staticmethod
    async def _relay(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)

    def cut(self) -> web.Response:
        """Close the connection without a word."""
        if self.incoming.transport is not None:
            self.incoming.transport.abort()
        return web.Response()  # of a connection that is gone


class FaultProxy:
    """One proxy in a thread of its own; `rules` may change while it runs."""

    def __init__(self, kubeconfig: Path) -> None:
        """`kubeconfig` names the API server."""
        found = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        self._server = found["server"]
        trusted = found.get("certificate-authority-data")
        self._trust = ssl.create_default_context(
            cafile=found.get("certificate-authority"),
            cadata=base64.b64decode(trusted).decode() if trusted else None,
        )
        self._loop = asyncio.new_event_loop()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self.watches: dict[asyncio.Task[None], str] = {}  # those that are open, and of what
        self.rules: list[Rule] = []
        self.record: list[Answered] = []
        self.url = ""
        self.upstream: aiohttp.ClientSession

    @property
    def writes(self) -> list[Answered]:
        """What was meant to change an object, but for the Lease, in order."""
        return [
            one
            for one in list(self.record)
            if one.request.is_write and one.request.resource != LEASES
        ]

    def strike(
        self, act: Act, *verbs: str, resource: str = "*", which: Which | int | None = None
    ) -> Rule:
        """Add a rule; `which` is a number from 1, or tells of a number; without it, all."""
        meant = (lambda number: number == which) if isinstance(which, int) else which
        rule = Rule(act, frozenset(verbs), resource, meant or (lambda _: True))
        self.rules.append(rule)
        return rule

    def cut_watches(self, resource: str) -> int:
        """Close the watches of a resource that are open now, as a server does; tells how many."""

        async def cut() -> int:
            open_now = [task for task, name in self.watches.items() if name == resource]
            for task in open_now:
                task.cancel()
            return len(open_now)

        return asyncio.run_coroutine_threadsafe(cut(), self._loop).result()

    def write_kubeconfig(self, original: Path, path: Path) -> Path:
        """The kubeconfig of who shall speak through here."""
        told = yaml.safe_load(original.read_text())
        told["clusters"][0]["cluster"] = {"server": self.url}
        path.write_text(yaml.safe_dump(told))
        return path

    @contextlib.contextmanager
    def running(self) -> Iterator["FaultProxy"]:
        """Listen, in a thread of its own."""
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        runner = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(runner), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _listen(self) -> web.AppRunner:
        self.upstream = aiohttp.ClientSession(
            self._server,
            connector=aiohttp.TCPConnector(
                ssl=self._trust, limit=0, socket_factory=self._make_socket
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return runner

    async def _close(self, runner: web.AppRunner) -> None:
        for task in list(self.watches):
            task.cancel()
        await runner.cleanup()
        await self.upstream.close()
        # a connection whose watch was cut says goodbye by TLS and waits for an answer, seconds on a
        # busy machine; the loop ends before, and would leave the socket to the garbage collector
        while still_open := [one for one in self._sockets if one.fileno() != -1]:
            for one in still_open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0.01)

    def _make_socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        request = read_request(incoming.method, incoming.path, incoming.query)
        exchange = Exchange(self, request, incoming)
        at = time.monotonic()
        hit = [rule for rule in self.rules if rule.is_hit(request)]  # each counts
        told: int | None = None
        try:
            if hit:
                hit[0].struck.append(request)
                response = await hit[0].act(exchange)
            else:
                response = await exchange.forward()
            if incoming.transport is not None and not incoming.transport.is_closing():
                told = response.status
        except (aiohttp.ClientError, ConnectionError):
            # one of the two ends is gone
            response = exchange.cut()
        finally:
            self.record.append(Answered(request, at, told, exchange.committed))
        return response
