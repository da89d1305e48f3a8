"""`slipway history`: how the last rollouts of a ModelDeployment ended."""

from typing import Annotated

import typer

from slipway_operator.cli.options import (
    Context,
    Data,
    DocumentFormat,
    KindOrName,
    Kubeconfig,
    Name,
    Namespace,
)


def history(
    *,
    first: KindOrName = None,
    second: Name = None,
    output: Annotated[
        DocumentFormat | None,
        typer.Option("-o", "--output", help="Output format.", show_default="a table"),
    ] = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show how the last ten rollouts ended, the newest first."""
    from slipway_operator.cli.commanding import read_name
    from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
    from slipway_operator.cli.screen import (
        print_json,
        print_table,
        print_yaml,
        standard_error,
        standard_output,
    )
    from slipway_operator.cli.target import connect
    from slipway_operator.shown.rollouts import HISTORY_HEADER, list_history

    name = read_name(first, second)
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    item = client.get(MODEL_DEPLOYMENT, namespace=client.namespace, name=name)
    entries = (item.get("status") or {}).get("history") or []
    if output is DocumentFormat.JSON:
        print_json(entries)
    elif output is DocumentFormat.YAML:
        print_yaml(entries)
    elif not entries:
        standard_error().print(f'No rollout of modeldeployment "{name}" has ended yet.')
    else:
        print_table(standard_output(), HISTORY_HEADER, list_history(entries))
