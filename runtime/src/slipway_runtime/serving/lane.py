"""The slow lane: hands a few paths to an ASGI application that is built on first use.

The fast lane never waits for it: it is built in a thread, and only a request for it waits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PREFIX = "/bento"
PATHS = frozenset({f"{PREFIX}/predict", f"{PREFIX}/docs.json", f"{PREFIX}/schema.json"})


@dataclass(slots=True)
class Answer:
    """What the application answered."""

    code: int = 500
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


class Lane:
    """An ASGI application, built by `make` when it is first asked."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._application: Any = None
        self._building = asyncio.Lock()
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._lifespan: asyncio.Task[None] | None = None

    async def ask(self, scope: Any, body: bytes) -> Answer:
        """Pass one request (an RSGI scope and its whole body) on."""
        application = await self._get()
        answer = Answer()
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return parts.pop() if parts else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.code = message["status"]
                answer.headers = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message.get("headers", ())
                    if name.lower() != b"content-length"
                ]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        await application(_asgi_scope(scope), receive, send)
        return answer

    async def close(self) -> None:
        """Let the application end, where it was built."""
        if self._lifespan is None:
            return
        await self._events.put({"type": "lifespan.shutdown"})
        await asyncio.wait({self._lifespan}, timeout=2)

    async def _get(self) -> Any:
        async with self._building:
            if self._application is None:
                application = await asyncio.to_thread(self._make)
                await self._start(application)
                self._application = application
        return self._application

    async def _start(self, application: Any) -> None:
        started = asyncio.Event()

        async def send(_message: dict[str, Any]) -> None:
            started.set()

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        await self._events.put({"type": "lifespan.startup"})
        self._lifespan = asyncio.ensure_future(application(scope, self._events.get, send))
        waiting = asyncio.ensure_future(started.wait())
        await asyncio.wait({waiting, self._lifespan}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()


def _asgi_scope(scope: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": scope.path,
        "raw_path": scope.path.encode(),
        "root_path": PREFIX,
        "query_string": scope.query_string.encode(),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in scope.headers.items()
        ],
        "client": None,
        "server": None,
        "state": {},
    }
