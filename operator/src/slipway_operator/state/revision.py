"""A revision: the frozen answer to "what would be served", and how its children are doing.

A `Snapshot` rides as an annotation on the revision's Deployment and Service, so that a revision can
be rebuilt exactly as it was without spec or status. Its hash proves that nobody edited it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec
from msgspec.structs import FieldInfo

from slipway_operator.api.spec import Contract, Dependency, Serving
from slipway_operator.api.status import Report
from slipway_operator.api.vocabulary import Unpickle
from slipway_operator.settings import RegistryCredentials
from slipway_operator.state.canonical import (
    compute_short_hash,
    read_json_object,
    render_canonical,
)
from slipway_operator.state.identity import (
    ANNOTATION_SNAPSHOT,
    LABEL_REVISION,
    ChildKind,
    Component,
)
from slipway_operator.state.observed import (
    Children,
    Json,
    read_annotations,
    read_labels,
)

SNAPSHOT_VERSION: Final = 1


class BuildResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a finished build left behind. `build_hash` is the hash of `spec.model`; `inputs_hash`
    that of the addresses and digests asked for, which are resolved once."""

    build_hash: str
    inputs_hash: str
    artifact: str
    model_digest: str
    samples_digest: str | None = None
    runtime: str
    format: str
    report: Report


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Everything a revision's pods are made of.

    `asked` holds the fields that make a revision, as they were given: with image, runtime and the
    digests they are what is hashed, so a new default makes no new revision. `serving`, `contract`
    and `dependencies` are the same with the defaults of the day filled in. `registry` says how its
    pods prove to the artifact store who they are.
    """

    version: int = SNAPSHOT_VERSION
    image: str
    asked: dict[str, Any]
    build: BuildResult
    unpickle: Unpickle
    serving: Serving
    contract: Contract
    dependencies: tuple[Dependency, ...] = ()
    registry: RegistryCredentials = RegistryCredentials.NONE
    registry_secret: str | None = None

    @property
    def revision(self) -> str:
        """The revision's hash: ten hex digits."""
        return compute_short_hash(
            {
                "asked": self.asked,
                "build": self.build.build_hash,
                "image": self.image,
                "model": self.build.model_digest,
                "runtime": self.build.runtime,
                "samples": self.build.samples_digest,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionState:
    """One revision as it was observed. `snapshot` is None when every copy of it was spoiled."""

    revision: str
    snapshot: Snapshot | None
    deployment: Json | None
    service: Json | None
    pods: tuple[Json, ...]

    @property
    def desired(self) -> int:
        """Pods that the Deployment wants."""
        return _count(self.deployment, "spec", "replicas")

    @property
    def existing(self) -> int:
        """Pods that exist, ready or not."""
        return _count(self.deployment, "status", "replicas")

    @property
    def ready(self) -> int:
        """Pods that are ready."""
        return _count(self.deployment, "status", "readyReplicas")

    @property
    def is_observed(self) -> bool:
        """Whether the counts speak of the Deployment as it is now."""
        if self.deployment is None:
            return False
        generation = self.deployment.get("metadata", {}).get("generation", 0)
        seen = self.deployment.get("status", {}).get("observedGeneration", 0)
        return int(seen) >= int(generation)


def observe_revisions(children: Children) -> Mapping[str, RevisionState]:
    """Every revision that has a Deployment or a Service, by hash."""
    hashes = {
        revision
        for kind in (ChildKind.DEPLOYMENT, ChildKind.SERVICE)
        for obj in children.list(kind)
        if (revision := read_labels(obj).get(LABEL_REVISION))
    }
    return {revision: observe_revision(children, revision) for revision in sorted(hashes)}


def observe_revision(children: Children, revision: str) -> RevisionState:
    """One revision's children and pods."""
    name = children.owner.revision_name(revision)
    deployment = children.find(ChildKind.DEPLOYMENT, name)
    service = children.find(ChildKind.SERVICE, name)
    copies = (read_snapshot(obj, revision) for obj in (deployment, service) if obj is not None)
    return RevisionState(
        revision=revision,
        snapshot=next((copy for copy in copies if copy is not None), None),
        deployment=deployment,
        service=service,
        pods=children.list_pods(
            **{
                LABEL_REVISION: revision,
                "slipway.dev/component": Component.SERVE,
            }
        ),
    )


def read_snapshot(obj: Json, revision: str) -> Snapshot | None:
    """The snapshot on a child; None when it is missing, unreadable or not this revision's."""
    found = read_json_object(read_annotations(obj).get(ANNOTATION_SNAPSHOT))
    if found is None:
        return None
    try:
        snapshot = msgspec.convert(found, Snapshot)
    except msgspec.ValidationError:
        return None
    return snapshot if snapshot.revision == revision else None


def render_snapshot(snapshot: Snapshot) -> str:
    """The snapshot as the text of an annotation."""
    return render_canonical(msgspec.to_builtins(snapshot))


def render_given(value: msgspec.Struct) -> dict[str, Any]:
    """A Struct as JSON with every field left out that has its default.

    Fields that a later version adds, and defaults that it changes, then alter no hash.
    """
    given: dict[str, Any] = {}
    for info in _list_fields(type(value)):
        member = getattr(value, info.name)
        if info.default is not msgspec.NODEFAULT and member == info.default:
            continue
        if info.default_factory is not msgspec.NODEFAULT and member == info.default_factory():
            continue
        given[info.encode_name] = _render_member(member)
    return given


@cache
def _list_fields(kind: type[msgspec.Struct]) -> tuple[FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _render_member(member: Any) -> Any:
    if isinstance(member, msgspec.Struct):
        return render_given(member)
    if isinstance(member, tuple):
        return [_render_member(item) for item in member]
    return msgspec.to_builtins(member)


def _count(obj: Json | None, part: str, name: str) -> int:
    return 0 if obj is None else int(obj.get(part, {}).get(name) or 0)
