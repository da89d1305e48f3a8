"""What may be asked of a rollout: `promote`, `abort`, `pause`, `resume`, `retry`, `rollback`."""

from typing import Annotated

import typer

from slipway_operator.cli.options import Context, Data, KindOrName, Kubeconfig, Name, Namespace


def promote(
    *,
    first: KindOrName = None,
    second: Name = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Send all requests to the new revision as soon as its pods can take them: the "
            "steps that are left, their approvals and their analysis are skipped.",
        ),
    ] = False,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take a rollout to its next step without waiting for evidence, or give it the approval it
    waits for. The target is printed."""
    from slipway_operator.cli.commanding import command
    from slipway_operator.cli.target import connect
    from slipway_operator.state.command import Verb

    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    command(client, Verb.PROMOTE_FULL if full else Verb.PROMOTE, first, second)


def abort(
    *,
    first: KindOrName = None,
    second: Name = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """End a rollout: every request goes to the stable revision again, at once.

    The spec is left as it is. What was aborted is not tried again, not even after another edit,
    until the model changes or `slipway retry` is given. The target is printed.
    """
    from slipway_operator.cli.commanding import command
    from slipway_operator.cli.target import connect
    from slipway_operator.state.command import Verb

    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    command(client, Verb.ABORT, first, second)


def pause(
    *,
    first: KindOrName = None,
    second: Name = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Keep a rollout at the share of requests it has; one that does badly is still rolled back. The
    target is printed."""
    from slipway_operator.cli.commanding import command
    from slipway_operator.cli.target import connect
    from slipway_operator.state.command import Verb

    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    command(client, Verb.PAUSE, first, second)


def resume(
    *,
    first: KindOrName = None,
    second: Name = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let a paused rollout go on; the clock of its step begins anew. The target is printed."""
    from slipway_operator.cli.commanding import command
    from slipway_operator.cli.target import connect
    from slipway_operator.state.command import Verb

    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    command(client, Verb.RESUME, first, second)


def retry(
    *,
    first: KindOrName = None,
    second: Name = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Try what was aborted or rolled back again, from its first step. The target is printed."""
    from slipway_operator.cli.commanding import command
    from slipway_operator.cli.target import connect
    from slipway_operator.state.command import Verb

    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    command(client, Verb.RETRY, first, second)


def rollback(
    *,
    first: KindOrName = None,
    second: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the object, or the revision.")
    ] = None,
    third: Annotated[
        str | None,
        typer.Argument(
            metavar="REVISION",
            help="First characters of the revision to go back to, at least 4; the one that served "
            "before if left out.",
        ),
    ] = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Bring a revision back that served before, at once and without analysis.

    Nothing fails meanwhile: it takes over as soon as its pods are ready. The spec is left as it is;
    what it asks for is refused until the model changes or `slipway retry` is given. While a rollout
    is running and no revision is named, this is `slipway abort`. The target is printed.
    """
    from slipway_operator.cli.commanding import command, read_revision
    from slipway_operator.cli.target import connect
    from slipway_operator.state.command import Verb

    first, second, revision = read_revision(first, second, third)
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    command(client, Verb.ROLLBACK, first, second, target=revision)


VERBS = (promote, abort, pause, resume, retry, rollback)
