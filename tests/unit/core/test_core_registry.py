"""A registry as artifact store: a way through to it, and to nothing else of its network."""

from typing import Any

import pytest

from slipway_operator.resources.registry import build_registry_egress

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
            5000,
            id="a Service",
        ),
        pytest.param(
            "oci+http://registry.ops.svc.cluster.local",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}},
            80,
            id="a Service by its whole name",
        ),
        pytest.param("oci://registry.example.com/a/b", None, 443, id="a public name"),
        pytest.param(
            "oci://10.1.2.3:5000", {"ipBlock": {"cidr": "10.1.2.3/32"}}, 5000, id="an address"
        ),
    ],
)
def test_policies_let_pods_through_to_it(store: str, to: Any, port: int) -> None:
    (rule,) = build_registry_egress(store)
    assert rule["ports"] == [{"port": port, "protocol": "TCP"}]
    assert rule.get("to") == (None if to is None else [to])
