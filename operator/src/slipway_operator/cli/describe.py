"""`slipway describe`: everything that is known of one object, for people."""

from slipway_operator.cli.options import Context, Data, KindOrName, Kubeconfig, Name, Namespace


def describe(
    *,
    first: KindOrName = None,
    second: Name = None,
    namespace: Namespace = None,
    data: Data = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the details of one object: conditions, stages, contract, parity, revisions, events."""
    from slipway_operator.cli.artifact import read_manifest
    from slipway_operator.cli.errors import USAGE, CliError
    from slipway_operator.cli.kinds import (
        EVENT,
        LABEL_MODEL,
        MODEL_DEPLOYMENT,
        POD,
        parse_reference,
    )
    from slipway_operator.cli.portrait import print_portrait
    from slipway_operator.cli.screen import print_yaml, standard_output
    from slipway_operator.cli.story import stable_artifact
    from slipway_operator.cli.target import connect
    from slipway_operator.edges.clock import utc_now

    kind, name = parse_reference(first, second)
    if name is None:
        raise CliError(
            "No name was given.",
            todo=f"`slipway get {kind.plural}` lists the names.",
            code=USAGE,
        )
    client = connect(data=data, context=context, kubeconfig=kubeconfig, namespace=namespace)
    item = client.get(kind, namespace=client.namespace, name=name)
    if kind is not MODEL_DEPLOYMENT:
        print_yaml(item)
        return
    events, _ = client.list(EVENT, namespace=client.namespace)
    manifest = read_manifest(stable_artifact(item))
    pods, _ = client.list(POD, namespace=client.namespace, selector=f"{LABEL_MODEL}={name}")
    print_portrait(
        standard_output(), item, manifest=manifest, events=events, pods=pods, now=utc_now()
    )
