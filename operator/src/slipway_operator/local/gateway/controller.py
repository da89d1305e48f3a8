"""Keeps Envoy in step with the store, and tells each HTTPRoute what has become of it.

Gives every route a port of its own (first free one from 8080, kept in an annotation), hands the
configuration over, and writes the conditions only after Envoy has acknowledged. Level-triggered:
one pass looks at all routes.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.changes import Change
from slipway_operator.local.container_keeper import read_ports
from slipway_operator.local.datafolder import DataFolder, find_user_folder
from slipway_operator.local.errors import Conflict, EngineError, NotFound
from slipway_operator.local.gateway.config import Programme, RouteRefused, build_programme
from slipway_operator.local.gateway.delivery import Delivery, is_taken, read_served_ports
from slipway_operator.local.gateway.process import EnvoyProcess
from slipway_operator.local.kinds import ENDPOINT_SLICE, HTTP_ROUTE, SERVICE
from slipway_operator.local.objects import (
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    set_condition,
    uid_of,
)
from slipway_operator.local.ports import LOOPBACK, PortBook, describe_holder, is_free
from slipway_operator.local.store import Store

log = logging.getLogger(__name__)

Object = dict[str, Any]
ADDRESS_ANNOTATION: Final = "slipway.dev/address"
CONTROLLER_NAME: Final = "slipway.dev/laptop-gateway"
FIRST_PORT: Final = 8080
PORTS: Final = range(FIRST_PORT, FIRST_PORT + 1000)
RETRY_SECONDS: Final = 2.0
_WATCHED: Final = (HTTP_ROUTE, SERVICE, ENDPOINT_SLICE)
_ONLY_KEY: Final = "envoy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has become of one route: reason and message of what is wrong, None where all is well."""

    refused: str | None = None
    missing: str | None = None
    trouble: tuple[str, str] | None = None


