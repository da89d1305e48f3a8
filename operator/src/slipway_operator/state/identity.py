"""Who is whose: every child's name, its labels, its owner, and how they are told from strangers.

All names and labels of children are made here and nowhere else. A ModelDeployment's own name has at
most 45 characters and never ends in a dash, one letter `b` or `r` and ten hex digits, so no child
of one can carry the name of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from slipway_operator.api.vocabulary import API_VERSION, GROUP, KIND
from slipway_operator.state.canonical import SHORT

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_MODEL: Final = f"{GROUP}/model"
LABEL_UID: Final = f"{GROUP}/uid"
LABEL_REVISION: Final = f"{GROUP}/revision"
LABEL_BUILD: Final = f"{GROUP}/build"
LABEL_COMPONENT: Final = f"{GROUP}/component"
MANAGED_BY: Final = "slipway"

ANNOTATION_ATTEMPT: Final = f"{GROUP}/attempt"  # on a build Job: which try this is, from 1
ANNOTATION_SNAPSHOT: Final = f"{GROUP}/snapshot"  # on a revision's Deployment and Service
ANNOTATION_SERVED: Final = f"{GROUP}/served-until"  # on a Deployment that may come back
ANNOTATION_HASH: Final = f"{GROUP}/desired-hash"  # on every child: hash of what was applied
ANNOTATION_STABLE: Final = f"{GROUP}/stable"  # on the HTTPRoute: the revision that serves
ANNOTATION_REJECTED: Final = f"{GROUP}/rejected"  # on the HTTPRoute: models that were rolled back
ANNOTATION_TARGET: Final = f"{GROUP}/rollback-target"  # on the HTTPRoute: what is brought back
ANNOTATION_COMMANDED: Final = f"{GROUP}/last-command"  # on the HTTPRoute: the id of the last one
ANNOTATION_PORTS: Final = f"{GROUP}/ports"  # on a pod, by the laptop: the port of each named port
ANNOTATION_ADDRESS: Final = f"{GROUP}/address"  # on the HTTPRoute, by the laptop's gateway

MAX_NAME: Final = 63


class Component(StrEnum):
    """What a pod is for."""

    BUILD = "build"
    SERVE = "serve"


class ChildKind(StrEnum):
    """The kinds of children, in the order in which they are written."""

    SERVICE_ACCOUNT = "ServiceAccount"
    NETWORK_POLICY = "NetworkPolicy"
    JOB = "Job"
    DEPLOYMENT = "Deployment"
    DISRUPTION_BUDGET = "PodDisruptionBudget"
    SERVICE = "Service"
    HTTP_ROUTE = "HTTPRoute"

    @property
    def api_version(self) -> str:
        """The `apiVersion` under which children of this kind are written."""
        return _API_VERSIONS[self]


_API_VERSIONS: Final = {
    ChildKind.SERVICE_ACCOUNT: "v1",
    ChildKind.NETWORK_POLICY: "networking.k8s.io/v1",
    ChildKind.JOB: "batch/v1",
    ChildKind.DEPLOYMENT: "apps/v1",
    ChildKind.DISRUPTION_BUDGET: "policy/v1",
    ChildKind.SERVICE: "v1",
    ChildKind.HTTP_ROUTE: "gateway.networking.k8s.io/v1",
}
# Made for one build or one revision, and gone before the model is; the others go with it.
PASSING_KINDS: Final = (
    ChildKind.NETWORK_POLICY,
    ChildKind.JOB,
    ChildKind.DEPLOYMENT,
    ChildKind.DISRUPTION_BUDGET,
    ChildKind.SERVICE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The ModelDeployment that children belong to."""

    name: str
    namespace: str
    uid: str

    def build_name(self, build_hash: str) -> str:
        """Name of a build's Job and NetworkPolicy: `NAME-bHASH10`."""
        return f"{self.name}-b{build_hash[:SHORT]}"

    def revision_name(self, revision: str) -> str:
        """Name of a revision's Deployment, Service and PodDisruptionBudget: `NAME-rHASH10`."""
        return f"{self.name}-r{revision[:SHORT]}"

    def labels(self, **more: str) -> dict[str, str]:
        """Labels of every child; `more` takes `revision`, `build` and `component`."""
        extra = {f"{GROUP}/{key}": f"{value}" for key, value in more.items()}
        return {
            LABEL_MANAGED_BY: MANAGED_BY,
            LABEL_MODEL: self.name,
            LABEL_UID: self.uid,
            **extra,
        }

    def revision_selector(self, revision: str) -> dict[str, str]:
        """Labels that select the serving pods of one revision."""
        return {LABEL_UID: self.uid, LABEL_REVISION: revision}

    def metadata(
        self,
        *,
        name: str,
        labels: Mapping[str, str],
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """`metadata` of a child: name, labels, annotations and the owner reference."""
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": dict(labels),
            "annotations": dict(annotations or {}),
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": self.name,
                    "uid": self.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        }

    def owns(self, obj: Mapping[str, Any]) -> bool:
        """Whether this very ModelDeployment (by uid) is the controller of an object."""
        return read_controller(obj).get("uid") == self.uid

    def is_left_over(self, obj: Mapping[str, Any]) -> bool:
        """Whether an object belonged to an earlier ModelDeployment of this name, now deleted."""
        controller = read_controller(obj)
        return (
            controller.get("kind") == KIND
            and controller.get("name") == self.name
            and controller.get("uid") != self.uid
        )


def read_controller(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner reference that says `controller: true`; empty: nobody controls the object."""
    references = obj.get("metadata", {}).get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), {})
