"""A model whose build image exists nowhere, and short looks at what the operator made of it."""

from typing import Any

from cluster_access import Namespace, Object

NOWHERE = f"localhost/slipway/none@sha256:{'0' * 64}"
CONFIG: dict[str, Any] = {
    "artifactStore": "oci+http://registry.slipway-system.svc:5000/models",
    "images": {"build": NOWHERE, "onnx": NOWHERE, "native": NOWHERE},
    "logLevel": "INFO",
}
URI = "https://models.example.com/churn.joblib"


def model(name: str = "churn", **spec: Any) -> Object:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"uri": URI}, "rollout": {"strategy": "Immediate"}, **spec},
    }


def condition(namespace: Namespace, type_: str, name: str = "churn") -> Object:
    """A condition; one that is not told yet is Unknown."""
    told = (namespace.get("md", name).get("status") or {}).get("conditions", ())
    unknown = {"type": type_, "status": "Unknown", "reason": "", "message": ""}
    return next((one for one in told if one["type"] == type_), unknown)


def children(namespace: Namespace) -> set[tuple[str, str]]:
    kinds = "serviceaccounts,networkpolicies,jobs,deployments,services,poddisruptionbudgets,pods"
    found = namespace.list(kinds, selector="slipway.dev/uid")
    return {(obj["kind"], obj["metadata"]["name"]) for obj in found}


def kinds_of(namespace: Namespace) -> set[str]:
    return {kind for kind, _ in children(namespace)}
