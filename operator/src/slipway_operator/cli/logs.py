"""`slipway logs`: what the model server printed, or with `--build` what the build steps printed."""

import threading
from typing import Annotated

import typer

from slipway_operator.cli.options import Context, Data, Kubeconfig, Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slipway_operator.cli.client import Client, Object


def logs(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the ModelDeployment.")],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with new lines.")] = False,
    build: Annotated[
        bool, typer.Option("--build", help="The build instead of the server.")
    ] = False,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the log of a model's server processes, or of its build."""
    from slipway_operator.cli.errors import NOT_FOUND, CliError
    from slipway_operator.cli.kinds import (
        LABEL_MODEL,
        LABEL_REVISION,
        MODEL_DEPLOYMENT,
        POD,
        parse_reference,
    )
    from slipway_operator.cli.target import connect

    _, found = parse_reference(MODEL_DEPLOYMENT.name, name.rpartition("/")[2])
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    client.get(MODEL_DEPLOYMENT, namespace=client.namespace, name=str(found))
    pods, _ = client.list(POD, namespace=client.namespace, selector=f"{LABEL_MODEL}={found}")
    chosen = [pod for pod in pods if (LABEL_REVISION not in _labels(pod)) == build]
    if not chosen:
        what = "build" if build else "server"
        raise CliError(
            f'modeldeployment "{found}" has no {what} process now.',
            todo="Look at the events: `slipway describe "
            + str(found)
            + "`"
            + ("." if build else ", or at the build: `slipway logs --build`."),
            code=NOT_FOUND,
        )
    chosen.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
    sources = [(pod, container) for pod in chosen for container in _containers(pod)]
    if follow and len(sources) > 1:
        _follow_all(client, sources)
        return
    for pod, container in sources:
        _print(client, pod, container, prefixed=len(sources) > 1, follow=follow)


def _labels(pod: "Object") -> dict[str, str]:
    return pod["metadata"].get("labels") or {}


def _containers(pod: "Object") -> list[str]:
    from slipway_operator.cli.kinds import LABEL_REVISION

    spec = pod.get("spec") or {}
    found = list(spec.get("containers") or [])
    # What came before matters for a build, and for a server that does not come up.
    if (pod.get("status") or {}).get("phase") != "Running" or LABEL_REVISION not in _labels(pod):
        found = [*(spec.get("initContainers") or []), *found]
    return [str(container["name"]) for container in found]


def _print(
    client: "Client", pod: "Object", container: str, *, prefixed: bool, follow: bool
) -> None:
    from slipway_operator.cli.errors import CliError
    from slipway_operator.cli.screen import write

    name = str(pod["metadata"]["name"])
    prefix = f"[{name}/{container}] " if prefixed else ""
    try:
        for line in client.log(
            namespace=client.namespace, pod=name, container=container, follow=follow
        ):
            write(f"{prefix}{line}\n")
    except CliError:
        if not prefixed:  # of several containers, some may not have started
            raise


def _follow_all(client: "Client", sources: list[tuple["Object", str]]) -> None:
    threads = [
        threading.Thread(
            target=_print,
            args=(client, pod, container),
            kwargs={"prefixed": True, "follow": True},
            daemon=True,
        )
        for pod, container in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
