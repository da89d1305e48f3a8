"""`slipway get`: one line an object, as kubectl shows it; `-w` goes on as things change.

One ModelDeployment that is watched on a terminal is a tree, drawn anew with each change.
"""

from typing import Annotated

import typer

from slipway_operator.cli.options import (
    AllNamespaces,
    Context,
    Data,
    KindOrName,
    Kubeconfig,
    Name,
    Namespace,
    Output,
    OutputFormat,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slipway_operator.cli.client import Client, Object
    from slipway_operator.cli.kinds import Kind

FOREVER = float("inf")


def get(
    *,
    first: KindOrName = None,
    second: Name = None,
    watch: Annotated[
        bool,
        typer.Option(
            "-w",
            "--watch",
            help="Go on with every change; one ModelDeployment on a terminal: its revisions, pods "
            "and evidence, live.",
        ),
    ] = False,
    output: OutputFormat = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show objects: all ModelDeployments, those of a kind, or one by name."""
    from slipway_operator.cli.kinds import parse_reference
    from slipway_operator.cli.target import connect

    kind, name = parse_reference(first, second)
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    if watch and name is not None and output is None and _is_live(kind):
        from slipway_operator.cli.live import watch_tree
        from slipway_operator.cli.screen import standard_output

        watch_tree(standard_output(), client, name, deadline=FOREVER)
        return
    if watch:
        _watch(client, kind, name, output, all_namespaces)
        return
    scope = None if all_namespaces else client.namespace
    if name is not None:
        items = [client.get(kind, namespace=client.namespace, name=name)]
    else:
        items, _ = client.list(kind, namespace=scope)
        items.sort(key=_place)
    _print(client, kind, items, output, all_namespaces, single=name is not None)


def _is_live(kind: "Kind") -> bool:
    """Whether it can be drawn again and again: only where lines can be taken back."""
    from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
    from slipway_operator.cli.screen import standard_output

    console = standard_output()
    return kind is MODEL_DEPLOYMENT and console.is_terminal and not console.is_dumb_terminal


def _place(item: "Object") -> tuple[str, str]:
    """By name; events by time, as a story is told."""
    from slipway_operator.shown.columns import last_seen

    meta = item["metadata"]
    if item.get("kind") == "Event":
        return "", last_seen(item)
    return meta["namespace"], meta["name"]


def _print(
    client: "Client",
    kind: "Kind",
    items: list["Object"],
    output: Output | None,
    all_namespaces: bool,
    *,
    single: bool,
) -> None:
    from slipway_operator.cli.screen import (
        print_json,
        print_table,
        print_yaml,
        standard_error,
        standard_output,
    )
    from slipway_operator.edges.clock import utc_now
    from slipway_operator.shown.columns import columns_of, row_of

    whole = items[0] if single else {"apiVersion": "v1", "kind": "List", "items": items}
    if output is Output.JSON:
        print_json(whole)
    elif output is Output.YAML:
        print_yaml(whole)
    elif output is Output.NAME:
        for item in items:
            standard_output().print(f"{kind.full_name}/{item['metadata']['name']}")
    elif not items:
        scope = "any namespace" if all_namespaces else f'namespace "{client.namespace}"'
        standard_error().print(f"No {kind.plural} in {scope}.")
    else:
        columns = columns_of(kind.name, wide=output is Output.WIDE, namespaces=all_namespaces)
        now = utc_now()
        rows = [row_of(item, columns, now) for item in items]
        print_table(standard_output(), [title for title, _ in columns], rows)


def _watch(
    client: "Client", kind: "Kind", name: str | None, output: Output | None, all_namespaces: bool
) -> None:
    """A row for each object now, then a row for each change, until interrupted."""
    from slipway_operator.cli.screen import (
        measure,
        print_json,
        print_yaml,
        standard_output,
        table_line,
        write,
    )
    from slipway_operator.edges.clock import utc_now
    from slipway_operator.shown.columns import columns_of, row_of

    scope = None if all_namespaces else client.namespace
    if name is not None:
        client.get(kind, namespace=client.namespace, name=name)  # a wrong name is said at once
    columns = columns_of(kind.name, wide=output is Output.WIDE, namespaces=all_namespaces)
    header = [title for title, _ in columns]
    now = utc_now()
    items, _ = client.list(kind, namespace=scope)
    shown = [item for item in items if name in (None, item["metadata"]["name"])]
    widths = measure([header, *(row_of(item, columns, now) for item in shown)])
    titled = False
    console = standard_output()
    for change in client.follow(kind, namespace=scope, name=name, deadline=FOREVER):
        if output is Output.JSON:
            print_json(change.object)
        elif output is Output.YAML:
            write("---\n")
            print_yaml(change.object)
        elif output is Output.NAME:
            write(f"{kind.full_name}/{change.object['metadata']['name']}\n")
        else:
            row = row_of(change.object, columns, utc_now())
            if not titled:
                titled = True
                console.print(table_line(header, widths), style="bold")
            widths = measure([row], widths)
            console.print(table_line(row, widths))
