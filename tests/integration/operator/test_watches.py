"""Kopf in its thread, on an API server that has nothing: its end is heard of."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from slipway_operator.edges.kubernetes.api import Connection
from slipway_operator.edges.kubernetes.resources import MODEL, WATCHED
from slipway_operator.handlers.transport import Told, Watches

HANG_SECONDS = 60
Kind = tuple[str, str, str, str]  # group, version, plural, kind
KINDS: set[Kind] = {
    *((one.group, one.version, one.plural, one.kind) for one in (MODEL, *WATCHED)),
    # Kopf looks for these before it watches anything.
    ("", "v1", "namespaces", "Namespace"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"),
}
Watch = Callable[[web.StreamResponse], Awaitable[None]]


class EmptyServer:
    """Answers discovery and empty lists; a watch of models is what `watch` makes of it.

    Once that has ended, the other watches break off, and cannot be opened again.
    """

    def __init__(self, watch: Watch, *models: dict[str, object]) -> None:
        self._watch, self._models = watch, models
        self.is_watched, self._is_over = asyncio.Event(), asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Connection]:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield Connection(
                server=f"http://127.0.0.1:{runner.addresses[0][1]}",
                ca_path=None,
                is_insecure=True,
                token=None,
                certificate_path=None,
                key_path=None,
            )
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        match request.path.strip("/").split("/"):
            case ["api"]:
                return web.json_response({"versions": ["v1"]})
            case ["apis"]:
                return web.json_response({"groups": self._list_groups()})
            case ["api", version]:
                return web.json_response({"resources": self._list_kinds("", version)})
            case ["apis", group, version]:
                return web.json_response({"resources": self._list_kinds(group, version)})
        if "watch" not in request.query:
            return web.json_response(self._list(request.path))
        response = web.StreamResponse()
        if not self._is_over.is_set():
            await response.prepare(request)
        if request.path.endswith(f"/{MODEL.plural}"):
            self.is_watched.set()
            await self._watch(response)
            self._is_over.set()
        else:
            await self._is_over.wait()
            assert request.transport is not None
            request.transport.abort()
        return response

    def _list(self, path: str) -> dict[str, object]:
        items = self._models if path.endswith(f"/{MODEL.plural}") else ()
        kinds = {"apiVersion": MODEL.api_version, "kind": f"{MODEL.kind}List"}
        return {**kinds, "metadata": {"resourceVersion": "1"}, "items": items}

    @staticmethod
    def _list_groups() -> list[dict[str, object]]:
        groups = {(group, version) for group, version, _, _ in KINDS if group}
        return [
            {
                "name": group,
                "versions": [{"version": version}],
                "preferredVersion": {"version": version},
            }
            for group, version in groups
        ]

    @staticmethod
    def _list_kinds(group: str, version: str) -> list[dict[str, object]]:
        return [
            {
                "name": plural,
                "singularName": "",
                "kind": kind,
                "namespaced": True,
                "verbs": ["list", "watch", "patch"],
            }
            for its_group, its_version, plural, kind in KINDS
            if (its_group, its_version) == (group, version)
        ]


def watch_with(connection: Connection, on_event: Told = lambda change, obj: None) -> Watches:
    async def login() -> Connection:
        return connection

    return Watches(on_event=on_event, login=login, namespaces=())


async def end_in_an_error(response: web.StreamResponse) -> None:
    status = {"kind": "Status", "code": 500, "reason": "InternalError", "message": "planted"}
    await response.write(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")


async def end_within_a_line(response: web.StreamResponse) -> None:
    await response.write(b'{"type": "ADDED", "obj')


async def say_nothing(response: web.StreamResponse) -> None:
    del response
    await asyncio.Event().wait()


@pytest.mark.parametrize("watch", [end_in_an_error, end_within_a_line])
def test_a_watch_that_fails_ends_kopf_and_that_is_told(watch: Watch) -> None:
    async def main() -> None:
        async with EmptyServer(watch).running() as connection:
            await asyncio.wait_for(watch_with(connection).run(), HANG_SECONDS)

    with pytest.raises(Exception) as told:  # noqa: PT011  Kopf's own, which differ
        asyncio.run(main())
    assert not isinstance(told.value, TimeoutError)


def test_a_kopf_that_is_told_to_stop_has_ended_then() -> None:
    async def main() -> None:
        server = EmptyServer(say_nothing)
        async with server.running() as connection:
            running = asyncio.create_task(watch_with(connection).run())
            await asyncio.wait_for(server.is_watched.wait(), HANG_SECONDS)
            assert "kopf" in list_threads()
            running.cancel()
            await asyncio.wait({running}, timeout=HANG_SECONDS)
            assert running.cancelled()
            async with asyncio.timeout(HANG_SECONDS):
                # It is told before the last instruction of its thread.
                while "kopf" in list_threads():  # noqa: ASYNC110  nothing tells of that
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_of_a_list_no_more_is_told_than_what_there_is() -> None:
    metadata = {
        "name": "churn",
        "namespace": "default",
        "uid": "u-1",
        "resourceVersion": "7",
        "labels": {"team": "a"},
    }
    model = {"metadata": {**metadata, "managedFields": [{"manager": "x"}]}, "spec": {"model": {}}}
    told: list[tuple[str | None, dict[str, Any]]] = []

    async def main() -> None:
        heard = asyncio.Event()

        def hear(change: str | None, obj: dict[str, Any]) -> None:
            told.append((change, obj))
            heard.set()

        async with EmptyServer(say_nothing, model).running() as connection:
            running = asyncio.create_task(watch_with(connection, hear).run())
            await asyncio.wait_for(heard.wait(), HANG_SECONDS)
            running.cancel()
            await asyncio.wait({running}, timeout=HANG_SECONDS)

    asyncio.run(main())
    brief = {"apiVersion": MODEL.api_version, "kind": MODEL.kind, "metadata": metadata}
    assert told == [(None, brief)]


def list_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}
