"""The world as it was read: children of one ModelDeployment, strangers, and what is on its way out.

`Observed` comes from an edge and may hold more than ours (a laptop gives the whole namespace);
`Children` sorts it out by name and owner. Order never matters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slipway_operator.state.identity import (
    LABEL_UID,
    ChildKind,
    Owner,
    read_controller,
)

if TYPE_CHECKING:
    from slipway_operator.state.readings import Readings

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A write of the last plan that was refused: a reason of the catalogue and its sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What exists.

    `objects`: live objects as Kubernetes JSON: every object with the label `slipway.dev/uid` of the
    model, its pods, and whatever else carries the name of a child. `absent_secrets`: those of
    `plan.list_secrets` that do not exist. `artifacts`: by build hash, the facts that `publish`
    reported for artifacts that the store already has. `refusal`: what kept the last plan from being
    carried out, until it is. `other_builds`: how many builds of other models run in the namespace.
    `pod_refusal`: in which words a pod of the running build was refused, where there is none.
    `allowed_hosts`: the host names that the namespace may use; `host_holders`: by host, the older
    model that has it. Both are asked for where `plan.list_hosts_to_check` names a host. `readings`:
    what the pods of `lookups.list_pods_to_read` have counted; None: they were not asked this time.
    `override_token`: that of the Secret of `plan.name_override_secret`.
    """

    objects: tuple[Json, ...] = ()
    absent_secrets: frozenset[str] = frozenset()
    artifacts: Mapping[str, Json] = field(default_factory=dict)
    refusal: Refusal | None = None
    other_builds: int = 0
    pod_refusal: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    host_holders: Mapping[str, str] = field(default_factory=dict)
    readings: "Readings | None" = None
    override_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """One object to be deleted: this very one, by uid."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """The observed objects, as seen by one owner."""

    owner: Owner
    by_key: Mapping[tuple[str, str], Json]  # (kind, name), of the owner's namespace

    def find(self, kind: ChildKind, name: str) -> Json | None:
        """A child of this owner that is there to stay."""
        obj = self.by_key.get((kind, name))
        return None if obj is None or not self._is_ours(obj) or is_terminating(obj) else obj

    def find_blocker(self, kind: ChildKind, name: str) -> Json | None:
        """What keeps a child from being written: a stranger's object, or one on its way out."""
        obj = self.by_key.get((kind, name))
        return None if obj is None or (self._is_ours(obj) and not is_terminating(obj)) else obj

    def list(self, kind: ChildKind) -> tuple[Json, ...]:
        """Every child of a kind, by name, those on their way out included."""
        return tuple(obj for (of, _), obj in self._sorted() if of == kind and self._is_ours(obj))

    def list_pods(self, **labels: str) -> tuple[Json, ...]:
        """The model's pods with all these labels, by name."""
        return tuple(
            obj
            for (kind, _), obj in self._sorted()
            if kind == "Pod" and labels.items() <= read_labels(obj).items()
        )

    def list_pods_of(self, job_uid: str) -> tuple[Json, ...]:
        """The pods of one Job, by name."""
        return tuple(
            obj
            for (kind, _), obj in self._sorted()
            if kind == "Pod" and read_controller(obj).get("uid") == job_uid
        )

    def _is_ours(self, obj: Json) -> bool:
        return self.owner.owns(obj)

    def _sorted(self) -> Iterator[tuple[tuple[str, str], Json]]:
        return iter(sorted(self.by_key.items(), key=lambda item: item[0]))


def observe_children(owner: Owner, observed: Observed) -> Children:
    """Index what was observed in the owner's namespace by kind and name."""
    return Children(
        owner=owner,
        by_key={
            (obj.get("kind", ""), read_name(obj)): obj
            for obj in observed.objects
            if obj.get("metadata", {}).get("namespace", "default") == owner.namespace
            and (obj.get("kind") != "Pod" or read_labels(obj).get(LABEL_UID) == owner.uid)
        },
    )


def read_name(obj: Json) -> str:
    """`metadata.name`."""
    return str(obj.get("metadata", {}).get("name", ""))


def read_uid(obj: Json) -> str:
    """`metadata.uid`."""
    return str(obj.get("metadata", {}).get("uid", ""))


def read_labels(obj: Json) -> Mapping[str, str]:
    """`metadata.labels`, empty when there are none."""
    return obj.get("metadata", {}).get("labels") or {}


def read_annotations(obj: Json) -> Mapping[str, str]:
    """`metadata.annotations`, empty when there are none."""
    return obj.get("metadata", {}).get("annotations") or {}


def read_conditions(obj: Json) -> Mapping[str, Json]:
    """`status.conditions` by type."""
    return {
        condition.get("type", ""): condition
        for condition in obj.get("status", {}).get("conditions") or ()
    }


def is_terminating(obj: Json) -> bool:
    """Whether an object is being deleted."""
    return bool(obj.get("metadata", {}).get("deletionTimestamp"))


def build_ref(obj: Json) -> ObjectRef:
    """The reference by which exactly this object is deleted."""
    return ObjectRef(
        api_version=str(obj.get("apiVersion", "")),
        kind=str(obj.get("kind", "")),
        namespace=str(obj.get("metadata", {}).get("namespace", "default")),
        name=read_name(obj),
        uid=read_uid(obj),
    )
