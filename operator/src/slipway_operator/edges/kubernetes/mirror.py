"""What the watches told, as one value in memory: models, their children, their pods.

A reconcile reads from here, so that a thousand models cost no thousand lists. It may be a moment
behind: every write carries a condition, and everything is listed anew each minute, which also
drops what was deleted while nobody watched.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slipway_operator.state.autoscaled import list_scalings
from slipway_operator.state.identity import LABEL_UID

Object = Mapping[str, Any]
_Name = tuple[str, str]  # namespace, name
_Key = tuple[str, *_Name]  # kind before them


class Mirror:
    """Objects by key, and the children of each model by its uid."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[_Name, Object]] = {}  # by kind
        self._children: dict[str, dict[_Key, Object]] = {}
        self._by_uid: dict[str, Object] = {}

    def put(self, obj: Object) -> bool:
        """Keep an object, unless a newer one is kept; tells whether it was."""
        key = _key(obj)
        before = self.find(*key)
        if before is not None and _is_older(obj, before):
            return False
        self._forget(key)
        obj = _without_bookkeeping(obj)
        self._objects.setdefault(key[0], {})[key[1:]] = obj
        self._by_uid[obj["metadata"].get("uid", "")] = obj
        uid = _owner_of(obj)
        if uid:
            self._children.setdefault(uid, {})[key] = obj
        return True

    def drop(self, obj: Object) -> None:
        """Forget an object that was deleted, unless another of that name is kept by now."""
        key = _key(obj)
        kept = self.find(*key)
        if kept is not None and kept["metadata"].get("uid") == obj["metadata"].get("uid"):
            self._forget(key)

    def replace(self, kind: str, objects: Iterable[Object], *, version: int) -> None:
        """Keep exactly these objects of a kind: a whole list was read, as of `version`.

        What a watch or a write of ours told since then is newer than the list, and stays.
        """
        fresh = {_key(obj): obj for obj in objects}
        gone = [
            (kind, *name)
            for name, obj in self._objects.get(kind, {}).items()
            if (kind, *name) not in fresh and read_version(obj) <= version
        ]
        for key in gone:
            self._forget(key)
        for obj in fresh.values():
            self.put(obj)

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object."""
        return self._objects.get(kind, {}).get((namespace, name))

    def find_by_uid(self, uid: str) -> Object | None:
        """One object, whatever it is called."""
        return self._by_uid.get(uid)

    def list(self, kind: str) -> Iterator[Object]:
        """All objects of a kind."""
        return iter(list(self._objects.get(kind, {}).values()))

    def children_of(self, uid: str) -> tuple[Object, ...]:
        """Everything that carries the uid of a model."""
        return tuple(self._children.get(uid, {}).values())

    def _forget(self, key: _Key) -> None:
        obj = self._objects.get(key[0], {}).pop(key[1:], None)
        if obj is None:
            return
        self._by_uid.pop(obj["metadata"].get("uid", ""), None)
        uid = _owner_of(obj)
        family = self._children.get(uid or "", {})
        family.pop(key, None)
        if uid and not family:
            self._children.pop(uid, None)


def _key(obj: Object) -> _Key:
    metadata = obj["metadata"]
    return str(obj["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"])


def _owner_of(obj: Object) -> str | None:
    return (obj["metadata"].get("labels") or {}).get(LABEL_UID)


def read_version(obj: Object) -> int:
    """`metadata.resourceVersion`; 0 where there is none that can be compared."""
    text = str(obj["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def _without_bookkeeping(obj: Object) -> Object:
    """The object without the server's record of who wrote what, which is half its size; only who
    scales it is read."""
    metadata = obj["metadata"]
    if "managedFields" not in metadata:
        return obj
    kept = {name: value for name, value in metadata.items() if name != "managedFields"}
    if scalings := list(list_scalings(obj)):
        kept["managedFields"] = scalings
    return {**obj, "metadata": kept}


def _is_older(one: Object, other: Object) -> bool:
    """Whether one state of the same object lies before another (Kubernetes 1.35 orders them)."""
    first, second = one["metadata"], other["metadata"]
    if first.get("uid") != second.get("uid"):
        return False
    versions = read_version(one), read_version(other)
    return all(versions) and versions[0] < versions[1]
