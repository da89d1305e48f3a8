"""What the watches told, as one value in memory: models, their children, their pods.

A reconcile reads from here, so that a thousand models cost no thousand lists. It may be a moment
behind: every write carries a condition, and everything is listed anew each minute, which also
drops what was deleted while nobody watched. Objects are kept packed, a tenth of what they take as
dictionaries, and unpacked for whoever looks at one.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from slipway_operator.api.conditions import ConditionType
from slipway_operator.edges.kubernetes.resources import JOB, MODEL
from slipway_operator.state.autoscaled import list_scalings
from slipway_operator.state.build_run import is_unfinished
from slipway_operator.state.identity import LABEL_BUILD, LABEL_UID
from slipway_operator.state.observed import read_conditions, read_labels

Object = Mapping[str, Any]
Name = tuple[str, str]  # namespace, name
_Key = tuple[str, *Name]  # kind before them
_LEVEL: Final = 1  # the quickest; the best saves another tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    key: _Key
    uid: str
    version: int
    owner: str | None
    is_open: bool
    hosts: tuple[str, ...]
    packed: bytes


class Mirror:
    """Objects by key, and the children of each model by its uid."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Name, _Kept]] = {}  # by kind
        self._children: dict[str, dict[_Key, _Kept]] = {}
        self._by_uid: dict[str, _Kept] = {}
        self._open: dict[str, dict[Name, _Kept]] = {}
        self._by_host: dict[str, dict[_Key, _Kept]] = {}

    def put(self, obj: Object) -> bool:
        """Keep an object, unless it or a newer state is kept; tells whether it was."""
        key, uid, version = _key(obj), str(obj["metadata"].get("uid") or ""), read_version(obj)
        if self.has(*key, uid=uid, version=version):
            return False
        self._forget(key)
        kept = _Kept(
            key=key,
            uid=uid,
            version=version,
            owner=read_labels(obj).get(LABEL_UID),
            is_open=_is_open(obj),
            hosts=_read_hosts(obj),
            packed=_pack(_without_bookkeeping(obj)),
        )
        self._objects.setdefault(key[0], {})[key[1:]] = kept
        self._by_uid[uid] = kept
        if kept.owner:
            self._children.setdefault(kept.owner, {})[key] = kept
        if kept.is_open:
            self._open.setdefault(key[0], {})[key[1:]] = kept
        for host in kept.hosts:
            self._by_host.setdefault(host, {})[key] = kept
        return True

    def has(self, kind: str, namespace: str, name: str, *, uid: str, version: int) -> bool:
        """Whether this state of an object is kept, or a newer one (Kubernetes 1.35 orders them)."""
        kept = self._objects.get(kind, {}).get((namespace, name))
        return kept is not None and kept.uid == uid and 0 < version <= kept.version

    def drop(self, obj: Object) -> None:
        """Forget an object that was deleted, unless another of that name is kept by now."""
        key = _key(obj)
        kept = self._objects.get(key[0], {}).get(key[1:])
        if kept is not None and kept.uid == str(obj["metadata"].get("uid") or ""):
            self._forget(key)

    def keep_only(self, kind: str, names: Collection[Name], *, version: int) -> None:
        """Forget whatever of a kind a whole list, as of `version`, has no longer.

        What a watch or a write of ours told since then is newer than the list, and stays.
        """
        gone = [
            kept.key
            for name, kept in self._objects.get(kind, {}).items()
            if name not in names and kept.version <= version
        ]
        for key in gone:
            self._forget(key)

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """One object."""
        return _unpack(self._objects.get(kind, {}).get((namespace, name)))

    def find_by_uid(self, uid: str) -> Object | None:
        """One object, whatever it is called."""
        return _unpack(self._by_uid.get(uid))

    def list_uids(self, kind: str) -> list[str]:
        """The uids of all objects of a kind."""
        return [kept.uid for kept in self._objects.get(kind, {}).values()]

    def list_open(self, kind: str) -> Iterator[Object]:
        """The builds that have not ended, or the models that wait to begin one."""
        return (_read(kept) for kept in list(self._open.get(kind, {}).values()))

    def list_claimants(self, host: str) -> list[Object]:
        """The models that ask for a host name."""
        return [_read(kept) for kept in self._by_host.get(host, {}).values()]

    def children_of(self, uid: str) -> tuple[Object, ...]:
        """Everything that carries the uid of a model."""
        return tuple(_read(kept) for kept in self._children.get(uid, {}).values())

    def fingerprint(self, uid: str) -> tuple[str, ...]:
        """The states of an object and of everything that carries its uid, to be compared."""
        asked = self._by_uid.get(uid)
        family = [*self._children.get(uid, {}).values(), *([asked] if asked else ())]
        return tuple(sorted(f"{kept.uid}/{kept.version}" for kept in family))

    def _forget(self, key: _Key) -> None:
        kept = self._objects.get(key[0], {}).pop(key[1:], None)
        if kept is None:
            return
        self._by_uid.pop(kept.uid, None)
        self._open.get(key[0], {}).pop(key[1:], None)
        family = self._children.get(kept.owner or "", {})
        family.pop(key, None)
        if kept.owner and not family:
            self._children.pop(kept.owner, None)
        for host in kept.hosts:
            self._by_host[host].pop(key)
            if not self._by_host[host]:
                del self._by_host[host]


def _key(obj: Object) -> _Key:
    metadata = obj["metadata"]
    return str(obj["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"])


def _pack(obj: Object) -> bytes:
    return zlib.compress(msgspec.json.encode(obj), _LEVEL)


def _read(kept: _Kept) -> Object:
    found: Object = msgspec.json.decode(zlib.decompress(kept.packed))
    return found


def _unpack(kept: _Kept | None) -> Object | None:
    return None if kept is None else _read(kept)


def read_version(obj: Object) -> int:
    """`metadata.resourceVersion`; 0 where there is none that can be compared."""
    text = str(obj["metadata"].get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def _is_open(obj: Object) -> bool:
    if obj["kind"] == JOB.kind:
        return LABEL_BUILD in read_labels(obj) and is_unfinished(obj)
    if obj["kind"] == MODEL.kind:
        ready = read_conditions(obj).get(ConditionType.MODEL_READY) or {}
        return bool(ready.get("reason") == "BuildQueued")
    return False


def _read_hosts(obj: Object) -> tuple[str, ...]:
    if obj["kind"] != MODEL.kind:
        return ()
    asked = ((obj.get("spec") or {}).get("traffic") or {}).get("hostnames") or ()
    return tuple(dict.fromkeys(str(host) for host in asked))


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
