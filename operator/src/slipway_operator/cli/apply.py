"""`slipway apply`: write documents, and wait for them if asked."""

from collections.abc import Sequence
from typing import Annotated

import typer

from slipway_operator.cli.options import Context, Data, Files, Kubeconfig, Namespace, Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console

    from slipway_operator.cli.client import Client, Object
    from slipway_operator.cli.documents import Document
    from slipway_operator.cli.errors import CliError, Refused


def apply(
    *,
    files: Files,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every model is up to date.")
    ] = False,
    timeout: Timeout = 600.0,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Create or change objects from YAML or JSON: files, folders or standard input."""
    from slipway_operator.cli.documents import gather_documents
    from slipway_operator.cli.errors import raise_all
    from slipway_operator.cli.screen import standard_error, standard_output
    from slipway_operator.cli.target import connect

    documents = gather_documents(files, namespace=namespace)
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    models, failures = apply_all(client, documents, standard_output())
    if wait:
        from slipway_operator.cli.summary import print_summary
        from slipway_operator.cli.waiting import wait_for_all

        waited = wait_for_all(client, models, timeout_seconds=timeout, console=standard_error())
        for item in waited.done:
            print_summary(standard_output(), item)
        failures += waited.failures
    raise_all(failures)


def apply_all(
    client: "Client", documents: Sequence["Document"], console: "Console"
) -> tuple[list["Object"], list["CliError"]]:
    """Apply in order, Secrets first; a line for each. What is refused keeps nothing else back.

    Returns the ModelDeployments as they came back, and the refusals.
    """
    from slipway_operator.cli.errors import Refused
    from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
    from slipway_operator.cli.pinning import pin_files

    models: list[Object] = []
    failures: list[CliError] = []
    for document in sorted(documents, key=lambda each: each.kind is MODEL_DEPLOYMENT):
        if document.kind is MODEL_DEPLOYMENT and client.is_laptop:
            pin_files(document.body)
        try:
            applied = client.apply(
                document.kind, namespace=document.namespace, document=document.body
            )
        except Refused as refused:
            failures.append(refused if client.is_laptop else _explain(refused, document))
            continue
        console.print(f"{document.kind.full_name}/{document.name} applied")
        if document.kind is MODEL_DEPLOYMENT:
            models.append(applied)
    return models, failures


def _explain(refused: "Refused", document: "Document") -> "Refused":
    from slipway_operator.cli.mistakes import explain  # the whole parser: a tenth of a second

    return explain(refused, document)
