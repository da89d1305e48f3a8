"""A client for the cluster of a kubeconfig: KUBECONFIG, ~/.kube/config, or the file named.

The kubernetes package reads the file (certificates, tokens, exec plugins, OIDC); httpx asks.
"""

import asyncio
import os
import ssl
from pathlib import Path

import httpx
from kubernetes.aio import client as kube
from kubernetes.aio.config import ConfigException, load_kube_config

from slipway_operator.cli.client import Client
from slipway_operator.cli.errors import USAGE, CliError

SECONDS = 30.0


def connect_cluster(
    *, context: str | None, kubeconfig: Path | None, namespace: str | None
) -> Client:
    """The client; CliError when the kubeconfig cannot be read or has no such context."""
    where = str(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")
    if not any(Path(part).expanduser().is_file() for part in where.split(os.pathsep) if part):
        raise CliError(
            f'Cannot read the kubeconfig: there is no file "{where}".',
            todo="Name it with --kubeconfig or KUBECONFIG; without both options and "
            "SLIPWAY_TARGET the engine on this machine is asked.",
            code=USAGE,
        )
    settings = kube.Configuration()
    try:
        loader = asyncio.run(
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=settings,
                persist_config=False,
            )
        )
    except (ConfigException, OSError, ValueError) as error:
        raise CliError(
            f"Cannot read the kubeconfig: {str(error).rstrip('.')}.",
            todo="Check KUBECONFIG, --kubeconfig and --context (`kubectl config get-contexts`).",
            code=USAGE,
        ) from error
    current = loader.current_context
    bearer = settings.api_key.get("BearerToken")
    return Client(
        http=httpx.Client(
            base_url=settings.host,
            headers={"Authorization": bearer} if bearer else {},
            verify=_trust(settings),
            timeout=SECONDS,
        ),
        namespace=namespace or current["context"].get("namespace") or "default",
        place=f"the cluster at {settings.host} (context {current['name']})",
        is_laptop=False,
        lost="Check that the cluster is up and that this machine reaches it.",
        user=current["context"].get("user"),
    )


def _trust(settings: kube.Configuration) -> ssl.SSLContext | bool:
    if not settings.host.startswith("https:"):
        return True
    trust = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if not settings.verify_ssl:
        trust.check_hostname = False
        trust.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        trust.load_cert_chain(settings.cert_file, settings.key_file)
    return trust
