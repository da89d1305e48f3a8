"""Looks up which host names a model may have: what its namespace allows, what older models hold.

Who may annotate a namespace decides what its models may be called. A claim that the claimant's own
namespace does not allow holds nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from slipway_operator.api.vocabulary import GROUP
from slipway_operator.decide.hosts import is_allowed, read_allowed
from slipway_operator.edges.kubernetes.api import KubernetesApi
from slipway_operator.edges.kubernetes.mirror import Mirror
from slipway_operator.edges.kubernetes.resources import NAMESPACE
from slipway_operator.state.observed import read_annotations

Object = Mapping[str, Any]
ANNOTATION_HOSTNAMES: Final = f"{GROUP}/hostnames"


async def find_allowed_hosts(api: KubernetesApi, namespace: str) -> tuple[str, ...]:
    """What the annotation of a namespace names.

    Raises:
        ApiRefused, ApiUnreachable
    """
    found = await api.find(NAMESPACE, namespace, namespace=None)
    return read_allowed(read_annotations(found or {}).get(ANNOTATION_HOSTNAMES, ""))


async def find_holders(
    api: KubernetesApi, mirror: Mirror, asked: Object, hosts: Iterable[str]
) -> dict[str, str]:
    """By host, the model that has it because it is older (then: comes first by name).

    Raises:
        ApiRefused, ApiUnreachable
    """
    holders = {}
    for host in hosts:
        for rival in sorted(mirror.list_claimants(host), key=_rank):
            if _rank(rival) >= _rank(asked):
                break
            namespace = rival["metadata"]["namespace"]
            if is_allowed(host, allowed=await find_allowed_hosts(api, namespace)):
                holders[host] = f'ModelDeployment "{namespace}/{rival["metadata"]["name"]}"'
                break
    return holders


def _rank(model: Object) -> tuple[str, str, str]:
    metadata = model["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["namespace"], metadata["name"]
