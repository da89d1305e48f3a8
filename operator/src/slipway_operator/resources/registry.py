"""How pods reach the registry that keeps built models: its credentials, and a way through.

The credentials are one Secret, mounted as files for the one container that speaks to the registry.
With `Embedded` the operator keeps a Secret of its own beside each build and each revision, with a
token for that repository alone; with `Secret` every namespace has one under a name that is agreed.
"""

import ipaddress
from typing import Any, Final

from slipway_operator.contract import ENV_REGISTRY_DIR, MOUNT_REGISTRY
from slipway_operator.settings import RegistryCredentials

VOLUME: Final = "registry"
_SUFFIX: Final = "-registry"
_SCHEMES: Final = {"oci://": 443, "oci+http://": 80}
_SERVICE: Final = "svc"

Json = dict[str, Any]


def name_credentials(
    child: str, *, credentials: RegistryCredentials, secret: str | None
) -> str | None:
    """The Secret that the pods of a child (a Job, a Deployment) mount; None: they need none."""
    if credentials is RegistryCredentials.EMBEDDED:
        return name_token_secret(child)
    return secret if credentials is RegistryCredentials.SECRET else None


def name_token_secret(child: str) -> str:
    """The Secret in which the operator keeps the token of a Job or a Deployment."""
    return f"{child}{_SUFFIX}"


def build_credentials_env(secret: str | None) -> dict[str, str]:
    """The variable that tells a container where its credentials lie."""
    return {} if secret is None else {ENV_REGISTRY_DIR: MOUNT_REGISTRY}


def build_credentials_mounts(secret: str | None) -> list[Json]:
    """The mount of the container that speaks to the registry, and of no other."""
    if secret is None:
        return []
    return [{"name": VOLUME, "mountPath": MOUNT_REGISTRY, "readOnly": True}]


def build_credentials_volumes(secret: str | None) -> list[Json]:
    """The pod's volume."""
    if secret is None:
        return []
    return [{"name": VOLUME, "secret": {"secretName": secret, "defaultMode": 0o440}}]


def build_registry_egress(store: str) -> list[Json]:
    """The rule of a NetworkPolicy that lets pods reach it, and nothing else of its network."""
    for scheme, usual in _SCHEMES.items():
        if store.startswith(scheme):
            host, _, told = store.removeprefix(scheme).partition("/")[0].partition(":")
            return [build_egress(host, int(told or usual))]
    return []


def build_egress(host: str, port: int) -> Json:
    """A rule that lets pods reach one host.

    A Service `NAME.NAMESPACE.svc` is reached in its namespace, on any port, for a policy sees that
    of the pod, which may be another than the Service's; an address by itself; a public name by its
    port, for a policy knows no names.
    """
    labels = host.split(".")
    if labels[2:3] == [_SERVICE]:
        namespace = {"matchLabels": {"kubernetes.io/metadata.name": labels[1]}}
        return {"to": [{"namespaceSelector": namespace}]}
    ports = [{"port": port, "protocol": "TCP"}]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {"ports": ports}
    return {"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}], "ports": ports}
