"""The kinds of object that the engine keeps, and how each is spelled in a URL."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind: ``apps/v1`` + ``Deployment`` is served under ``/apis/apps/v1/…/deployments``."""

    api_version: str
    kind: str
    plural: str
    has_status: bool = True
    has_scale: bool = False
    short_names: tuple[str, ...] = ()
    in_all: bool = False  # what `kubectl get all` lists

    @property
    def root(self) -> str:
        """The URL's first part: ``/api/v1`` for the core group, else ``/apis/GROUP/VERSION``."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}"

    @property
    def group_version_kind(self) -> dict[str, str]:
        """As Kubernetes' OpenAPI names a kind."""
        group, _, version = self.api_version.rpartition("/")
        return {"group": group, "version": version, "kind": self.kind}


MODEL_DEPLOYMENT: Final = Kind(
    api_version="slipway.dev/v1alpha1",
    kind="ModelDeployment",
    plural="modeldeployments",
    has_scale=True,
    short_names=("md",),
    in_all=True,
)
POD: Final = Kind(api_version="v1", kind="Pod", plural="pods", short_names=("po",), in_all=True)
SERVICE: Final = Kind(
    api_version="v1", kind="Service", plural="services", short_names=("svc",), in_all=True
)
SECRET: Final = Kind(api_version="v1", kind="Secret", plural="secrets", has_status=False)
EVENT: Final = Kind(
    api_version="v1", kind="Event", plural="events", has_status=False, short_names=("ev",)
)
SERVICE_ACCOUNT: Final = Kind(
    api_version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    has_status=False,
    short_names=("sa",),
)
DEPLOYMENT: Final = Kind(
    api_version="apps/v1",
    kind="Deployment",
    plural="deployments",
    has_scale=True,
    short_names=("deploy",),
    in_all=True,
)
JOB: Final = Kind(api_version="batch/v1", kind="Job", plural="jobs", in_all=True)
HTTP_ROUTE: Final = Kind(
    api_version="gateway.networking.k8s.io/v1", kind="HTTPRoute", plural="httproutes"
)
ENDPOINT_SLICE: Final = Kind(
    api_version="discovery.k8s.io/v1",
    kind="EndpointSlice",
    plural="endpointslices",
    has_status=False,
)
DISRUPTION_BUDGET: Final = Kind(
    api_version="policy/v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    short_names=("pdb",),
)
NETWORK_POLICY: Final = Kind(
    api_version="networking.k8s.io/v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    has_status=False,
    short_names=("netpol",),
)

KINDS: Final = (
    MODEL_DEPLOYMENT, POD, SERVICE, SECRET, EVENT, SERVICE_ACCOUNT, DEPLOYMENT, JOB, HTTP_ROUTE,
    ENDPOINT_SLICE, DISRUPTION_BUDGET, NETWORK_POLICY,
)  # fmt: skip

_BY_NAME: Final = {(kind.api_version, kind.kind): kind for kind in KINDS}
_BY_URL: Final = {(kind.root, kind.plural): kind for kind in KINDS}


def find_kind(api_version: object, name: object) -> Kind | None:
    """The kind with this ``apiVersion`` and ``kind``, or None when the engine does not keep it."""
    if not isinstance(api_version, str) or not isinstance(name, str):
        return None
    return _BY_NAME.get((api_version, name))


def find_kind_by_url(root: str, plural: str) -> Kind | None:
    """The kind served under ``root`` as ``plural``, or None."""
    return _BY_URL.get((root, plural))
