"""Whether a child must be written: desired compared with observed, in a fixed order.

What is desired must be there; what a server or somebody else added beside it is left alone, but
for what selects, where one label more is another selection, and for filters of routes. What *we*
stopped wanting is found by the hash of what was applied last, since absence cannot be compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any, Final

from slipway_operator.api.quantity import read_quantity
from slipway_operator.state.canonical import compute_short_hash
from slipway_operator.state.identity import ANNOTATION_HASH, ChildKind
from slipway_operator.state.observed import (
    Children,
    is_terminating,
    read_annotations,
    read_name,
)

# Lists that Kubernetes merges by a key: others' elements are theirs. All other lists are ours.
_MERGE_KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ownerReferences": "uid",
    "imagePullSecrets": "name",
}
# Kubernetes sees these as one value each, whoever wrote them last.
_WHOLE: Final = frozenset(
    {"selector", "podSelector", "namespaceSelector", "matchLabels", "nodeSelector"}
)
# A filter of a route that somebody else adds may fail every request.
_NEVER_OTHERS: Final = frozenset({"filters"})
_QUANTITIES: Final = frozenset({"cpu", "memory", "ephemeral-storage", "sizeLimit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where the observed object is not as desired. `observed` is None when it is
    absent, `desired` when it should be."""

    path: str
    desired: Any
    observed: Any


_ANNOTATIONS: Final = ".metadata.annotations"


def stamp_hash(desired: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the hash of itself, but for its annotations, as an annotation."""
    metadata = desired["metadata"]
    hashed = {**desired, "metadata": {**metadata, "annotations": {}}}
    annotations = {**metadata["annotations"], ANNOTATION_HASH: compute_short_hash(hashed)}
    return {**desired, "metadata": {**metadata, "annotations": annotations}}


def diff_object(desired: Any, observed: Any) -> tuple[Difference, ...]:
    """Every place where something desired is missing or otherwise, by path."""
    return tuple(sorted(_diff(desired, observed, path=""), key=lambda found: found.path))


def _diff(desired: Any, observed: Any, *, path: str) -> Iterator[Difference]:
    if isinstance(desired, Mapping):
        if not isinstance(observed, Mapping):
            # An empty object may come back as nothing at all.
            if desired or observed is not None:
                yield Difference(path=path, desired=desired, observed=observed)
            return
        for key in sorted(desired):
            yield from _diff(desired[key], observed.get(key), path=f"{path}.{key}")
        added = observed.keys() - desired.keys()
        if path.rpartition(".")[2] not in _WHOLE:
            added = {key for key in _NEVER_OTHERS & added if observed[key]}
        for key in sorted(added):
            yield Difference(path=f"{path}.{key}", desired=None, observed=observed[key])
    elif isinstance(desired, list | tuple):
        yield from _diff_list(desired, observed, path=path)
    elif not _is_equal(desired, observed, path=path):
        yield Difference(path=path, desired=desired, observed=observed)


def _diff_list(desired: Sequence[Any], observed: Any, *, path: str) -> Iterator[Difference]:
    if not desired and observed is None:
        return
    if not isinstance(observed, list | tuple):
        yield Difference(path=path, desired=desired, observed=observed)
        return
    key = _MERGE_KEYS.get(path.rpartition(".")[2])
    if key is not None:
        by_key = {item.get(key): item for item in observed if isinstance(item, Mapping)}
        for item in desired:
            yield from _diff(item, by_key.get(item[key]), path=f"{path}[{item[key]}]")
    elif len(desired) != len(observed):
        yield Difference(path=path, desired=desired, observed=observed)
    else:
        for index, (wanted, found) in enumerate(zip(desired, observed, strict=True)):
            yield from _diff(wanted, found, path=f"{path}[{index}]")


def _is_equal(desired: Any, observed: Any, *, path: str) -> bool:
    if desired == observed:
        return True
    # A server writes 1024Mi as 1Gi.
    if path.rpartition(".")[2] not in _QUANTITIES or not isinstance(observed, int | str):
        return False
    try:
        return read_quantity(desired) == read_quantity(observed)
    except InvalidOperation:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What comparing all children came to.

    `writes`: to be applied, in the order in which they depend on one another. `strangers`: objects
    of somebody else under our names. `leaving`: names that are free as soon as an object is gone.
    `edited`: children that were changed by hand, with the first place where. `rerouted`: what the
    gateway confirmed is not what it will be told.
    """

    writes: tuple[Mapping[str, Any], ...]
    strangers: tuple[Mapping[str, Any], ...]
    leaving: tuple[Mapping[str, Any], ...]
    edited: tuple[tuple[Mapping[str, Any], Difference], ...]
    rerouted: bool


def compare_children(*, desired: Iterable[Mapping[str, Any]], children: Children) -> Comparison:
    """Compare every desired child with what exists under its name.

    A stranger's object is never written; a Job is written once (Kubernetes lets nobody change it).
    """
    writes: list[Mapping[str, Any]] = []
    strangers: list[Mapping[str, Any]] = []
    leaving: list[Mapping[str, Any]] = []
    edited: list[tuple[Mapping[str, Any], Difference]] = []
    rerouted = False
    for child in sorted(map(stamp_hash, desired), key=_order):
        kind, name = ChildKind(child["kind"]), read_name(child)
        blocker = children.find_blocker(kind, name)
        if blocker is not None:
            gone_soon = is_terminating(blocker) or children.owner.is_left_over(blocker)
            (leaving if gone_soon else strangers).append(blocker)
            continue
        found = children.find(kind, name)
        if found is not None and kind is ChildKind.JOB:
            continue
        differences = diff_object(child, found)
        if not differences:
            continue
        writes.append(child)
        same = found is not None and _read_hash(found) == _read_hash(child)
        # Annotations are outside the hash, because we change them ourselves.
        by_hand = [each for each in differences if not each.path.startswith(_ANNOTATIONS)]
        if found is not None and same and by_hand:
            edited.append((found, by_hand[0]))
        if kind is ChildKind.HTTP_ROUTE:
            touched = any(difference.path.startswith(".spec") for difference in differences)
            rerouted = touched or not same
    return Comparison(
        writes=tuple(writes),
        strangers=tuple(strangers),
        leaving=tuple(leaving),
        edited=tuple(edited),
        rerouted=rerouted,
    )


def _order(child: Mapping[str, Any]) -> tuple[int, str]:
    return list(ChildKind).index(ChildKind(child["kind"])), read_name(child)


def _read_hash(obj: Mapping[str, Any]) -> str | None:
    return read_annotations(obj).get(ANNOTATION_HASH)
