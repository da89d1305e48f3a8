"""The Secret of `traffic.revisionOverride: Token`: made once, with a token that nobody guesses."""

from collections.abc import Mapping
from typing import Any

from slipway_operator.api.reasons import say
from slipway_operator.edges.chance import draw_token
from slipway_operator.edges.kubernetes.api import ApiRefused, KubernetesApi
from slipway_operator.edges.kubernetes.refusals import explain_refusal
from slipway_operator.edges.kubernetes.resources import SECRET
from slipway_operator.resources.override import build_override, is_override_of, read_override
from slipway_operator.state.identity import MANAGED_BY
from slipway_operator.state.observed import Refusal
from slipway_operator.steering.world import read_owner


async def keep_override(
    api: KubernetesApi, asked: Mapping[str, Any], *, name: str
) -> tuple[str | None, Refusal | None]:
    """The token of the Secret; one that is missing is made, and one without a token mended.

    Returns:
        The token, or why there is none.

    Raises:
        ApiRefused, ApiUnreachable: trying again is all there is to do.
    """
    owner = read_owner(asked)
    found = await api.find(SECRET, name, namespace=owner.namespace)
    if found is not None:
        if not is_override_of(found, owner=owner):
            message = say("NameConflict", kind=SECRET.kind, object=name)
            return None, Refusal(reason="NameConflict", message=message)
        token = read_override(found)
        if token is not None:
            return token, None
    token = draw_token()
    secret = build_override(owner=owner, token=token)
    try:
        if found is None:
            await api.create(SECRET, secret)
        else:
            await api.apply(SECRET, secret, manager=MANAGED_BY)
    except ApiRefused as refused:
        told = explain_refusal(refused, resource=SECRET, name=name)
        if told is None:
            raise
        return None, told
    return token, None
