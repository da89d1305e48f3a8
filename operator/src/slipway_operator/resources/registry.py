"""How pods reach the registry that keeps built models: its credentials, and a way through.

The credentials lie in Secret `slipway-registry` of the model's namespace, mounted as files for
`publish` and `pull` alone; without it nobody logs in. A store that is a folder needs nothing.
"""

import ipaddress
from typing import Any, Final

from slipway_operator.contract import ENV_REGISTRY_DIR, MOUNT_REGISTRY

SECRET: Final = "slipway-registry"  # noqa: S105  a name
_SCHEMES: Final = {"oci://": 443, "oci+http://": 80}
_VOLUME: Final = "registry"
_SERVICE: Final = "svc"

Json = dict[str, Any]


def is_registry(store: str) -> bool:
    """Whether a store (or an artifact in it) is a registry."""
    return store.startswith(tuple(_SCHEMES))


def registry_env(store: str) -> dict[str, str]:
    """Where the credentials are."""
    return {ENV_REGISTRY_DIR: MOUNT_REGISTRY} if is_registry(store) else {}


def registry_mounts(store: str) -> list[Json]:
    """The mount of a container that talks to it."""
    mount = {"name": _VOLUME, "mountPath": MOUNT_REGISTRY, "readOnly": True}
    return [mount] if is_registry(store) else []


def registry_volumes(store: str) -> list[Json]:
    """The volume of its pod."""
    secret = {"secretName": SECRET, "optional": True, "defaultMode": 0o440}
    return [{"name": _VOLUME, "secret": secret}] if is_registry(store) else []


def registry_egress(store: str) -> list[Json]:
    """The rule of a NetworkPolicy that lets pods reach it, and nothing else of its network."""
    for scheme, usual in _SCHEMES.items():
        if store.startswith(scheme):
            host, _, told = store.removeprefix(scheme).partition("/")[0].partition(":")
            return [build_egress(host, int(told or usual))]
    return []


def build_egress(host: str, port: int) -> Json:
    """A rule that lets pods reach one host.

    A Service `NAME.NAMESPACE.svc` is reached in its namespace, an address by itself; a public name
    by its port, for a policy knows no names.
    """
    ports = [{"port": port, "protocol": "TCP"}]
    labels = host.split(".")
    if labels[2:3] == [_SERVICE]:
        namespace = {"matchLabels": {"kubernetes.io/metadata.name": labels[1]}}
        return {"to": [{"namespaceSelector": namespace}], "ports": ports}
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {"ports": ports}
    return {"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}], "ports": ports}
