"""Where a command goes: the laptop engine, unless a cluster is asked for."""

import getpass
import os
from pathlib import Path

import httpx

from slipway_operator.cli.client import Client
from slipway_operator.cli.errors import USAGE, CliError

TARGET_VARIABLE = "SLIPWAY_TARGET"
SECONDS = 60.0  # a hang guard: an engine with a hundred builds on two cores answers late


def connect(
    *, data: Path | None, context: str | None, kubeconfig: Path | None, namespace: str | None
) -> Client:
    """A client for the cluster if one of its options or SLIPWAY_TARGET says so, else the laptop."""
    wanted = os.environ.get(TARGET_VARIABLE, "laptop")
    if wanted not in {"laptop", "cluster"}:
        raise CliError(
            f'{TARGET_VARIABLE} is "{wanted}".', todo="Set it to laptop or cluster.", code=USAGE
        )
    if context is not None or kubeconfig is not None or wanted == "cluster":
        from slipway_operator.cli.cluster import connect_cluster

        return connect_cluster(context=context, kubeconfig=kubeconfig, namespace=namespace)
    return connect_laptop(data=data, namespace=namespace)


def connect_laptop(*, data: Path | None, namespace: str | None) -> Client:
    """A client for the engine that runs on this data folder."""
    from slipway_operator.local.datafolder import DataFolder, resolve_data_folder
    from slipway_operator.local.launch import find_engine

    folder = resolve_data_folder(data)
    engine = find_engine(folder)
    if engine is None and DataFolder(root=folder).read_address() is not None:
        # `slipway down` takes the address away: this engine did not end that way.
        raise CliError(
            f'The engine on data folder "{folder}" has died.',
            todo="Start it again with `slipway up`: it goes on where it was, with whatever still "
            "answers.",
        )
    if engine is None:
        raise CliError(
            f'No engine is running on data folder "{folder}".',
            todo="Start it with `slipway up`, or name a cluster with --context.",
        )
    http = httpx.Client(
        base_url=engine.url,
        headers={"Authorization": f"Bearer {engine.token}"},
        timeout=SECONDS,
        trust_env=False,
    )
    return Client(
        http=http,
        namespace=namespace or "default",
        place=f"the laptop engine at {engine.url}",
        is_laptop=True,
        lost="The engine has stopped; `slipway up` starts it again where it was.",
        user=_find_user(),
    )


def _find_user() -> str | None:
    """Who is logged in; None: this machine has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
