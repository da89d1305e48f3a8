"""Which requests Envoy may ask again of another pod (pure).

Always those that no pod has seen: the connection was not made, or was gone before a byte was sent.
Those that a pod may have worked on only if the method says that twice is as good as once (RFC 9110,
9.2.1: safe methods).
"""

from typing import Any, Final

Object = dict[str, Any]
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_UNSEEN: Final = "connect-failure,refused-stream,reset-before-request"
_TIMES: Final = 3
# A dead pod has no requests in flight, so that the balancer prefers it: of two pods it is drawn
# three times in four. This often Envoy draws again before it asks the same pod once more.
_DRAWS: Final = 20
_PREVIOUS_HOSTS: Final = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"


def spread_by_method(route: Object) -> list[Object]:
    """The route with its retry policy: once for safe methods, once for all others."""
    if "route" not in route:
        return [route]
    headers = route["match"].get("headers") or []
    method = next((h["string_match"]["exact"] for h in headers if h["name"] == ":method"), None)
    if method is not None:
        return [_add_policy(route, is_safe=method in _SAFE)]
    safe = {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(_SAFE)}}}
    match = {**route["match"], "headers": [*headers, safe]}
    return [
        _add_policy({**route, "match": match}, is_safe=True),
        _add_policy(route, is_safe=False),
    ]


def _add_policy(route: Object, *, is_safe: bool) -> Object:
    policy: Object = {
        "retry_on": f"{_UNSEEN},reset" if is_safe else _UNSEEN,
        "num_retries": _TIMES,
        "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.100s"},
        "retry_host_predicate": [
            {
                "name": "previous-hosts",
                "typed_config": {"@type": f"type.googleapis.com/{_PREVIOUS_HOSTS}"},
            }
        ],
        "host_selection_retry_max_attempts": _DRAWS,
    }
    return {**route, "route": {**route["route"], "retry_policy": policy}}
