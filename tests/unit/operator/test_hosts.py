"""Who has a host name that several models ask for."""

import asyncio
from typing import Any

import pytest

from slipway_operator.edges.kubernetes.hosts import find_allowed_hosts, find_holders
from slipway_operator.edges.kubernetes.mirror import Mirror

HOST = "shop.example.com"


class Namespaces:
    """What each namespace's annotation names; others have none, or do not exist."""

    def __init__(self, **allowed: str) -> None:
        self._allowed = allowed

    async def find(self, _: object, name: str, **__: object) -> dict[str, Any] | None:
        if name not in self._allowed:
            return None
        return {"metadata": {"annotations": {"slipway.dev/hostnames": self._allowed[name]}}}


def model(namespace: str, name: str, created: str) -> dict[str, Any]:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"{namespace}/{name}",
            "resourceVersion": "1",
            "creationTimestamp": created,
        },
        "spec": {"traffic": {"hostnames": [HOST]}},
    }


OLD = model("a", "old", "2026-01-01T00:00:00Z")
TWIN = model("b", "a-twin", "2026-01-01T00:00:00Z")
YOUNG = model("a", "young", "2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    ("asked", "namespaces", "holder"),
    [
        pytest.param(OLD, {"a": "*", "b": "*"}, None, id="the oldest"),
        pytest.param(TWIN, {"a": "*", "b": "*"}, "a/old", id="as old, later by namespace"),
        pytest.param(YOUNG, {"a": "*", "b": "*"}, "a/old", id="the youngest"),
        pytest.param(YOUNG, {"b": HOST}, "b/a-twin", id="the oldest may not"),
        pytest.param(YOUNG, {}, None, id="no older one may"),
    ],
)
def test_the_oldest_that_may_has_it(
    asked: dict[str, Any], namespaces: dict[str, str], holder: str | None
) -> None:
    mirror = Mirror()
    for one in (YOUNG, TWIN, OLD):
        mirror.put(one)
    api: Any = Namespaces(**namespaces)
    found = asyncio.run(find_holders(api, mirror, asked, [HOST, "other.example.com"]))
    assert found == ({} if holder is None else {HOST: f'ModelDeployment "{holder}"'})


def test_a_namespace_without_the_annotation_allows_nothing() -> None:
    api: Any = Namespaces()
    assert asyncio.run(find_allowed_hosts(api, "a")) == ()
