"""A watch: JSON lines of what happened since a resourceVersion and of what happens from now on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from slipway_operator.local.api.answers import build_failure
from slipway_operator.local.api.reading import Target
from slipway_operator.local.changes import Change, Subscription
from slipway_operator.local.errors import EngineError
from slipway_operator.local.store import Store

Matches = Callable[[Mapping[str, Any]], bool]
Show = Callable[[dict[str, Any]], dict[str, Any]]


async def stream_changes(
    store: Store,
    target: Target,
    *,
    since: int | None,
    seconds: float | None,
    matches: Matches,
    show: Show,
) -> AsyncIterator[bytes]:
    """The lines of one watch.

    Args:
        since: a resourceVersion, or None to begin with all that exists as ``ADDED``.
        seconds: when the watch ends by itself; None: never.
        show: how an object stands in a line.
    """
    with store.subscribe() as subscription:
        try:
            seen = store.version
            if since is None:
                for item in store.list(target.kind, namespace=target.namespace):
                    if matches(item):
                        yield _render("ADDED", show(item))
            for change in store.changes_since(seen if since is None else since):
                if change.version <= seen and _concerns(change, target, matches):
                    yield _render(change.type, show(change.object))
            async with asyncio.timeout(seconds):
                async for change in _follow(subscription, after=seen):
                    if _concerns(change, target, matches):
                        yield _render(change.type, show(change.object))
        except TimeoutError:
            return
        except EngineError as error:
            yield _render("ERROR", build_failure(error))


async def _follow(subscription: Subscription, *, after: int) -> AsyncIterator[Change]:
    while True:
        change = await subscription.next()
        if change.version > after:
            yield change


def _concerns(change: Change, target: Target, matches: Matches) -> bool:
    if change.kind is not target.kind or not matches(change.object):
        return False
    return target.namespace in (None, change.object["metadata"]["namespace"])


def _render(type_: str, obj: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"type": type_, "object": obj}) + b"\n"
