"""A registry as artifact store: credentials where needed, and a way through to it alone."""

from dataclasses import replace
from typing import Any

import pytest

from slipway_operator.resources.access import build_build_policy, build_serving_policy
from slipway_operator.resources.registry import build_registry_egress
from slipway_operator.settings import Settings
from slipway_operator.state.identity import Owner

INSIDE = "oci+http://registry.slipway-system.svc:5000/models"


def test_a_folder_needs_no_way() -> None:
    assert build_registry_egress("oci-layout:///data/artifacts") == []


@pytest.mark.parametrize(
    ("store", "to", "port"),
    [
        pytest.param(
            INSIDE,
            {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": "slipway-system"}
                }
            },
            None,
            id="a Service",
        ),
        pytest.param(
            "oci+http://registry.ops.svc.cluster.local",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}},
            None,
            id="a Service by its whole name",
        ),
        pytest.param("oci://registry.example.com/a/b", None, 443, id="a public name"),
        pytest.param(
            "oci://10.1.2.3:5000", {"ipBlock": {"cidr": "10.1.2.3/32"}}, 5000, id="an address"
        ),
    ],
)
def test_policies_let_pods_through_to_it(store: str, to: Any, port: int | None) -> None:
    """To a Service on any port: its pods may listen on another than it does."""
    (rule,) = build_registry_egress(store)
    assert rule.get("ports") == (None if port is None else [{"port": port, "protocol": "TCP"}])
    assert rule.get("to") == (None if to is None else [to])


def test_builds_reach_what_the_administrator_allows() -> None:
    settings = replace(
        Settings.cluster(artifact_store=INSIDE, build_image="b", onnx_image="o", native_image="n"),
        fetch_allow=("minio.store.svc:9000", "[fd00::1]:443"),
    )
    owner = Owner(name="churn", namespace="default", uid="u")
    policy = build_build_policy(owner=owner, build_hash="0" * 40, settings=settings)
    rules = policy["spec"]["egress"][-2:]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "store"}}
    assert rules[0] == {"to": [{"namespaceSelector": selector}]}
    assert rules[1] == {
        "to": [{"ipBlock": {"cidr": "fd00::1/128"}}],
        "ports": [{"port": 443, "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    ("more", "namespaces"),
    [
        ((), ["slipway-system"]),
        (("monitoring", "slipway-system"), ["slipway-system", "monitoring"]),
    ],
)
def test_metrics_of_pods_may_be_read_from_where_the_installation_says(
    more: tuple[str, ...], namespaces: list[str]
) -> None:
    settings = replace(
        Settings.cluster(artifact_store=INSIDE, build_image="b", onnx_image="o", native_image="n"),
        metrics_from=more,
    )
    owner = Owner(name="churn", namespace="default", uid="u")
    policy = build_serving_policy(owner=owner, settings=settings)
    (rule,) = [one for one in policy["spec"]["ingress"] if one["ports"][0]["port"] == "metrics"]
    assert [
        one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for one in rule["from"]
    ] == namespaces
