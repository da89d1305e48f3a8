"""Small readings of Kubernetes JSON that every controller of the engine shares (pure)."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from slipway_operator.edges.clock import render_time
from slipway_operator.local.kinds import Kind

Object = dict[str, Any]
T = TypeVar("T")


def copy_json(value: T) -> T:
    """A copy that shares nothing with the original; of JSON, twenty times as fast as `deepcopy`."""
    copied: T = msgspec.to_builtins(value)
    return copied


def name_of(obj: Mapping[str, Any]) -> str:
    """``metadata.name``."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Mapping[str, Any]) -> str:
    """``metadata.namespace``."""
    return str(obj["metadata"]["namespace"])


def uid_of(obj: Mapping[str, Any]) -> str:
    """``metadata.uid``."""
    return str(obj["metadata"]["uid"])


def key_of(obj: Mapping[str, Any]) -> str:
    """``NAMESPACE/NAME``, the key by which controllers queue an object."""
    return f"{namespace_of(obj)}/{name_of(obj)}"


def split_key(key: str) -> tuple[str, str]:
    """Namespace and name of a key made by :func:`key_of`."""
    namespace, _, name = key.partition("/")
    return namespace, name


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """``metadata.labels``, empty when there are none."""
    return dict(obj["metadata"].get("labels") or {})


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Whether the object is on its way out."""
    return obj["metadata"].get("deletionTimestamp") is not None


def matches_labels(obj: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether every wanted label is there with that value."""
    have = obj["metadata"].get("labels") or {}
    return all(have.get(key) == value for key, value in wanted.items())


def owner_reference(owner: Mapping[str, Any]) -> Object:
    """The reference by which a child names its controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": False,
    }


def is_owned_by(obj: Mapping[str, Any], uid: str) -> bool:
    """Whether one of the object's owner references has this uid."""
    return any(ref.get("uid") == uid for ref in obj["metadata"].get("ownerReferences") or ())


def short_hash(*parts: str, length: int = 10) -> str:
    """A deterministic suffix for a name: lower-case hexadecimal digits of a SHA-256."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def child_name(parent: str, suffix: str, *, limit: int = 63) -> str:
    """``PARENT-SUFFIX`` within a DNS label; a parent too long is cut and told apart by its hash."""
    if len(parent) + 1 + len(suffix) <= limit:
        return f"{parent}-{suffix}"
    mark = short_hash(parent, length=6)
    return f"{parent[: limit - len(suffix) - len(mark) - 2]}-{mark}-{suffix}"


def build_reference(kind: Kind, obj: Mapping[str, Any]) -> Object:
    """What an Event's ``involvedObject`` says."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "uid": uid_of(obj),
    }


def find_condition(obj: Mapping[str, Any], type_: str) -> Object | None:
    """The status condition of that type, or None."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == type_:
            return dict(condition)
    return None


def set_condition(
    conditions: Iterable[Mapping[str, Any]],
    *,
    type_: str,
    status: bool,
    reason: str,
    message: str,
    now: datetime,
    observed_generation: int | None = None,
) -> list[Object]:
    """The conditions with this one in it; its transition time moves only when its status does."""
    wanted: Object = {
        "type": type_,
        "status": "True" if status else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": render_time(now),
    }
    if observed_generation is not None:
        wanted["observedGeneration"] = observed_generation
    result, found = [], False
    for condition in conditions:
        if condition.get("type") != type_:
            result.append(dict(condition))
            continue
        found = True
        if condition.get("status") == wanted["status"] and condition.get("lastTransitionTime"):
            wanted["lastTransitionTime"] = condition["lastTransitionTime"]
        result.append(wanted)
    if not found:
        result.append(wanted)
    return result
