"""`slipway diff`: where a new revision answers otherwise than the stable one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from rich.console import Console


def diff(
    *,
    first: KindOrName = None,
    second: Name = None,
    output: Annotated[
        DocumentFormat | None,
        typer.Option("-o", "--output", help="Output format.", show_default="tables"),
    ] = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show where the revision in the shadow answers otherwise than the stable one.

    It needs a Shadow step (strategy Shadow has one). The last comparison stays to be read while the
    rollout waits for approval and after it ended. Up to five requests are shown with their inputs.
    """
    from slipway_operator.cli.commanding import read_name
    from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
    from slipway_operator.cli.screen import (
        print_json,
        print_yaml,
        standard_error,
        standard_output,
    )
    from slipway_operator.cli.target import connect
    from slipway_operator.shown.shadows import explain_absence

    name = read_name(first, second)
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    item = client.get(MODEL_DEPLOYMENT, namespace=client.namespace, name=name)
    shadow = ((item.get("status") or {}).get("analysis") or {}).get("shadow")
    if output is DocumentFormat.JSON:
        print_json(shadow)
    elif output is DocumentFormat.YAML:
        print_yaml(shadow)
    elif shadow is None:
        standard_error().print(explain_absence(name, item), markup=False)
    else:
        _print(standard_output(), item, shadow)


def _print(console: "Console", item: Mapping[str, Any], shadow: Mapping[str, Any]) -> None:
    from slipway_operator.cli.screen import print_table
    from slipway_operator.cli.sections import print_line, print_title
    from slipway_operator.edges.clock import utc_now
    from slipway_operator.shown.rollouts import describe_age
    from slipway_operator.shown.shadows import (
        EXAMPLE_HEADER,
        SEGMENT_HEADER,
        describe_disagreement,
        describe_pairs,
        find_compared,
        list_examples,
        list_segments,
    )

    status = item["status"]
    print_line(console, "Stable", status.get("stableRevision"))
    print_line(console, "Canary", find_compared(status))
    print_line(console, "Evidence", describe_age(status["analysis"], utc_now()))
    print_line(console, "Compared", describe_pairs(shadow))
    print_line(console, "Differ", describe_disagreement(shadow))
    segments, examples = list_segments(shadow), list_examples(shadow)
    if segments:
        print_title(console, "Where they differ more than elsewhere")
        print_table(console, SEGMENT_HEADER, segments, indent="  ")
    if examples:
        print_title(console, "The furthest apart")
        print_table(console, EXAMPLE_HEADER, examples, indent="  ")
