"""The driver on a real Kubernetes: files go into its registry, questions to its Gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from behaviour_terminal import Address, Terminal
from cluster_access import Namespace
from cluster_installation import give_credentials
from cluster_models import gateway_url, model_of
from slipway_operator.state.identity import LABEL_REVISION
from store_servers import Store

# Pods tell their counts to the system's namespace; here the operator runs outside the cluster.
METRICS_FROM_OUTSIDE = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "metrics-from-outside"},
    "spec": {
        "podSelector": {"matchLabels": {"slipway.dev/component": "serve"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": 9090, "protocol": "TCP"}]}],
    },
}


@dataclass(kw_only=True)
class OnCluster(Terminal):
    """One namespace, whose pods may use the registry."""

    namespace: Namespace
    registry: Store

    def start(self) -> None:
        give_credentials(self.namespace)

    def place(self) -> dict[str, str]:
        return {
            "SLIPWAY_TARGET": "cluster",
            "KUBECONFIG": str(self.namespace.cluster.kubeconfig),
        }

    def complete(self, arguments: tuple[str, ...]) -> list[str]:
        return [*super().complete(arguments), "-n", self.namespace.name]

    def offer(self, path: Path, samples: Path | None = None) -> dict[str, Any]:
        found = model_of(self.registry, path, self.namespace.name, samples=samples)
        return dict(found["spec"]["model"])

    def address(self, found: Mapping[str, Any]) -> Address:
        # nobody here resolves the host's name
        host = urlsplit(found["status"]["url"]).hostname
        return Address(url=gateway_url(self.namespace.cluster), headers={"host": str(host)})

    def serving(self, revision: str | None = None) -> int:
        labels = LABEL_REVISION if revision is None else f"{LABEL_REVISION}={revision}"
        return len(self.namespace.list("pods", selector=labels))
