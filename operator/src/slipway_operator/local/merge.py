"""How a write changes an object: server-side apply and JSON merge patch, as pure functions.

Apply: what is desired wins; what this manager applied before and no longer asks for is taken away;
what others wrote stays. Maps merge, lists are replaced whole, status is never touched.
"""

from collections.abc import Mapping
from typing import Any, Final

from slipway_operator.local.objects import Object, copy_json

OWNED_BY_STORE: Final = (
    "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "selfLink",
)  # fmt: skip


def strip_applied(document: Mapping[str, Any]) -> Object:
    """What a manager may own of a document: all but status and the store's own metadata."""
    result = {key: copy_json(value) for key, value in document.items() if key != "status"}
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        for name in OWNED_BY_STORE:
            metadata.pop(name, None)
    return result


def merge_applied(
    *, live: Mapping[str, Any], desired: Mapping[str, Any], previous: Mapping[str, Any]
) -> Object:
    """The object after an apply.

    Args:
        live: the object as stored.
        desired: what the manager applies now (see :func:`strip_applied`).
        previous: what the same manager applied last time, or an empty mapping.

    >>> merge_applied(live={"a": 1, "b": 2}, desired={"c": 3}, previous={"a": 1})
    {'b': 2, 'c': 3}
    """
    result = {key: value for key, value in live.items() if key in desired or key not in previous}
    for key, value in desired.items():
        if value is None:
            result.pop(key, None)
            continue
        current, before = live.get(key), previous.get(key)
        if isinstance(value, Mapping) and isinstance(current, Mapping):
            result[key] = merge_applied(
                live=current,
                desired=value,
                previous=before if isinstance(before, Mapping) else {},
            )
        else:
            result[key] = without_nulls(value)
    return copy_json(result)


def without_nulls(value: Any) -> Any:
    """A value whose maps have lost every null member, as an API server stores it."""
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return copy_json(value)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, maps merge, everything else replaces.

    >>> merge_patch({"a": {"b": 1, "c": 2}}, {"a": {"b": None}})
    {'a': {'c': 2}}
    """
    if not isinstance(patch, Mapping):
        return copy_json(patch)
    result: Object = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return copy_json(result)


def is_plain_merge(patch: Any) -> bool:
    """Whether a strategic merge patch means what a JSON merge patch does: no list, no directive."""
    if isinstance(patch, Mapping):
        return all(not key.startswith("$") and is_plain_merge(patch[key]) for key in patch)
    return not isinstance(patch, list)
