"""What a refused write means to a person: a reason of the catalogue and a sentence; pure."""

import re
from typing import Final

from slipway_operator.api.reasons import say
from slipway_operator.edges.kubernetes.api import ApiRefused
from slipway_operator.edges.kubernetes.resources import Resource
from slipway_operator.state.observed import Refusal

# "… cannot patch resource "jobs" in API group "batch" in the namespace "default""
_RIGHTS: Final = re.compile(
    r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"( in API group "(?P<group>[^"]*)")?'
)
_INVALID: Final = 422
_TERMINATING: Final = "because it is being terminated"


def is_namespace_ending(refused: ApiRefused) -> bool:
    """Whether a write was refused because its namespace is on its way out, the model with it."""
    return refused.is_forbidden and _TERMINATING in refused.message


def explain_refusal(refused: ApiRefused, *, resource: Resource, name: str) -> Refusal | None:
    """A refusal that somebody has to heal; None: trying again is all there is to do."""
    if refused.is_absent:
        if refused.message.startswith("the server could not find"):
            message = say("KindMissing", kind=resource.kind, version=resource.api_version)
            return Refusal(reason="KindMissing", message=message)
        return None
    if is_namespace_ending(refused):
        return None
    if refused.is_forbidden:
        return _explain_forbidden(refused, resource=resource, name=name)
    if refused.status == _INVALID:
        return _refuse_child(refused, resource=resource, name=name)
    return None


def explain_blindness(refused: ApiRefused) -> Refusal | None:
    """The same for a kind that could not be listed."""
    return _explain_rights(refused) if refused.is_forbidden else None


def _explain_forbidden(refused: ApiRefused, *, resource: Resource, name: str) -> Refusal:
    if "exceeded quota" in refused.message:
        return Refusal(reason="QuotaExceeded", message=refused.message)
    rights = _explain_rights(refused)
    return rights or _refuse_child(refused, resource=resource, name=name)


def _explain_rights(refused: ApiRefused) -> Refusal | None:
    found = _RIGHTS.search(refused.message)
    if found is None:
        return None
    group = found["group"]
    named = f"{found['resource']}.{group}" if group else found["resource"]
    said = say("OperatorForbidden", verb=found["verb"], resource=named)
    return Refusal(reason="OperatorForbidden", message=said)


def _refuse_child(refused: ApiRefused, *, resource: Resource, name: str) -> Refusal:
    words = refused.message.rstrip(".")
    said = say("ChildRefused", kind=resource.kind, object=name, detail=words)
    return Refusal(reason="ChildRefused", message=said)
