"""Every kind that the operator touches: how it is spelled in a URL, and which are a model's own."""

from dataclasses import dataclass
from typing import Final

from slipway_operator.api.vocabulary import API_VERSION, KIND
from slipway_operator.state.identity import ChildKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind: `apps/v1` + `Deployment` is served under `/apis/apps/v1/…/deployments`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]

    def path(
        self, *, namespace: str | None = None, name: str | None = None, part: str | None = None
    ) -> str:
        """The URL's path of one object (or its subresource `part`), or of a list."""
        root = f"/{'apis' if self.group else 'api'}/{self.api_version}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        rest = "".join(f"/{word}" for word in (self.plural, name, part) if word)
        return f"{root}{place}{rest}"


MODEL: Final = Resource(api_version=API_VERSION, kind=KIND, plural="modeldeployments")
POD: Final = Resource(api_version="v1", kind="Pod", plural="pods")
SECRET: Final = Resource(api_version="v1", kind="Secret", plural="secrets")
NAMESPACE: Final = Resource(
    api_version="v1", kind="Namespace", plural="namespaces", namespaced=False
)
EVENT: Final = Resource(api_version="v1", kind="Event", plural="events")
LEASE: Final = Resource(api_version="coordination.k8s.io/v1", kind="Lease", plural="leases")
DEFINITION: Final = Resource(
    api_version="apiextensions.k8s.io/v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    namespaced=False,
)
ACCESS_REVIEW: Final = Resource(
    api_version="authorization.k8s.io/v1",
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    namespaced=False,
)

_PLURALS: Final = {
    ChildKind.SERVICE_ACCOUNT: "serviceaccounts",
    ChildKind.NETWORK_POLICY: "networkpolicies",
    ChildKind.JOB: "jobs",
    ChildKind.DEPLOYMENT: "deployments",
    ChildKind.DISRUPTION_BUDGET: "poddisruptionbudgets",
    ChildKind.SERVICE: "services",
    ChildKind.HTTP_ROUTE: "httproutes",
}
CHILDREN: Final = tuple(
    Resource(api_version=kind.api_version, kind=kind, plural=plural)
    for kind, plural in _PLURALS.items()
)
WATCHED: Final = (*CHILDREN, POD)  # by the label of their model
JOB: Final = next(each for each in CHILDREN if each.kind == ChildKind.JOB)
DEPLOYMENT: Final = next(each for each in CHILDREN if each.kind == ChildKind.DEPLOYMENT)
_BY_KIND: Final = {resource.kind: resource for resource in (*WATCHED, MODEL, EVENT, LEASE)}


def find_resource(kind: str) -> Resource:
    """The resource of a kind that the core plans.

    Raises:
        KeyError: the core plans a kind that is missing here.
    """
    return _BY_KIND[kind]
