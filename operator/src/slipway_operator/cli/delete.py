"""`slipway delete`: take objects away; what they own goes with them."""

from typing import Annotated

import typer

from slipway_operator.cli.options import Context, Data, KindOrName, Kubeconfig, Name, Namespace


def delete(
    *,
    first: KindOrName = None,
    second: Name = None,
    files: Annotated[
        list[str] | None,
        typer.Option("-f", "--filename", help="Delete what these files name."),
    ] = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Delete an object by name, or those that files name. The target is printed."""
    from slipway_operator.cli.documents import gather_documents
    from slipway_operator.cli.errors import USAGE, CliError, Refused, raise_all
    from slipway_operator.cli.kinds import parse_reference
    from slipway_operator.cli.screen import standard_output
    from slipway_operator.cli.target import connect

    if (first is None) == (not files):
        raise CliError(
            "Nothing to delete." if not files else "Both a name and files were given.",
            todo="Give a name (`slipway delete penguins`) or files (-f).",
            code=USAGE,
        )
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    if files:
        documents = gather_documents(files, namespace=namespace)
        doomed = [(each.kind, each.namespace, each.name) for each in documents]
    else:
        kind, name = parse_reference(first, second)
        if name is None:
            raise CliError(
                f"No name was given for {kind.name}.",
                todo=f"`slipway get {kind.plural}` lists the names.",
                code=USAGE,
            )
        doomed = [(kind, client.namespace, name)]
    failures: list[CliError] = []
    for kind, its_namespace, name in doomed:
        try:
            client.delete(kind, namespace=its_namespace, name=name)
        except Refused as refused:
            failures.append(refused)
            continue
        standard_output().print(f"{kind.full_name}/{name} deleted from {client.place}")
    raise_all(failures)
