"""From HTTPRoutes, Services and EndpointSlices to Envoy's resources (pure).

One listener a route; one cluster a route and Service, so that header filters and weights of one
backendRef stay one atomic change and every revision has counters of its own. ``controller`` decides
in which order they are handed over. What Envoy is not told is refused by name, never left out.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from slipway_operator.contract import SERVER_IDLE_SECONDS
from slipway_operator.local.endpoints import SERVICE_LABEL
from slipway_operator.local.gateway.retries import spread_by_method
from slipway_operator.local.objects import key_of, labels_of, namespace_of
from slipway_operator.local.ports import LOOPBACK

Object = dict[str, Any]

_TYPE: Final = "type.googleapis.com/envoy.config"
_EXTENSION: Final = "type.googleapis.com/envoy.extensions"
HCM: Final = f"{_EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager"
DEFAULT_TIMEOUT: Final = "15s"  # Envoy's own
MAX_IN_FLIGHT: Final = 65536
# A request sent on a connection that its server closes just then would fail.
IDLE_SECONDS: Final = SERVER_IDLE_SECONDS - 2


class RouteRefused(Exception):
    """The route asks for what this gateway cannot do; the sentence says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """Everything that Envoy shall know of one route.

    ``clusters`` and ``endpoints`` are keyed by cluster name; ``missing`` names the backends that
    have no such Service (or port).
    """

    key: str
    listener: Object
    route: Object
    clusters: Mapping[str, Object]
    endpoints: Mapping[str, Object]
    missing: Sequence[str] = field(default=())


def compute_version(resources: object) -> str:
    """The version of a set of resources: equal content, equal version."""
    return hashlib.sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()[:16]


def name_file(prefix: str, name: str) -> str:
    """The file in which one route's or cluster's resources stand."""
    return f"{prefix}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def build_programme(
    route: Mapping[str, Any],
    *,
    port: int,
    services: Mapping[str, Mapping[str, Any]],
    slices: Sequence[Mapping[str, Any]],
    folder: Path,
) -> Programme:
    """What one HTTPRoute means for Envoy.

    Args:
        port: its loopback port. services: by ``NAMESPACE/NAME``. slices: of all Services.
        folder: where the xDS files lie.

    Raises:
        RouteRefused: a filter, match or backend that this gateway does not do.
    """
    key = key_of(route)
    backends = _Backends(route, services, slices, folder)
    routes = [
        built for rule in route["spec"].get("rules") or () for built in _build_rule(rule, backends)
    ]
    configuration: Object = {
        "@type": f"{_TYPE}.route.v3.RouteConfiguration",
        "name": key,
        "virtual_hosts": [{"name": key, "domains": ["*"], "routes": routes}],
    }
    return Programme(
        key=key,
        listener=_build_listener(key, port, folder),
        route=configuration,
        clusters=backends.clusters,
        endpoints=backends.endpoints,
        missing=tuple(backends.missing),
    )


class _Backends:
    """Collects the clusters that one route's backendRefs need."""

    def __init__(
        self,
        route: Mapping[str, Any],
        services: Mapping[str, Mapping[str, Any]],
        slices: Sequence[Mapping[str, Any]],
        folder: Path,
    ) -> None:
        self._key, self._namespace = key_of(route), namespace_of(route)
        self._services, self._slices, self._folder = services, slices, folder
        self.clusters: dict[str, Object] = {}
        self.endpoints: dict[str, Object] = {}
        self.missing: list[str] = []

    def resolve(self, reference: Mapping[str, Any]) -> str:
        """The cluster behind a reference; that of a missing Service is never defined."""
        if reference.get("kind", "Service") != "Service" or reference.get("group"):
            raise RouteRefused(f'backendRef "{reference["name"]}" is no Service')
        namespace = reference.get("namespace", self._namespace)
        port = reference.get("port")
        backend = f"{namespace}/{reference['name']}:{port}"
        cluster = f"httproute/{self._key}/{namespace}/{reference['name']}/{port}"
        service = self._services.get(f"{namespace}/{reference['name']}")
        ports = service["spec"].get("ports") or () if service is not None else ()
        found = next((p for p in ports if p["port"] == port), None)
        if found is None:
            self.missing.append(backend)
        elif cluster not in self.clusters:
            file = self._folder / name_file("eds", cluster)
            self.clusters[cluster] = _build_cluster(cluster, found, file)
            self.endpoints[cluster] = _build_endpoints(
                cluster, namespace, reference["name"], found.get("name", ""), self._slices
            )
        return cluster


def _build_rule(rule: Mapping[str, Any], backends: _Backends) -> list[Object]:
    action: Object = {
        "timeout": (rule.get("timeouts") or {}).get("request", DEFAULT_TIMEOUT),
        "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR",
    }
    result: Object = {"route": action}
    for filter_ in rule.get("filters") or ():
        if filter_["type"] == "RequestMirror":
            action.setdefault("request_mirror_policies", []).append(
                _build_mirror(filter_["requestMirror"], backends)
            )
        else:
            _add_headers(result, filter_)
    clusters = []
    for reference in rule.get("backendRefs") or ():
        entry: Object = {"name": backends.resolve(reference), "weight": reference.get("weight", 1)}
        for filter_ in reference.get("filters") or ():
            _add_headers(entry, filter_)
        clusters.append(entry)
    if not sum(entry["weight"] for entry in clusters):
        result.pop("route")
        result["direct_response"] = {"status": 500}
    else:
        action["weighted_clusters"] = {"clusters": clusters}
    return [
        built
        for match in rule.get("matches") or ({"path": {"type": "PathPrefix", "value": "/"}},)
        for built in spread_by_method({**result, "match": _build_match(match)})
    ]


