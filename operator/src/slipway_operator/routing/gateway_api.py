"""The HTTPRoute in its one fixed shape, and what its status says.

Rule 0 is the header override, rule 1 the two weighted slots, each with its filter; nothing is ever
inserted, reordered or removed, because gateways keep one cluster a position. Only the filter that
copies requests of rule 1 comes and goes. Measured facts behind
this: docs/architecture.md.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from slipway_operator.api.spec import Traffic
from slipway_operator.contract import HEADER_FORCED, HEADER_OVERRIDE, HEADER_REVISION
from slipway_operator.settings import Settings
from slipway_operator.state.identity import (
    ANNOTATION_ADDRESS,
    ANNOTATION_COMMANDED,
    ANNOTATION_REJECTED,
    ANNOTATION_STABLE,
    ANNOTATION_TARGET,
    ChildKind,
    Component,
    Owner,
)
from slipway_operator.state.observed import Json, read_annotations
from slipway_operator.state.slots import MILLION, Mirror, RouteState, Slot, Slots

SERVICE_PORT: Final = 80
# The pod answers a timeout itself, with a reason; the gateway's own limit only catches a dead pod.
TIMEOUT_MARGIN_SECONDS: Final = 5
_REMEMBERED: Final = (
    ANNOTATION_STABLE,
    ANNOTATION_REJECTED,
    ANNOTATION_COMMANDED,
    ANNOTATION_TARGET,
)
_NEEDED: Final = ("Accepted", "ResolvedRefs")


def build_route(
    *,
    owner: Owner,
    slots: Slots,
    stable: str | None,
    traffic: Traffic,
    hostnames: tuple[str, ...],
    timeout_seconds: int,
    settings: Settings,
    rejected: tuple[str, ...] | None = None,
    last_command: str | None = None,
    mirror: Mirror | None = None,
    target: str | None = None,
    token: str | None = None,
    chosen: str | None = None,
) -> dict[str, Any]:
    """The HTTPRoute `NAME`. `timeout_seconds` is the longest of the revisions that it names.

    `token`: what a request carries to choose its revision; None: none can. It then gets `chosen`,
    else (None) that of the idle slot.
    """
    annotations = {
        ANNOTATION_STABLE: stable,
        ANNOTATION_REJECTED: None if rejected is None else " ".join(rejected),
        ANNOTATION_COMMANDED: last_command,
        ANNOTATION_TARGET: target,
    }
    timeouts = {"request": f"{timeout_seconds + TIMEOUT_MARGIN_SECONDS}s"}
    everything = {"type": "PathPrefix", "value": "/"}
    split: dict[str, Any] = {
        "matches": [{"path": everything}],
        "backendRefs": [
            _backend(owner, slot.revision, weight=slot.weight, forced=False)
            for slot in (slots.first, slots.second)
        ],
        "timeouts": timeouts,
    }
    if mirror is not None:
        split["filters"] = [_build_mirror(owner, mirror)]
    spec: dict[str, Any] = {
        "parentRefs": [_parent(traffic, settings=settings)],
        "rules": [
            {
                "matches": [
                    {
                        "path": everything,
                        "headers": [
                            {
                                "type": "Exact",
                                "name": HEADER_OVERRIDE,
                                "value": token or build_secret_value(owner),
                            }
                        ],
                    }
                ],
                "backendRefs": [
                    _backend(owner, chosen or slots.idle.revision, weight=1, forced=True)
                ],
                "timeouts": timeouts,
            },
            split,
        ],
    }
    if hostnames:
        spec["hostnames"] = list(hostnames)
    return {
        "apiVersion": ChildKind.HTTP_ROUTE.api_version,
        "kind": ChildKind.HTTP_ROUTE.value,
        "metadata": owner.metadata(
            name=owner.name,
            labels=owner.labels(component=Component.SERVE),
            annotations={key: value for key, value in annotations.items() if value is not None},
        ),
        "spec": spec,
    }


def reweigh_route(route: Json, *, owner: Owner, slots: Slots) -> dict[str, Any]:
    """The route as it was observed with other weights in its slots, which name the same revisions:
    where the spec that shaped it cannot be read."""
    found = read_annotations(route)
    header, weighted = route["spec"]["rules"]
    weights = (slots.first.weight, slots.second.weight)
    backends = [
        {**backend, "weight": weight}
        for backend, weight in zip(weighted["backendRefs"], weights, strict=True)
    ]
    return {
        "apiVersion": ChildKind.HTTP_ROUTE.api_version,
        "kind": ChildKind.HTTP_ROUTE.value,
        "metadata": owner.metadata(
            name=owner.name,
            labels=owner.labels(component=Component.SERVE),
            annotations={name: found[name] for name in _REMEMBERED if name in found},
        ),
        "spec": {**route["spec"], "rules": [header, {**weighted, "backendRefs": backends}]},
    }


def _parent(traffic: Traffic, *, settings: Settings) -> dict[str, Any]:
    asked, own = traffic.gateway, settings.gateway
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": own.name if asked is None else asked.name,
        "namespace": own.namespace if asked is None else asked.namespace,
    }
    # A listener is one of the installation's own Gateway.
    if asked is None and own.section_name is not None:
        parent["sectionName"] = own.section_name
    return parent


def build_secret_value(owner: Owner) -> str:
    """A header's value that no request carries: the override rule keeps its place, matches nothing.

    Gateways take visible ASCII only, so that nothing is impossible to send; this is impossible to
    guess for whoever cannot read the cluster, and whoever can reaches the Service anyway.
    """
    return hashlib.sha256(f"override off {owner.uid}".encode()).hexdigest()


def read_route(route: Json, *, owner: Owner, settings: Settings) -> RouteState:
    """What a route says and what its gateway answered."""
    annotations = read_annotations(route)
    verified, trouble = _read_parents(route, settings=settings)
    return RouteState(
        slots=_read_slots(route, owner=owner),
        stable=annotations.get(ANNOTATION_STABLE),
        verified=verified,
        trouble=trouble,
        address=annotations.get(ANNOTATION_ADDRESS),
        rejected=tuple(annotations.get(ANNOTATION_REJECTED, "").split()),
        last_command=annotations.get(ANNOTATION_COMMANDED),
        mirror=_read_mirror(route, owner=owner),
        target=annotations.get(ANNOTATION_TARGET) or None,
        chosen=_read_chosen(route, owner=owner),
    )


def _build_mirror(owner: Owner, mirror: Mirror) -> dict[str, Any]:
    """A gateway that knows no shares may still copy everything: so that is not given as one."""
    request: dict[str, Any] = {
        "backendRef": {
            "group": "",
            "kind": "Service",
            "name": owner.revision_name(mirror.revision),
            "port": SERVICE_PORT,
        }
    }
    if mirror.share < MILLION:
        request["fraction"] = {"numerator": mirror.share, "denominator": MILLION}
    return {"type": "RequestMirror", "requestMirror": request}


def _read_mirror(route: Json, *, owner: Owner) -> Mirror | None:
    """Whom the second rule copies to; one that is not ours is taken away with the next write."""
    for rule in list(route.get("spec", {}).get("rules") or ())[1:2]:
        for filter_ in rule.get("filters") or ():
            request = filter_.get("requestMirror") or {}
            found = _read_slot(request.get("backendRef") or {}, owner=owner)
            if found is None:
                continue
            fraction = request.get("fraction") or {"numerator": request.get("percent", 100)}
            share = int(fraction["numerator"]) * MILLION // int(fraction.get("denominator", 100))
            return Mirror(revision=found.revision, share=share)
    return None


def _backend(owner: Owner, revision: str, *, weight: int, forced: bool) -> dict[str, Any]:
    headers: dict[str, Any] = {"set": [{"name": HEADER_REVISION, "value": revision}]}
    if forced:
        headers["set"].append({"name": HEADER_FORCED, "value": "1"})
        headers["remove"] = [HEADER_OVERRIDE]
    else:
        headers["remove"] = [HEADER_FORCED, HEADER_OVERRIDE]
    return {
        "group": "",
        "kind": "Service",
        "name": owner.revision_name(revision),
        "port": SERVICE_PORT,
        "weight": weight,
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": headers}],
    }


def _read_slots(route: Json, *, owner: Owner) -> Slots | None:
    rules = list(route.get("spec", {}).get("rules") or ())
    backends = list(rules[1].get("backendRefs") or ()) if len(rules) == 2 else []
    if len(backends) != 2:
        return None
    first, second = (_read_slot(backend, owner=owner) for backend in backends)
    return None if first is None or second is None else Slots(first=first, second=second)


def _read_chosen(route: Json, *, owner: Owner) -> str | None:
    """The revision of the override rule."""
    rules = list(route.get("spec", {}).get("rules") or ())
    backends = list(rules[0].get("backendRefs") or ()) if rules else []
    prefix = owner.revision_name("")
    name = str(backends[0].get("name", "")) if backends else ""
    return name.removeprefix(prefix) if name.startswith(prefix) else None


def _read_slot(backend: Mapping[str, Any], *, owner: Owner) -> Slot | None:
    prefix = owner.revision_name("")
    name = str(backend.get("name", ""))
    if not name.startswith(prefix) or len(name) == len(prefix):
        return None
    return Slot(revision=name[len(prefix) :], weight=int(backend.get("weight", 1)))


def _read_parents(route: Json, *, settings: Settings) -> tuple[bool, tuple[str, str] | None]:
    """Whether every gateway confirmed this generation; else what one of them said against it."""
    generation = route.get("metadata", {}).get("generation", 0)
    parents = route.get("status", {}).get("parents") or ()
    needed = (*_NEEDED, "Programmed") if settings.is_laptop else _NEEDED
    verified = bool(parents)
    for parent in parents:
        conditions = {
            condition.get("type"): condition for condition in parent.get("conditions") or ()
        }
        for kind in needed:
            condition = conditions.get(kind) or {}
            if int(condition.get("observedGeneration") or 0) < int(generation):
                verified = False
            elif condition.get("status") == "False":
                reason = str(condition.get("reason") or "")
                words = str(condition.get("message") or "no details given").rstrip(".")
                return False, (reason, f"{kind} is False, {reason}: {words}.")
            elif condition.get("status") != "True":
                verified = False
    return verified, None
