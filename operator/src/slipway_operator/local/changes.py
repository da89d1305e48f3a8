"""What happens in the store, for whoever watches it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from slipway_operator.local.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened: ``ADDED``, ``MODIFIED`` or ``DELETED``, at a resourceVersion."""

    type: str
    version: int
    kind: Kind
    object: dict[str, Any]


class Subscription:
    """Every change from now on, in order; leaving the ``with`` block ends it."""

    def __init__(self, subscribers: "set[Subscription]") -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        self._subscribers = subscribers

    def __enter__(self) -> "Subscription":
        self._subscribers.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._subscribers.discard(self)

    def offer(self, change: Change) -> None:
        """Hand over one change (called by the store)."""
        self._queue.put_nowait(change)

    async def next(self) -> Change:
        """The next change; waits for it."""
        return await self._queue.get()
