"""The engine's objects: Kubernetes JSON in one crash-safe SQLite file, Kubernetes' semantics.

resourceVersion, generation, uid, preconditions, server-side apply, a status subresource, graceful
deletion of pods, finalizers, watches. One process writes (see ``datafolder``); memory is a cache
that changes only after the commit. It must not log or print an object's content.
"""

import sqlite3
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from slipway_operator.edges.clock import render_time, utc_now
from slipway_operator.local.changes import Change, Subscription
from slipway_operator.local.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    EngineRefused,
    Expired,
    NotFound,
    StoreUnavailable,
)
from slipway_operator.local.kinds import POD, Kind, find_kind
from slipway_operator.local.merge import (
    OWNED_BY_STORE,
    merge_applied,
    merge_patch,
    strip_applied,
    without_nulls,
)
from slipway_operator.local.objects import copy_json, matches_labels, namespace_of

Object = dict[str, Any]
Key = tuple[str, str, str, str]

HISTORY: Final = 5000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS objects (
    api_version TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL, applied BLOB NOT NULL,
    PRIMARY KEY (api_version, kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (
    id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL
);
INSERT OR IGNORE INTO counter VALUES (1, 1);
"""


class Store:
    """All objects of one data folder. Not thread-safe: it lives in the engine's event loop."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Open or create the file.

        Raises:
            EngineRefused: when the file cannot be opened or is no database.
        """
        self._clock = clock
        self._version: int = 0
        self._objects: dict[Key, Object] = {}
        self._applied: dict[Key, dict[str, Object]] = {}
        self._history: deque[Change] = deque(maxlen=HISTORY)
        self._subscribers: set[Subscription] = set()
        try:
            path.touch(mode=0o600, exist_ok=True)
            path.chmod(0o600)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._load()
        except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
            raise EngineRefused(
                f'Cannot open store "{path}": {error}. Free disk space, or move the file away to '
                "start with nothing."
            ) from error
        self._oldest = self._version

    def _load(self) -> None:
        (self._version,) = self._db.execute("SELECT version FROM counter").fetchone()
        for body, applied in self._db.execute("SELECT body, applied FROM objects"):
            obj = msgspec.json.decode(body)
            key = _key(_kind_of(obj), namespace_of(obj), obj["metadata"]["name"])
            self._objects[key] = obj
            self._applied[key] = msgspec.json.decode(applied)

    def close(self) -> None:
        """Close the file; the store is not used afterwards."""
        self._db.close()

    # ── Reading ──────────────────────────────────────────────────────────────────────────────
    @property
    def version(self) -> int:
        """The newest resourceVersion."""
        return self._version

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """The object.

        Raises:
            NotFound: when there is none.
        """
        found = self.find(kind, namespace, name)
        if found is None:
            raise _not_found(kind, namespace, name)
        return found

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object (a copy), or None."""
        return copy_json(self._objects.get(_key(kind, namespace, name)))

    def find_by_uid(self, kind: Kind, uid: str) -> Object | None:
        """The object of that kind and uid (a copy), or None."""
        for key, obj in self._objects.items():
            if key[1] == kind.kind and obj["metadata"]["uid"] == uid:
                return copy_json(obj)
        return None

    def uids(self) -> set[str]:
        """The uid of every object."""
        return {obj["metadata"]["uid"] for obj in self._objects.values()}

    def list(
        self,
        kind: Kind | None = None,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """Copies of all objects that match, by kind, namespace and name."""
        return [
            copy_json(obj)
            for key, obj in sorted(self._objects.items())
            if (kind is None or key[:2] == (kind.api_version, kind.kind))
            and (namespace is None or key[2] == namespace)
            and (not labels or matches_labels(obj, labels))
        ]

    def subscribe(self) -> Subscription:
        """A subscription to every change; use it as a context manager."""
        return Subscription(self._subscribers)

    def changes_since(self, version: int) -> Sequence[Change]:
        """What happened after ``version``.

        Raises:
            Expired: when that is longer ago than the engine remembers, or before it started.
        """
        oldest = self._oldest
        if len(self._history) == HISTORY:
            oldest = max(oldest, self._history[0].version)
        if version < oldest:
            raise Expired(f"Cannot watch from resourceVersion {version}: the oldest is {oldest}.")
        return [change for change in self._history if change.version > version]

    # ── Writing ──────────────────────────────────────────────────────────────────────────────
    def create(self, document: Mapping[str, Any]) -> Object:
        """Store a new object.

        Raises:
            AlreadyExists: when one of that name exists.
        """
        kind, namespace, name = _identify(document)
        if _key(kind, namespace, name) in self._objects:
            raise AlreadyExists(f'{kind.kind} "{namespace}/{name}" already exists.')
        return self._insert(kind, strip_applied(without_nulls(document)), applied={})

    def apply(self, document: Mapping[str, Any], *, manager: str) -> Object:
        """Server-side apply: create, or merge into what is there (see ``merge``).

        Raises:
            Conflict: when the document names another uid or resourceVersion than the stored one's.
        """
        kind, namespace, name = _identify(document)
        key = _key(kind, namespace, name)
        live = self._objects.get(key)
        desired = strip_applied(document)
        metadata = document["metadata"]
        if live is None:
            if metadata.get("uid"):
                raise Conflict(
                    f'Cannot apply {kind.kind} "{namespace}/{name}": the object with uid '
                    f"{metadata['uid']} is gone."
                )
            return self._insert(kind, without_nulls(desired), applied={manager: desired})
        _check(kind, live, uid=metadata.get("uid"), version=metadata.get("resourceVersion"))
        merged = self.preview_apply(document, manager=manager)
        return self._update(kind, live, merged, applied={**self._applied[key], manager: desired})

    def preview_apply(self, document: Mapping[str, Any], *, manager: str) -> Object:
        """The object that an apply would make of what is there; nothing is written."""
        key = _key(*_identify(document))
        live, desired = self._objects.get(key), strip_applied(document)
        if live is None:
            return desired
        previous = self._applied[key].get(manager) or {}
        return merge_applied(live=live, desired=desired, previous=previous)

    def replace(self, document: Mapping[str, Any]) -> Object:
        """A whole new object in place of the old one; status and the store's metadata stay."""
        kind, namespace, name = _identify(document)
        live = self.get(kind, namespace, name)
        metadata = document["metadata"]
        _check(kind, live, uid=metadata.get("uid"), version=metadata.get("resourceVersion"))
        wanted = strip_applied(without_nulls(document))
        if "status" in live:
            wanted["status"] = live["status"]
        return self._update(kind, live, wanted)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        status: bool = False,
    ) -> Object:
        """A JSON merge patch of everything but status, or, with ``status``, of status alone."""
        live = self.get(kind, namespace, name)
        metadata = patch.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        _check(kind, live, uid=metadata.get("uid"), version=metadata.get("resourceVersion"))
        if status:
            wanted = {**live, "status": merge_patch(live.get("status") or {}, patch.get("status"))}
        else:
            wanted = merge_patch(live, strip_applied(patch))
        return self._update(kind, live, wanted)

    def set_status(self, kind: Kind, namespace: str, name: str, uid: str, status: Any) -> Object:
        """Replace the whole status of the object with that uid; nothing is written if equal.

        Raises:
            NotFound: when the object is gone. Conflict: when another has its name by now.
        """
        live = self.get(kind, namespace, name)
        _check(kind, live, uid=uid, version=None)
        return self._update(kind, live, {**live, "status": without_nulls(status)})

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        version: str | None = None,
        now: bool = False,
    ) -> Object:
        """Delete; a pod, or what has finalizers, is only marked until its keeper has let go.

        Args:
            uid: the precondition; version: likewise, a resourceVersion.
            now: remove at once (for the keeper itself, when the processes are gone).

        Raises:
            NotFound: when there is none. Conflict: when a precondition does not hold.
        """
        live = self.get(kind, namespace, name)
        _check(kind, live, uid=uid, version=version)
        if live["metadata"].get("finalizers") or (kind is POD and not now):
            if live["metadata"].get("deletionTimestamp"):
                return live
            marked = copy_json(live)
            marked["metadata"]["deletionTimestamp"] = render_time(self._clock())
            grace = (live.get("spec") or {}).get("terminationGracePeriodSeconds", 30)
            if kind is POD:
                marked["metadata"]["deletionGracePeriodSeconds"] = grace
            return self._write("MODIFIED", kind, marked, applied=None)
        return self._write("DELETED", kind, live, applied=None)

    # ── The one way to disk ──────────────────────────────────────────────────────────────────
    def _insert(self, kind: Kind, obj: Object, *, applied: dict[str, Object]) -> Object:
        metadata = obj["metadata"]
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = render_time(self._clock())
        if kind.has_status:
            metadata["generation"] = 1
        return self._write("ADDED", kind, obj, applied=applied)

    def _update(
        self, kind: Kind, live: Object, wanted: Object, *, applied: dict[str, Object] | None = None
    ) -> Object:
        metadata = wanted["metadata"] = dict(wanted.get("metadata") or {})
        for name in ("name", "namespace", *OWNED_BY_STORE):
            metadata.pop(name, None)
            if name in live["metadata"]:
                metadata[name] = live["metadata"][name]
        wanted["apiVersion"], wanted["kind"] = live["apiVersion"], live["kind"]
        if wanted == live:
            return copy_json(live)
        if "generation" in metadata and _body(wanted) != _body(live):
            metadata["generation"] += 1
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and kind is not POD:
            return self._write("DELETED", kind, wanted, applied=None)
        return self._write("MODIFIED", kind, wanted, applied=applied)

    def _write(
        self, change: str, kind: Kind, obj: Object, *, applied: dict[str, Object] | None
    ) -> Object:
        version = self._version + 1
        obj = copy_json(obj)
        obj["metadata"]["resourceVersion"] = str(version)
        key = _key(kind, namespace_of(obj), obj["metadata"]["name"])
        applied = self._applied.get(key, {}) if applied is None else applied
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if change == "DELETED":
                self._db.execute(
                    "DELETE FROM objects WHERE api_version=? AND kind=? AND namespace=? AND name=?",
                    key,
                )
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?,?)",
                    (*key, version, msgspec.json.encode(obj), msgspec.json.encode(applied)),
                )
            self._db.execute("UPDATE counter SET version=?", (version,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreUnavailable(
                f'Cannot write {kind.kind} "{key[2]}/{key[3]}" to the store: {error}. '
                "What is served goes on; free disk space and it goes on by itself."
            ) from error
        self._version = version
        if change == "DELETED":
            self._objects.pop(key, None)
            self._applied.pop(key, None)
        else:
            self._objects[key], self._applied[key] = obj, applied
        happened = Change(type=change, version=version, kind=kind, object=copy_json(obj))
        self._history.append(happened)
        for subscriber in tuple(self._subscribers):
            subscriber.offer(happened)
        return copy_json(obj)


def _key(kind: Kind, namespace: str, name: str) -> Key:
    return (kind.api_version, kind.kind, namespace, name)


def _kind_of(document: Mapping[str, Any]) -> Kind:
    kind = find_kind(document.get("apiVersion"), document.get("kind"))
    if kind is None:
        raise BadRequest(
            f'The engine keeps no kind "{document.get("kind")}" of apiVersion '
            f'"{document.get("apiVersion")}".'
        )
    return kind


def _identify(document: Mapping[str, Any]) -> tuple[Kind, str, str]:
    kind = _kind_of(document)
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name or not isinstance(namespace, str) or not namespace:
        raise BadRequest(f"A {kind.kind} needs metadata.name and metadata.namespace.")
    return kind, namespace, name


def _body(obj: Mapping[str, Any]) -> Object:
    return {key: value for key, value in obj.items() if key not in ("metadata", "status")}


def _not_found(kind: Kind, namespace: str, name: str) -> NotFound:
    return NotFound(f'{kind.kind} "{namespace}/{name}" not found.')


def _check(kind: Kind, live: Mapping[str, Any], *, uid: str | None, version: str | None) -> None:
    metadata = live["metadata"]
    what = f'{kind.kind} "{metadata["namespace"]}/{metadata["name"]}"'
    if uid and uid != metadata["uid"]:
        raise Conflict(f"{what} has uid {metadata['uid']}, not {uid}: it was made anew meanwhile.")
    if version and version != metadata["resourceVersion"]:
        raise Conflict(
            f"{what} is at resourceVersion {metadata['resourceVersion']}, not {version}: read it "
            "again and repeat the change."
        )
