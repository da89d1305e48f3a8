"""The Secret of an override on a cluster: made once, kept, and never somebody else's."""

import asyncio
import base64
from typing import Any

import pytest

from slipway_operator.edges.kubernetes.api import ApiRefused, KubernetesApi
from slipway_operator.edges.kubernetes.override import keep_override
from slipway_operator.resources.override import build_override, read_override
from slipway_operator.state.identity import Owner

OWNER = Owner(name="churn", namespace="models", uid="u-1")
ASKED = {"metadata": {"name": "churn", "namespace": "models", "uid": "u-1"}}
NAME = "churn-override"


class OneSecret(KubernetesApi):
    """An API server that has this Secret, or none, and may refuse to write it."""

    def __init__(self, secret: Any = None, *, refuses: ApiRefused | None = None) -> None:
        self.secret, self.refuses = secret, refuses
        self.writes: list[str] = []

    async def find(self, resource: Any, name: str, *, namespace: str | None) -> Any:
        assert (resource.kind, name, namespace) == ("Secret", NAME, "models")
        return self.secret

    async def create(self, resource: Any, obj: Any, **_: Any) -> Any:
        return self._write("create", obj)

    async def apply(self, resource: Any, obj: Any, **_: Any) -> Any:
        return self._write("apply", obj)

    def _write(self, verb: str, obj: Any) -> Any:
        if self.refuses is not None:
            raise self.refuses
        self.writes.append(verb)
        self.secret = obj
        return obj


def keep(api: OneSecret) -> tuple[str | None, Any]:
    return asyncio.run(keep_override(api, ASKED, name=NAME))


def test_it_is_made_once_and_differs_every_time() -> None:
    api, other = OneSecret(), OneSecret()
    token, refusal = keep(api)
    assert refusal is None
    assert token is not None
    assert len(token) == 48
    assert token == read_override(api.secret)
    assert keep(api) == (token, None)
    assert api.writes == ["create"]
    assert keep(other)[0] != token


def test_one_without_a_token_is_mended() -> None:
    spoiled = build_override(owner=OWNER, token="short")
    api = OneSecret(spoiled)
    token, _ = keep(api)
    assert (api.writes, read_override(api.secret)) == (["apply"], token)


def test_somebody_elses_is_left_alone_and_said_so() -> None:
    theirs = {"metadata": {"name": NAME}, "data": {"token": base64.b64encode(b"x" * 20).decode()}}
    former = Owner(name="churn", namespace="models", uid="former")
    for secret in (theirs, build_override(owner=former, token="t" * 48)):
        api = OneSecret(secret)
        token, refusal = keep(api)
        assert (token, api.writes) == (None, [])
        assert refusal.reason == "NameConflict"
        assert refusal.message.startswith('Secret "churn-override" exists')


def refused(status: int, message: str) -> ApiRefused:
    return ApiRefused(status=status, reason="Forbidden", message=message)


def test_a_missing_right_is_told_and_all_else_is_tried_again() -> None:
    words = (
        'secrets is forbidden: User "o" cannot create resource "secrets" in API group "" in the '
        'namespace "models"'
    )
    token, refusal = keep(OneSecret(refuses=refused(403, words)))
    assert token is None
    assert refusal.reason == "OperatorForbidden"
    with pytest.raises(ApiRefused):
        keep(OneSecret(refuses=refused(409, "it exists by now")))