class Gateway:
    """The controller of all HTTPRoutes of one store."""

    def __init__(self, *, store: Store, data: DataFolder) -> None:
        """Find Envoy.

        Raises:
            EngineRefused: when there is none.
        """
        self._store = store
        self._envoy = EnvoyProcess(data)
        self._delivery = Delivery(self._envoy)
        self._ports = PortBook(find_user_folder() / "ports")
        self._watcher: asyncio.Task[None] | None = None
        self._loop = KeyedLoop(
            name="gateway", handler=self._sync, backoff=Backoff(first_seconds=0.2, cap_seconds=10.0)
        )

    async def start(self) -> None:
        """Have Envoy serve what is stored, before anybody is told that the engine is ready.

        Raises:
            EngineRefused: when Envoy does not come up.
        """
        try:
            wait = await self._sync(_ONLY_KEY)
        except (EngineError, OSError, httpx.HTTPError) as error:
            log.warning("The gateway is not in step yet: %s", error)
            wait = 0.0
        if wait is not None:
            self._loop.wake(_ONLY_KEY, after_seconds=wait)

    def notice(self, change: Change) -> None:
        """Wake when a route, a Service or an address changed."""
        if change.kind in _WATCHED:
            self._loop.wake(_ONLY_KEY)

    def resync(self) -> None:
        """Look at everything."""
        self._loop.wake(_ONLY_KEY)

    def describe(self) -> Object:
        """What ``/slipway/v1/engine`` says of Envoy."""
        return {"envoy": {"pid": self._envoy.pid}}

    def sends_to(self, pod: Mapping[str, Any]) -> bool:
        """Whether a new request may still reach this pod: a slice has it, or Envoy does."""
        if not self._envoy.is_running():
            return False
        if self._delivery.sends_to(read_ports(pod).values()):
            return True
        return any(
            (endpoint.get("targetRef") or {}).get("uid") == uid_of(pod)
            for slice_ in self._store.list(ENDPOINT_SLICE, namespace=namespace_of(pod))
            for endpoint in slice_.get("endpoints") or ()
        )

    async def close(self) -> None:
        """Stop working; Envoy goes on serving."""
        await self._loop.close()
        if self._watcher is not None:
            self._watcher.cancel()

    async def stop(self) -> None:
        """End Envoy."""
        await self._envoy.stop()

    # ── One pass ─────────────────────────────────────────────────────────────────────────────
    async def _sync(self, _: str) -> float | None:
        await self._envoy.ensure(before_start=self._delivery.prepare)
        self._attend()
        routes = [route for route in self._store.list(HTTP_ROUTE) if not is_deleting(route)]
        served = read_served_ports(self._envoy.folder)
        services = {key_of(service): service for service in self._store.list(SERVICE)}
        slices = self._store.list(ENDPOINT_SLICE)
        outcomes: dict[str, Outcome] = {}
        programmes: list[Programme] = []
        routes = [self._place(route) for route in routes]
        for route in routes:
            key, port = key_of(route), read_port(route)
            if port is None:
                outcomes[key] = Outcome(trouble=_no_port())
                continue
            if served.get(key) != port and not (self._ports.claim(port) and is_free(port)):
                outcomes[key] = Outcome(trouble=_port_taken(port))
                continue
            try:
                programme = build_programme(
                    route, port=port, services=services, slices=slices, folder=self._envoy.folder
                )
            except RouteRefused as refused:
                outcomes[key] = Outcome(refused=str(refused))
                continue
            programmes.append(programme)
            outcomes[key] = Outcome(missing=", ".join(programme.missing) or None)
        troubles = await self._delivery.deliver(programmes)
        for key, words in troubles.items():
            port = next((read_port(r) for r in routes if key_of(r) == key), None)
            taken = is_taken(words) and port is not None
            trouble = _port_taken(port) if taken and port else ("EnvoyRefused", words)
            outcomes[key] = Outcome(missing=outcomes[key].missing, trouble=trouble)
        for route in routes:
            self._write_status(route, outcomes[key_of(route)])
        wait = await self._retire()
        if any(outcome.trouble for outcome in outcomes.values()):
            wait = min(RETRY_SECONDS, wait or RETRY_SECONDS)
        return wait

    async def _retire(self) -> float | None:
        try:
            return await self._delivery.retire()
        except httpx.HTTPError as error:
            log.warning("Envoy did not answer while old clusters were drained: %s", error)
            return RETRY_SECONDS

    def _attend(self) -> None:
        """Notice when Envoy ends."""
        if self._watcher is not None and not self._watcher.done():
            return

        async def watch() -> None:
            await self._envoy.wait()
            log.warning("Envoy has ended; it is started again")
            self._loop.wake(_ONLY_KEY)

        self._watcher = asyncio.get_running_loop().create_task(watch())

    def _place(self, route: Object) -> Object:
        """The route with its port, chosen and stored before anything listens there."""
        if read_port(route) is not None:
            return route
        taken = [read_port(other) for other in self._store.list(HTTP_ROUTE)]
        port = self._ports.choose(PORTS, taken={p for p in taken if p is not None})
        if port is None:
            return route
        patch = {"metadata": {"annotations": {ADDRESS_ANNOTATION: f"{LOOPBACK}:{port}"}}}
        try:
            return self._store.patch(HTTP_ROUTE, namespace_of(route), name_of(route), patch)
        except NotFound:
            return route

    def _write_status(self, route: Mapping[str, Any], outcome: Outcome) -> None:
        now, generation = utc_now(), route["metadata"]["generation"]
        before: Object = ((route.get("status") or {}).get("parents") or ({},))[0]
        conditions = list(before.get("conditions") or ())
        if outcome.refused is not None:
            accepted = (False, "UnsupportedValue", f"{outcome.refused}.")
        else:
            accepted = (True, "Accepted", "The route is accepted.")
        if outcome.missing is not None:
            resolved = (False, "BackendNotFound", f"No Service has the port: {outcome.missing}.")
        else:
            resolved = (True, "ResolvedRefs", "Every backend is a Service.")
        if outcome.trouble is not None:
            programmed = (False, *outcome.trouble)
        elif outcome.refused is not None:
            programmed = (False, "Invalid", f"Not handed to Envoy: {outcome.refused}.")
        else:
            programmed = (True, "Programmed", "Envoy acknowledged this generation.")
        for type_, (status, reason, message) in (
            ("Accepted", accepted), ("ResolvedRefs", resolved), ("Programmed", programmed),
        ):  # fmt: skip
            conditions = set_condition(
                conditions,
                type_=type_,
                status=status,
                reason=reason,
                message=message,
                now=now,
                observed_generation=generation,
            )
        parent = {
            "parentRef": (route["spec"].get("parentRefs") or ({"name": "slipway"},))[0],
            "controllerName": CONTROLLER_NAME,
            "conditions": conditions,
        }
        try:
            self._store.set_status(
                HTTP_ROUTE, namespace_of(route), name_of(route), uid_of(route),
                {"parents": [parent]},
            )  # fmt: skip
        except (NotFound, Conflict):
            return  # deleted meanwhile


def read_port(route: Mapping[str, Any]) -> int | None:
    """The loopback port that a route was given, or None."""
    found = (route["metadata"].get("annotations") or {}).get(ADDRESS_ANNOTATION, "")
    port = found.rpartition(":")[2]
    return int(port) if port.isdigit() else None


def _port_taken(port: int) -> tuple[str, str]:
    return (
        "PortTaken",
        f"Port {port} on {LOOPBACK} is held by {describe_holder(port)}; end it and the route is "
        "served there again.",
    )


def _no_port() -> tuple[str, str]:
    return (
        "PortTaken",
        f"No port from {PORTS.start} to {PORTS.stop - 1} on {LOOPBACK} is free; free one.",
    )
