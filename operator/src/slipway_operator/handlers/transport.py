"""Kopf as a transport and no more: what its watches tell goes into the mirror and wakes a model.

No handler of Kopf's decides, writes or keeps state; its annotations, finalizers and events are
never used. What bites is set here: see docs/adr/0013-the-operator.md.
"""

import asyncio
import contextlib
import itertools
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, cast

import aiohttp
import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from slipway_operator.edges.kubernetes.api import Connection
from slipway_operator.edges.kubernetes.resources import MODEL, WATCHED, Resource
from slipway_operator.handlers.brief import BriefResponse
from slipway_operator.state.identity import LABEL_UID

Told = Callable[[str | None, dict[str, Any]], None]
Login = Callable[[], Awaitable[Connection]]
_IDENTITY: Final = cast("Any", "slipway")  # of peers, which `standalone` has none of
_LONGEST_PAUSE: Final = 5.0
_PAGE: Final = 100
_END_SECONDS: Final = 10.0
_LEFT: Final = ("watcher for ", "stop-flag waiter")  # tasks of Kopf, by its names


class Watches:
    """One run of Kopf, in a thread with an event loop of its own.

    Kopf takes the signals of a process whose main thread it runs in, and when it ends it cancels
    every task that it finds beside its own; neither may happen to whoever leads and writes.
    """

    def __init__(self, *, on_event: Told, login: Login, namespaces: tuple[str, ...]) -> None:
        """`on_event` is called in the loop that runs now; `namespaces` empty: everywhere."""
        loop = asyncio.get_running_loop()
        self._loop, self._stop = asyncio.new_event_loop(), asyncio.Event()
        self._namespaces = namespaces
        self._registry = build_registry(
            on_event=lambda change, obj: _hand_over(loop, on_event, change, obj), login=login
        )

    async def run(self) -> None:
        """Watch until cancelled, or until Kopf ends by itself.

        Raises:
            Exception: whatever ended Kopf.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        ended.add_done_callback(lambda future: future.cancelled() or future.exception())

        def work() -> None:
            error: BaseException | None = None
            try:
                with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                    runner.run(self._watch())
            except BaseException as caught:  # an edge: whatever ends Kopf is told
                error = caught
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, ended, error)

        # A daemon: a Kopf that does not end keeps no process from ending.
        threading.Thread(target=work, name="kopf", daemon=True).start()
        try:
            await asyncio.shield(ended)
        finally:
            with contextlib.suppress(RuntimeError):  # closed: it has ended
                self._loop.call_soon_threadsafe(self._stop.set)
            if not ended.done():
                await asyncio.wait({ended}, timeout=_END_SECONDS)

    async def _watch(self) -> None:
        await kopf.operator(
            registry=self._registry,
            settings=build_settings(),
            standalone=True,
            # Else Kopf asks for the user's name, which a container need not have, and ends.
            identity=_IDENTITY,
            # Of the loop that Kopf runs in: for a thread's event it keeps another thread, which
            # waits on when Kopf has ended by itself, and the loop's end with it, for ever.
            stop_flag=self._stop,
            memories=_Forgetful(),
            clusterwide=not self._namespaces,
            namespaces=sorted(self._namespaces),
        )


def _settle(ended: "asyncio.Future[None]", error: BaseException | None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)


def _hand_over(
    loop: asyncio.AbstractEventLoop, on_event: Told, change: str | None, obj: dict[str, Any]
) -> None:
    # Closed: the process is ending, and nobody listens.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(on_event, change, obj)


def build_registry(*, on_event: Told, login: Login) -> kopf.OperatorRegistry:
    """The watches: models, and what carries the uid of one.

    `on_event` is told what a watch tells, whole, and without a change (None) what a list before it
    names: the metadata of `brief`.
    """
    registry = kopf.OperatorRegistry()

    async def tell(event: kopf.RawEvent, **_: Any) -> None:
        on_event(event["type"], dict(event["object"]))

    async def log_in(**_: Any) -> kopf.AiohttpSession:
        return _open_session(await login())

    kopf.on.login(registry=registry, id="login", errors=kopf.ErrorsMode.TEMPORARY)(log_in)
    kopf.on.cleanup(registry=registry, id="end")(_end_what_is_left)
    for resource in (MODEL, *WATCHED):
        _watch(registry, resource, tell)
    return registry


def _open_session(found: Connection) -> kopf.AiohttpSession:
    """As Kopf opens its own, but for what is read of a list."""
    known = kopf.ConnectionInfo(
        server=found.server,
        ca_path=found.ca_path,
        insecure=found.is_insecure,
        token=found.token,
        certificate_path=found.certificate_path,
        private_key_path=found.key_path,
    )
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=known.as_ssl_context()),
        headers=known.as_http_headers(),
        response_class=BriefResponse,
    )
    return kopf.AiohttpSession(server=known.server, aiohttp_session=session)


async def _end_what_is_left(**_: Any) -> None:
    """When a watcher failed, Kopf leaves the others, which without its sessions never end."""
    left = [task for task in asyncio.all_tasks() if task.get_name().startswith(_LEFT)]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _watch(registry: kopf.OperatorRegistry, resource: Resource, tell: Any) -> None:
    kopf.on.event(
        resource.group, resource.version, resource.plural, registry=registry, id=resource.plural
    )(tell)


def build_settings() -> kopf.OperatorSettings:
    """Kopf's settings: quiet, patient for ever, and quick to notice a watch that went deaf."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.process.ultimate_exiting_timeout = None  # it would kill the process
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Pauses()
    settings.networking.enforce_retry_after = True
    settings.watching.server_timeout = 570
    settings.watching.client_timeout = 600
    settings.watching.connect_timeout = 5
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = _PAGE
    for resource in WATCHED:
        # Of a cluster's pods and Jobs only ours are sent at all.
        key = (resource.group, resource.version, resource.plural)
        settings.watching.label_selectors[key] = LABEL_UID
    # A worker lives this much longer than its event, so that a limit of workers is one of what is
    # heard of: 1,000 objects of a kind in a second here, 64 in five seconds by the defaults. None
    # at all makes thousands of workers at once where a watch begins.
    settings.queueing.worker_limit = 100
    settings.queueing.idle_timeout = 0.1
    settings.persistence.finalizer = "slipway.dev/kopf"
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="slipway.dev")
    return settings


class _Forgetful(ResourceMemories):
    """Kopf keeps a record of every object that it ever told; none is asked for again."""

    async def recall(self, *words: Any, **options: Any) -> ResourceMemory:
        return await super().recall(*words, **{**options, "ephemeral": True})


class _NoDifferences(kopf.DiffBaseStorage):
    """Kopf copies and compares every object that it tells; nothing here handles a difference."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


class _Pauses:
    """Pauses after errors without an end, the longest five seconds, each with jitter."""

    def __iter__(self) -> Iterator[float]:
        for number in itertools.count():
            longest = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(number, 8))
            yield random.uniform(longest / 2, longest)  # noqa: S311  jitter
