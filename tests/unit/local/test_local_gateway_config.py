"""From HTTPRoutes to Envoy's resources."""

from pathlib import Path
from typing import Any

import pytest

from local_engine import build_route, build_service
from slipway_operator.contract import SERVER_IDLE_SECONDS
from slipway_operator.local.gateway.config import RouteRefused, build_programme

Object = dict[str, Any]
FOLDER = Path("/xds")


def build_slice(service: str, port: int, **conditions: bool) -> Object:
    return {
        "metadata": {
            "namespace": "default",
            "name": f"{service}-{port}",
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": conditions}],
    }


def programme(route: Object, *slices: Object, services: tuple[str, ...] = ("a", "b")) -> Any:
    return build_programme(
        route,
        port=8080,
        services={f"default/{name}": build_service(name) for name in services},
        slices=slices,
        folder=FOLDER,
    )


def weighted(built: Any) -> list[Object]:
    rules = built.route["virtual_hosts"][0]["routes"]
    return list(rules[-1]["route"]["weighted_clusters"]["clusters"])


def test_each_slot_has_its_weight_its_header_and_a_cluster_of_its_service() -> None:
    built = programme(build_route("r", ("a", 999_999), ("b", 1)))
    first, second = weighted(built)
    assert (first["weight"], second["weight"]) == (999_999, 1)
    assert first["name"] == "httproute/default/r/default/a/80"
    header = second["request_headers_to_add"][0]
    assert header["header"] == {"key": "x-model-revision", "value": "b"}
    assert header["append_action"] == "OVERWRITE_IF_EXISTS_OR_ADD"
    assert set(built.clusters) == {first["name"], second["name"]}
    assert built.missing == ()


def test_only_ready_addresses_are_endpoints() -> None:
    built = programme(
        build_route("r", ("a", 1)),
        build_slice("a", 20001, ready=True),
        build_slice("a", 20002, ready=False),
        build_slice("b", 20003, ready=True),
        build_slice("a", 20004),
    )
    hosts = built.endpoints["httproute/default/r/default/a/80"]["endpoints"][0]["lb_endpoints"]
    ports = [h["endpoint"]["address"]["socket_address"]["port_value"] for h in hosts]
    assert ports == [20001, 20004]


def test_envoy_never_sends_to_what_is_not_ready() -> None:
    built = programme(build_route("r", ("a", 1)))
    (cluster,) = built.clusters.values()
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_a_missing_service_is_named_and_its_share_fails_openly() -> None:
    built = programme(build_route("r", ("a", 1), ("gone", 1)), services=("a",))
    assert built.missing == ("default/gone:80",)
    assert weighted(built)[1]["name"] not in built.clusters


def test_the_listener_is_on_loopback_and_shares_its_port_with_nobody() -> None:
    built = programme(build_route("r", ("a", 1)))
    address = built.listener["address"]["socket_address"]
    assert address == {"address": "127.0.0.1", "port_value": 8080}
    assert built.listener["enable_reuse_port"] is False


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        pytest.param({}, {"prefix": "/"}, id="default"),
        pytest.param(
            {"path": {"type": "PathPrefix", "value": "/v2/"}},
            {"path_separated_prefix": "/v2"},
            id="prefix",
        ),
        pytest.param({"path": {"type": "Exact", "value": "/x"}}, {"path": "/x"}, id="exact"),
        pytest.param(
            {"headers": [{"name": "h", "value": "v"}]},
            {"prefix": "/", "headers": [{"name": "h", "string_match": {"exact": "v"}}]},
            id="header",
        ),
        pytest.param(
            {"method": "GET"},
            {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            id="method",
        ),
    ],
)
def test_matches(match: Object, expected: Object) -> None:
    route = build_route("r", ("a", 1))
    route["spec"]["rules"][0]["matches"] = [match]
    assert programme(route).route["virtual_hosts"][0]["routes"][-1]["match"] == expected


def test_only_safe_methods_are_asked_again_after_a_pod_may_have_seen_them() -> None:
    safe, other = programme(build_route("r", ("a", 1))).route["virtual_hosts"][0]["routes"]
    (method,) = safe["match"]["headers"]
    assert method["name"] == ":method"
    assert method["string_match"]["safe_regex"]["regex"] == "GET|HEAD|OPTIONS"
    assert "headers" not in other["match"]
    unseen = {"connect-failure", "refused-stream", "reset-before-request"}
    assert set(other["route"]["retry_policy"]["retry_on"].split(",")) == unseen
    assert set(safe["route"]["retry_policy"]["retry_on"].split(",")) == {*unseen, "reset"}


@pytest.mark.parametrize(("method", "is_safe"), [("GET", True), ("POST", False)])
def test_a_match_of_one_method_stays_one_route(method: str, is_safe: bool) -> None:
    route = build_route("r", ("a", 1))
    header = {"name": "h", "value": "v"}
    route["spec"]["rules"][0]["matches"] = [{"method": method, "headers": [header]}]
    (built,) = programme(route).route["virtual_hosts"][0]["routes"]
    assert ("reset" in built["route"]["retry_policy"]["retry_on"].split(",")) is is_safe


def test_what_goes_to_no_pod_is_not_asked_again() -> None:
    (built,) = programme(build_route("r", ("a", 0))).route["virtual_hosts"][0]["routes"]
    assert built["direct_response"] == {"status": 500}


def test_retries_are_not_capped_by_a_breaker() -> None:
    (cluster,) = programme(build_route("r", ("a", 1))).clusters.values()
    assert cluster["circuit_breakers"]["thresholds"][0]["max_retries"] > 1000


def test_a_connection_is_let_go_before_its_server_closes_it() -> None:
    (cluster,) = programme(build_route("r", ("a", 1))).clusters.values()
    (options,) = cluster["typed_extension_protocol_options"].values()
    idle = options["common_http_protocol_options"]["idle_timeout"]
    assert 0 < int(idle.removesuffix("s")) < SERVER_IDLE_SECONDS


def test_a_mirror_takes_its_share_in_millionths() -> None:
    route = build_route("r", ("a", 1))
    route["spec"]["rules"][0]["filters"] = [
        {
            "type": "RequestMirror",
            "requestMirror": {"backendRef": {"name": "b", "port": 80}, "percent": 30},
        }
    ]
    built = programme(route)
    (policy,) = built.route["virtual_hosts"][0]["routes"][0]["route"]["request_mirror_policies"]
    assert policy["cluster"] == "httproute/default/r/default/b/80"
    assert policy["runtime_fraction"]["default_value"]["numerator"] == 300_000


def test_the_timeout_is_the_rules() -> None:
    route = build_route("r", ("a", 1))
    assert programme(route).route["virtual_hosts"][0]["routes"][0]["route"]["timeout"] == "15s"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"filters": [{"type": "URLRewrite"}]}, "URLRewrite", id="filter"),
        pytest.param({"matches": [{"queryParams": [{}]}]}, "queryParams", id="query"),
        pytest.param({"backendRefs": [{"name": "x", "kind": "Bucket"}]}, "no Service", id="kind"),
    ],
)
def test_what_is_not_done_is_refused_by_name(change: Object, words: str) -> None:
    route = build_route("r", ("a", 1))
    route["spec"]["rules"][0].update(change)
    with pytest.raises(RouteRefused, match=words):
        programme(route)
