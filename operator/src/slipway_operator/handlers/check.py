"""`slipway-operator check` and `leftovers`: what Helm asks of an installation."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from slipway_operator.edges.config import OperatorConfig
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.resources import LEASE, MODEL
from slipway_operator.edges.kubernetes.selfcheck import check_definition, check_permissions

_REGISTRY_SECONDS: Final = 10.0
_SHOWN: Final = 10


async def find_faults(config: OperatorConfig, kubeconfig: Path | None) -> list[str]:
    """What is wrong with the installation: rights, CRD, a leader that lives, the registry."""
    return await _ask(kubeconfig, lambda api: _find_faults(api, config))


async def find_leftovers(config: OperatorConfig, kubeconfig: Path | None) -> list[str]:
    """The models that are still there: nobody would take them down after an uninstall."""
    return await _ask(kubeconfig, lambda api: _find_leftovers(api, config))


async def _ask(
    kubeconfig: Path | None, look: Callable[[KubernetesApi], Awaitable[list[str]]]
) -> list[str]:
    api = await KubernetesApi.connect(kubeconfig)
    try:
        return await look(api)
    except (ApiRefused, ApiUnreachable) as error:
        return [f"The API server did not answer: {error}"]
    finally:
        await api.close()


async def _find_faults(api: KubernetesApi, config: OperatorConfig) -> list[str]:
    faults = await check_permissions(api, config)
    definition = await check_definition(api)
    if definition is not None:
        faults.append(definition.message)
    return [*faults, *await _check_lease(api, config), *await _check_registry(config)]


async def _check_lease(api: KubernetesApi, config: OperatorConfig) -> list[str]:
    """Whether a leader renews the Lease, seen twice: clocks of two machines are not compared."""
    namespace = config.own_namespace
    told = f'Lease "{namespace}/{config.lease.name}"'
    seen = []
    for wait in (config.lease.duration_seconds, 0):
        found = await api.find(LEASE, config.lease.name, namespace=namespace)
        if found is None or not found["spec"].get("holderIdentity"):
            return [f"{told} has no holder: no operator leads; look at the operator's logs."]
        seen.append(found["spec"].get("renewTime"))
        await asyncio.sleep(wait)
    if seen[0] == seen[1]:
        return [f"{told} was not renewed for {config.lease.duration_seconds} s: no operator leads."]
    return []


async def _check_registry(config: OperatorConfig) -> list[str]:
    """Whether the artifact store answers as a registry does (OCI Distribution, `GET /v2/`)."""
    parts = urlsplit(config.artifact_store)
    scheme = "http" if parts.scheme == "oci+http" else "https"
    url = f"{scheme}://{parts.netloc}/v2/"
    timeout = aiohttp.ClientTimeout(total=_REGISTRY_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
            session.get(url) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        words = str(error) or f"no answer within {_REGISTRY_SECONDS:g} s"
        return [f"The registry {parts.netloc} cannot be reached: {words}."]
    # 401: it wants credentials, which builds have and this process has not.
    if status not in (200, 401):
        return [f"The registry {parts.netloc} answers {status} to GET /v2/, not 200 or 401."]
    return []


async def _find_leftovers(api: KubernetesApi, config: OperatorConfig) -> list[str]:
    names = []
    for namespace in config.watch_namespaces or (None,):
        try:
            listing = await api.list(MODEL, namespace=namespace, labels=None)
        except ApiRefused as refused:
            if refused.is_absent:  # no CRD, no model
                return []
            raise
        names += [
            f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in listing.items
        ]
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [
        f"ModelDeployments are left ({len(names)}): {', '.join(sorted(names)[:_SHOWN])}{more}. "
        "Delete them first; without an operator nobody would take them down."
    ]
