"""Whether the installation is whole, asked once at start: permissions, and the CRD's version."""

from slipway_operator.api.crd import HASH_ANNOTATION, render_crd
from slipway_operator.edges.config import OperatorConfig
from slipway_operator.edges.kubernetes.api import KubernetesApi
from slipway_operator.edges.kubernetes.permissions import PERMISSIONS, Permission, Scope
from slipway_operator.edges.kubernetes.resources import ACCESS_REVIEW, DEFINITION, MODEL

_UPGRADE = "install the chart's roles again"


async def check_permissions(api: KubernetesApi, config: OperatorConfig) -> list[str]:
    """A sentence for each permission that is missing."""
    missing = []
    for permission in PERMISSIONS:
        for namespace in _namespaces(permission, config):
            denied = [
                verb
                for verb in permission.verbs
                if not await _may(api, permission, verb, namespace)
            ]
            if denied:
                where = f' in namespace "{namespace}"' if namespace else ""
                missing.append(
                    f"The operator may not {', '.join(denied)} {permission.plural}"
                    f"{where}: {_UPGRADE}."
                )
    return missing


async def check_definition(api: KubernetesApi) -> list[str]:
    """A sentence where the CRD is missing or of another version."""
    name = f"{MODEL.plural}.{MODEL.group}"
    found = await api.find(DEFINITION, name, namespace=None)
    if found is None:
        return [f'CRD "{name}" is not installed: install the chart with its CRDs.']
    told = (found["metadata"].get("annotations") or {}).get(HASH_ANNOTATION)
    if told != render_crd()["metadata"]["annotations"][HASH_ANNOTATION]:
        return [f'CRD "{name}" is not the one of this version: upgrade the chart with its CRDs.']
    return []


def _namespaces(permission: Permission, config: OperatorConfig) -> tuple[str | None, ...]:
    match permission.scope:
        case Scope.OWN:
            return (config.system_namespace,)
        case Scope.MODELS if config.watch_namespaces:
            return config.watch_namespaces
    return (None,)


async def _may(
    api: KubernetesApi, permission: Permission, verb: str, namespace: str | None
) -> bool:
    resource = permission.resource
    attributes = {
        "verb": verb,
        "group": resource.group,
        "resource": resource.plural,
        **({"subresource": permission.part} if permission.part else {}),
        **({"namespace": namespace} if namespace else {}),
        **({"name": permission.names[0]} if permission.names else {}),
    }
    review = {
        "apiVersion": ACCESS_REVIEW.api_version,
        "kind": ACCESS_REVIEW.kind,
        "spec": {"resourceAttributes": attributes},
    }
    told = await api.create(ACCESS_REVIEW, review)
    return bool(told["status"]["allowed"])