def _build_match(match: Mapping[str, Any]) -> Object:
    path = match.get("path") or {"type": "PathPrefix", "value": "/"}
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    result: Object
    if kind == "Exact":
        result = {"path": value}
    elif kind == "RegularExpression":
        result = {"safe_regex": {"regex": value}}
    elif value == "/":
        result = {"prefix": "/"}
    else:
        result = {"path_separated_prefix": value.rstrip("/")}
    headers = [_build_header_match(header) for header in match.get("headers") or ()]
    if match.get("method"):
        headers.append({"name": ":method", "string_match": {"exact": match["method"]}})
    if match.get("queryParams"):
        raise RouteRefused("matches by queryParams are not done by the laptop's gateway")
    if headers:
        result["headers"] = headers
    return result


def _build_header_match(header: Mapping[str, Any]) -> Object:
    if header.get("type", "Exact") == "Exact":
        return {"name": header["name"], "string_match": {"exact": header["value"]}}
    return {"name": header["name"], "string_match": {"safe_regex": {"regex": header["value"]}}}


def _add_headers(entry: Object, filter_: Mapping[str, Any]) -> None:
    """Put a header filter where Envoy has it (a route or one weighted cluster)."""
    places = {
        "RequestHeaderModifier": ("requestHeaderModifier", "request"),
        "ResponseHeaderModifier": ("responseHeaderModifier", "response"),
    }
    place = places.get(filter_["type"])
    if place is None:
        raise RouteRefused(f'filter "{filter_["type"]}" is not done by the laptop\'s gateway')
    change, side = filter_[place[0]], place[1]
    for verb, action in (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD")):
        for header in change.get(verb) or ():
            entry.setdefault(f"{side}_headers_to_add", []).append(
                {
                    "header": {"key": header["name"], "value": header["value"]},
                    "append_action": action,
                }
            )
    if change.get("remove"):
        entry.setdefault(f"{side}_headers_to_remove", []).extend(change["remove"])


def _build_mirror(mirror: Mapping[str, Any], backends: _Backends) -> Object:
    fraction = mirror.get("fraction") or {"numerator": mirror.get("percent", 100)}
    share = fraction["numerator"] / fraction.get("denominator", 100)
    return {
        "cluster": backends.resolve(mirror["backendRef"]),
        "disable_shadow_host_suffix_append": True,
        "runtime_fraction": {
            "default_value": {"numerator": round(share * 1_000_000), "denominator": "MILLION"}
        },
    }


def _build_listener(key: str, port: int, folder: Path) -> Object:
    return {
        "@type": f"{_TYPE}.listener.v3.Listener",
        "name": key,
        "address": {"socket_address": {"address": LOOPBACK, "port_value": port}},
        "enable_reuse_port": False,  # else a second Envoy could take half of the requests
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "http",
                        "typed_config": {
                            "@type": HCM,
                            "stat_prefix": key,
                            "codec_type": "AUTO",
                            "use_remote_address": True,
                            "server_header_transformation": "PASS_THROUGH",
                            "normalize_path": True,
                            "rds": {
                                "route_config_name": key,
                                "config_source": _source(folder / name_file("rds", key)),
                            },
                            "http_filters": [
                                {
                                    "name": "router",
                                    "typed_config": {
                                        "@type": f"{_EXTENSION}.filters.http.router.v3.Router"
                                    },
                                }
                            ],
                        },
                    }
                ]
            }
        ],
    }


def _build_cluster(name: str, port: Mapping[str, Any], file: Path) -> Object:
    cluster: Object = {
        "@type": f"{_TYPE}.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _source(file)},
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        "ignore_health_on_host_removal": True,
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": MAX_IN_FLIGHT,
                    "max_pending_requests": MAX_IN_FLIGHT,
                    "max_requests": MAX_IN_FLIGHT,
                    "max_retries": MAX_IN_FLIGHT,
                }
            ]
        },
    }
    is_http2 = port.get("appProtocol") == "kubernetes.io/h2c"
    spoken = "http2_protocol_options" if is_http2 else "http_protocol_options"
    options = f"{_EXTENSION}.upstreams.http.v3.HttpProtocolOptions"
    cluster["typed_extension_protocol_options"] = {
        options.partition("/")[2]: {
            "@type": options,
            "explicit_http_config": {spoken: {}},
            "common_http_protocol_options": {"idle_timeout": f"{IDLE_SECONDS}s"},
        }
    }
    return cluster


def _build_endpoints(
    cluster: str,
    namespace: str,
    service: str,
    port_name: str,
    slices: Sequence[Mapping[str, Any]],
) -> Object:
    hosts = []
    for slice_ in slices:
        if namespace_of(slice_) != namespace or labels_of(slice_).get(SERVICE_LABEL) != service:
            continue
        ports = [p for p in slice_.get("ports") or () if p.get("name", "") == port_name]
        for endpoint in slice_.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            hosts += [
                (address, port["port"]) for port in ports for address in endpoint["addresses"]
            ]
    return {
        "@type": f"{_TYPE}.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster,
        "endpoints": [
            {
                "lb_endpoints": [
                    {
                        "endpoint": {
                            "address": {"socket_address": {"address": host, "port_value": port}}
                        }
                    }
                    for host, port in sorted(set(hosts))
                ]
            }
        ],
    }


def _source(path: Path) -> Object:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def build_bootstrap(folder: Path, admin: Path) -> Object:
    """Envoy's own start-up configuration: everything else comes from files."""
    return {
        "node": {"id": "slipway", "cluster": "slipway"},
        "admin": {"address": {"pipe": {"path": str(admin), "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": _source(folder / "cds.json"),
            "lds_config": _source(folder / "lds.json"),
        },
    }
