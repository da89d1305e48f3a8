"""Garbage collection: an object all of whose owners are gone is deleted (background cascade)."""

from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.changes import Change
from slipway_operator.local.errors import Conflict, NotFound
from slipway_operator.local.kinds import EVENT, find_kind
from slipway_operator.local.objects import name_of, namespace_of, uid_of
from slipway_operator.local.store import Store


class GarbageCollector:
    """Deletes orphans; one pass looks at all objects, there are few."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._loop = KeyedLoop(
            name="garbage",
            handler=self._collect,
            backoff=Backoff(first_seconds=0.5, cap_seconds=10),
        )

    def notice(self, change: Change) -> None:
        """A deletion may have left orphans; so may a late child of an owner long gone."""
        if change.type == "DELETED" or change.object["metadata"].get("ownerReferences"):
            self._loop.wake("all")

    def resync(self) -> None:
        """Look at everything."""
        self._loop.wake("all")

    async def close(self) -> None:
        """Stop working."""
        await self._loop.close()

    async def _collect(self, _: str) -> None:
        alive = self._store.uids()
        for obj in self._store.list():
            owners = obj["metadata"].get("ownerReferences") or ()
            if not owners or any(owner.get("uid") in alive for owner in owners):
                continue
            kind = find_kind(obj["apiVersion"], obj["kind"])
            if kind is None or (kind is not EVENT and obj["metadata"].get("deletionTimestamp")):
                continue
            try:
                self._store.delete(kind, namespace_of(obj), name_of(obj), uid=uid_of(obj))
            except (NotFound, Conflict):
                continue
