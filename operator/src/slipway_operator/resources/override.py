"""The Secret `NAME-override`: what a request has to carry to choose the new revision by itself.

The token is drawn by an edge, once, and is nothing that the core remembers: it stands in the Secret
and, as what the gateway compares with, in the HTTPRoute.
"""

import base64
import binascii
import re
from typing import Final

from slipway_operator.api.vocabulary import GROUP
from slipway_operator.state.identity import Component, Owner
from slipway_operator.state.observed import Json

KEY: Final = "token"
TOKEN_BYTES: Final = 24
_USABLE: Final = re.compile(r"[A-Za-z0-9._~-]{16,128}")  # as gateways take it, and nobody guesses


def name_override(model: str) -> str:
    """The Secret's name."""
    return f"{model}-override"


def build_override(*, owner: Owner, token: str) -> Json:
    """The Secret; it goes with the model."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": f"{GROUP}/revision-override",
        "metadata": owner.metadata(
            name=name_override(owner.name), labels=owner.labels(component=Component.SERVE)
        ),
        "data": {KEY: base64.b64encode(token.encode()).decode()},
    }


def is_override_of(secret: Json, *, owner: Owner) -> bool:
    """Whether it was made for this model, and not by somebody else under its name."""
    owners = secret["metadata"].get("ownerReferences") or ()
    return any(each.get("uid") == owner.uid for each in owners)


def read_override(secret: Json) -> str | None:
    """The token; None: there is none that a gateway could compare with, or too short a one.

    >>> owner = Owner(name="churn", namespace="default", uid="u")
    >>> read_override(build_override(owner=owner, token="0123456789abcdef"))
    '0123456789abcdef'
    """
    try:
        token = base64.b64decode((secret.get("data") or {}).get(KEY, ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return None
    return token if _USABLE.fullmatch(token) else None
