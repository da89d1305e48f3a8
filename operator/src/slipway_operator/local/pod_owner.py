"""What every controller is that makes pods for the objects of one kind (Deployments, Jobs).

An object's change wakes it, and so does a change of a pod that it owns. What is to be done, and
what the object's status says, is the subclass's; processes are ``pods``' business.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.changes import Change
from slipway_operator.local.kinds import POD, Kind
from slipway_operator.local.objects import (
    copy_json,
    is_deleting,
    is_owned_by,
    key_of,
    namespace_of,
    owner_reference,
    split_key,
    uid_of,
)
from slipway_operator.local.store import Store

Object = dict[str, Any]


class PodOwner(ABC):
    """Looks at an object of ``kind`` whenever it, or a pod of its own, has changed."""

    def __init__(self, *, kind: Kind, store: Store) -> None:
        self._kind, self._store = kind, store
        self._loop = KeyedLoop(
            name=kind.kind.lower(),
            handler=self._look,
            backoff=Backoff(first_seconds=0.5, cap_seconds=10.0),
        )

    @abstractmethod
    def sync(self, owner: Object, pods: list[Object]) -> float | None:
        """Take the steps that are due; ``pods`` are all that it owns, leaving ones too.

        Returns:
            Seconds until it has to be looked at again without an event, or None.
        """

    def notice(self, change: Change) -> None:
        """Wake the object that a change concerns."""
        if change.kind is self._kind:
            self._loop.wake(key_of(change.object))
        elif change.kind is POD:
            for reference in change.object["metadata"].get("ownerReferences") or ():
                if reference.get("kind") == self._kind.kind:
                    self._loop.wake(f"{namespace_of(change.object)}/{reference['name']}")

    def resync(self) -> None:
        """Wake every object."""
        for owner in self._store.list(self._kind):
            self._loop.wake(key_of(owner))

    async def close(self) -> None:
        """Stop working."""
        await self._loop.close()

    async def _look(self, key: str) -> float | None:
        namespace, name = split_key(key)
        owner = self._store.find(self._kind, namespace, name)
        if owner is None or is_deleting(owner):
            return None
        pods = self._store.list(POD, namespace=namespace)
        return self.sync(owner, [pod for pod in pods if is_owned_by(pod, uid_of(owner))])


def build_pod(owner: Mapping[str, Any], *, name: str, labels: Mapping[str, str]) -> Object:
    """A pod of the owner's template, with these labels beside the template's."""
    template = copy_json(owner["spec"]["template"])
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": POD.api_version,
        "kind": POD.kind,
        "metadata": {
            "name": name,
            "namespace": namespace_of(owner),
            "labels": {**(metadata.get("labels") or {}), **labels},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }
