"""Who the pods are and whom they may talk to: a ServiceAccount without rights, and NetworkPolicies.

Serving pods take requests from anywhere and metrics from the system's namespace, and may ask the
DNS. Build pods take nothing and reach the DNS and public addresses; private ranges stay closed.
"""

from typing import Any, Final

from slipway_operator.contract import PORT_NAME_HTTP, PORT_NAME_METRICS
from slipway_operator.resources.registry import build_egress, build_registry_egress
from slipway_operator.settings import Settings
from slipway_operator.state.canonical import SHORT
from slipway_operator.state.identity import LABEL_BUILD, LABEL_UID, ChildKind, Component, Owner

LABEL_NAMESPACE: Final = "kubernetes.io/metadata.name"
PRIVATE_V4: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
PRIVATE_V6: Final = ("::1/128", "fc00::/7", "fe80::/10", "ff00::/8")

Json = dict[str, Any]


def build_service_account(*, owner: Owner) -> Json:
    """The ServiceAccount `NAME`: a name for the pods, no token, no right."""
    return {
        "apiVersion": ChildKind.SERVICE_ACCOUNT.api_version,
        "kind": ChildKind.SERVICE_ACCOUNT.value,
        "metadata": owner.metadata(name=owner.name, labels=owner.labels()),
        "automountServiceAccountToken": False,
    }


def build_serving_policy(*, owner: Owner, settings: Settings) -> Json:
    """The NetworkPolicy `NAME` of the serving pods of every revision."""
    return _policy(
        metadata=owner.metadata(name=owner.name, labels=owner.labels(component=Component.SERVE)),
        selector={LABEL_UID: owner.uid, "slipway.dev/component": Component.SERVE.value},
        ingress=[
            {"ports": [{"port": PORT_NAME_HTTP, "protocol": "TCP"}]},
            {
                "from": [
                    {"namespaceSelector": {"matchLabels": {LABEL_NAMESPACE: namespace}}}
                    for namespace in dict.fromkeys(
                        (settings.system_namespace, *settings.metrics_from)
                    )
                ],
                "ports": [{"port": PORT_NAME_METRICS, "protocol": "TCP"}],
            },
        ],
        egress=[_dns(), *build_registry_egress(settings.artifact_store)],
    )


def build_build_policy(*, owner: Owner, build_hash: str, settings: Settings) -> Json:
    """The NetworkPolicy `NAME-bHASH10` of one build's pod."""
    build = build_hash[:SHORT]
    return _policy(
        metadata=owner.metadata(
            name=owner.build_name(build_hash),
            labels=owner.labels(build=build, component=Component.BUILD),
        ),
        selector={LABEL_UID: owner.uid, LABEL_BUILD: build},
        ingress=[],
        egress=[
            _dns(),
            {
                "to": [
                    {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE_V4)}},
                    {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_V6)}},
                ]
            },
            *build_registry_egress(settings.artifact_store),
            *(build_egress(*_split(allowed)) for allowed in settings.fetch_allow),
        ],
    )


def _split(allowed: str) -> tuple[str, int]:
    """`HOST:PORT` as the settings have it, IPv6 in brackets."""
    host, _, port = allowed.rpartition(":")
    return host.strip("[]"), int(port)


def _dns() -> Json:
    return {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def _policy(
    *, metadata: Json, selector: dict[str, str], ingress: list[Json], egress: list[Json]
) -> Json:
    return {
        "apiVersion": ChildKind.NETWORK_POLICY.api_version,
        "kind": ChildKind.NETWORK_POLICY.value,
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }
