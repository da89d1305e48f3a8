"""Which of the host names that a model asks for it gets.

Its own, `NAME.NAMESPACE.DOMAIN`, it has by itself. Any other one has to be allowed to its
namespace, and to be asked for by no older model. On a laptop there is nobody to share with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from slipway_operator.api.reasons import say
from slipway_operator.api.spec import Traffic
from slipway_operator.decide.verdicts import Finding
from slipway_operator.settings import Settings
from slipway_operator.state.identity import Owner

ANYTHING: Final = "*"
HOST_POLL_SECONDS: Final = 5  # while one is waited for
HOST_CHECK_SECONDS: Final = 60  # what a namespace allows no watch tells
_IN_CLUSTER: Final = "svc"  # without a domain a route still must not answer to every host


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDecision:
    """The host names of the route, and why one that is asked for is not among them."""

    names: tuple[str, ...]
    refusal: Finding | None = None
    requeue_after_seconds: float | None = None


def decide_hosts(
    *,
    owner: Owner,
    traffic: Traffic,
    allowed: tuple[str, ...],
    holders: Mapping[str, str],
    settings: Settings,
) -> HostDecision:
    """Decide about each.

    `allowed` is what the namespace may use; `holders` names, by host, the older model that has it.
    """
    asked = tuple(sorted(traffic.hostnames))
    if settings.is_laptop:
        return HostDecision(names=asked)
    names, refusals = [find_own_host(owner, settings=settings)], []
    foreign = list_foreign_hosts(owner=owner, traffic=traffic, settings=settings)
    for host in foreign:
        if _is_reserved(host, settings=settings) or not is_allowed(host, allowed=allowed):
            refusals.append(
                Finding(
                    reason="HostnameNotAllowed",
                    message=say("HostnameNotAllowed", host=host, namespace=owner.namespace),
                )
            )
        elif host in holders:
            message = say("RouteConflict", host=host, owner=holders[host])
            refusals.append(Finding(reason="RouteConflict", message=message))
        else:
            names.append(host)
    return HostDecision(
        names=tuple(names),
        refusal=refusals[0] if refusals else None,
        requeue_after_seconds=_choose_wait(foreign=foreign, is_whole=not refusals),
    )


def _choose_wait(*, foreign: tuple[str, ...], is_whole: bool) -> float | None:
    if not foreign:
        return None
    return HOST_CHECK_SECONDS if is_whole else HOST_POLL_SECONDS


def find_own_host(owner: Owner, *, settings: Settings) -> str:
    """The host that no other model gets."""
    return f"{owner.name}.{owner.namespace}.{settings.domain or _IN_CLUSTER}"


def list_foreign_hosts(*, owner: Owner, traffic: Traffic, settings: Settings) -> tuple[str, ...]:
    """Those asked for that have to be allowed, in their order."""
    if settings.is_laptop:
        return ()
    own = find_own_host(owner, settings=settings)
    return tuple(sorted(host for host in traffic.hostnames if host != own))


def is_allowed(host: str, *, allowed: tuple[str, ...]) -> bool:
    """Whether one of the names covers the host; `*.` stands for one label or more, as in a route.

    >>> is_allowed("a.b.example.com", allowed=("*.example.com",))
    True
    >>> is_allowed("example.com", allowed=("*.example.com",))
    False
    """
    return any(
        name in (ANYTHING, host) or (name.startswith("*.") and host.endswith(name[1:]))
        for name in allowed
    )


def read_allowed(annotation: str) -> tuple[str, ...]:
    """The names in a namespace's annotation, which are separated by commas."""
    return tuple(name for part in annotation.split(",") if (name := part.strip()))


def _is_reserved(host: str, *, settings: Settings) -> bool:
    """Whether the host is another model's own, there or yet to come."""
    if settings.domain is None or not host.endswith(f".{settings.domain}"):
        return False
    return host.removesuffix(f".{settings.domain}").count(".") == 1
