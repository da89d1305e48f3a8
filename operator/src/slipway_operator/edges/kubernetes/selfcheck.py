"""Whether the installation is whole, asked once at start: permissions, and the CRD's version."""

from functools import cache

from slipway_operator.api.crd import HASH_ANNOTATION, render_crd
from slipway_operator.api.reasons import say
from slipway_operator.edges.config import OperatorConfig
from slipway_operator.edges.kubernetes.api import ApiRefused, KubernetesApi
from slipway_operator.edges.kubernetes.permissions import Permission, Scope, list_permissions
from slipway_operator.edges.kubernetes.resources import ACCESS_REVIEW, DEFINITION, MODEL
from slipway_operator.state.observed import Refusal

_UPGRADE = "install the chart's roles again"


async def check_permissions(api: KubernetesApi, config: OperatorConfig) -> list[str]:
    """A sentence for each permission that is missing."""
    missing = []
    for permission in list_permissions(config.registry.credentials):
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


async def check_definition(api: KubernetesApi) -> Refusal | None:
    """Why the installed CRD is not to be written under; None: it is the one of this version.

    Who may not read it, as in an installation without cluster-wide rights, trusts it.

    Raises:
        ApiRefused, ApiUnreachable
    """
    name = f"{MODEL.plural}.{MODEL.group}"
    try:
        found = await api.find(DEFINITION, name, namespace=None)
    except ApiRefused as refused:
        if refused.is_forbidden:
            return None
        raise
    told = ((found or {"metadata": {}})["metadata"].get("annotations") or {}).get(HASH_ANNOTATION)
    if told == _own_hash():
        return None
    return Refusal(reason="CRDOutdated", message=say("CRDOutdated"))


@cache
def _own_hash() -> str:
    return str(render_crd()["metadata"]["annotations"][HASH_ANNOTATION])


def _namespaces(permission: Permission, config: OperatorConfig) -> tuple[str | None, ...]:
    match permission.scope:
        case Scope.OWN:
            return (config.own_namespace,)
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
