"""Hands Envoy its configuration in an order in which no request fails, and waits until it took it.

Endpoints, then clusters (old ones too), then routes and listeners; clusters that no route names any
more go last, once nothing is in flight there. Files are replaced by rename, so Envoy sees all of a
change or nothing, and a new engine reads from them what Envoy knows.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from slipway_operator.local.datafolder import write_private
from slipway_operator.local.gateway.config import Programme, compute_version, name_file
from slipway_operator.local.gateway.process import EnvoyProcess

Object = dict[str, Any]
ACKNOWLEDGE_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.005


class Delivery:
    """The files of one Envoy."""

    def __init__(self, envoy: EnvoyProcess) -> None:
        self._envoy = envoy
        self._folder = envoy.folder
        self._retired: dict[str, float] = {}
        self._sent_to = _read_endpoint_ports(self._folder)

    def sends_to(self, ports: Collection[int]) -> bool:
        """Whether Envoy may send a new request to one of these ports, as far as it has said."""
        return not self._sent_to.isdisjoint(ports)

    def prepare(self) -> None:
        """Have the files there that Envoy wants at its start: clusters as known, no listener yet.

        A listener comes after its port was looked at; another program may hold it by now.
        """
        if not (self._folder / "cds.json").exists():
            self._write("cds.json", [])
        self._write("lds.json", [])

    async def deliver(self, programmes: Sequence[Programme]) -> dict[str, str]:
        """Bring Envoy to these routes and no others.

        Returns:
            By route key, what Envoy said against it (empty when it took everything).

        Raises:
            httpx.HTTPError: Envoy does not answer. OSError: the disk is full.
        """
        clusters: dict[str, Object] = {}
        endpoints = {n: e for programme in programmes for n, e in programme.endpoints.items()}
        wanted = {port for each in endpoints.values() for port in list_ports(each)}
        self._sent_to |= wanted
        for programme in programmes:
            for name, assignment in programme.endpoints.items():
                self._write(name_file("eds", name), [assignment])
            clusters.update(programme.clusters)
        known = {entry["name"]: entry for entry in self._read("cds.json")}
        # what is no longer named stays until the routes have left it
        version = self._write("cds.json", list({**known, **clusters}.values()))
        refused = await self._await_clusters(version, clusters)
        if refused is not None:
            return {programme.key: refused for programme in programmes}
        for programme in programmes:
            self._write(name_file("rds", programme.key), [programme.route])
        self._write("lds.json", [programme.listener for programme in programmes])
        troubles = await self._await_routes(programmes)
        if any(is_taken(words) for words in troubles.values()):
            # Envoy tries a listener once; taken away now, it is new when its port is free.
            served = [p.listener for p in programmes if not is_taken(troubles.get(p.key, ""))]
            self._write("lds.json", served)
        if await self._await_endpoints(endpoints):
            self._sent_to = wanted
        now = time.monotonic()
        self._retired = {
            name: self._retired.get(name, now) for name in known if name not in clusters
        }
        self._forget_routes(programmes)
        return troubles

    async def retire(self) -> float | None:
        """Drop clusters that have drained; returns seconds until the next look, None when done."""
        if not self._retired:
            return None
        in_flight = await self._envoy.read_stats(r"^cluster\.httproute/.*upstream_rq_active$")
        now = time.monotonic()
        gone = [
            name
            for name, since in self._retired.items()
            if now - since >= DRAIN_SECONDS
            and not in_flight.get(f"cluster.{name}.upstream_rq_active", 0)
        ]
        if gone:
            left = [entry for entry in self._read("cds.json") if entry["name"] not in gone]
            version = self._write("cds.json", left)
            await self._await_clusters(version, {})
            for name in gone:
                self._retired.pop(name, None)
                (self._folder / name_file("eds", name)).unlink(missing_ok=True)
        return 0.5 if self._retired else None

    # ── Files ────────────────────────────────────────────────────────────────────────────────
    def _write(self, name: str, resources: Sequence[Object]) -> str:
        version = compute_version(resources)
        path = self._folder / name
        text = json.dumps({"version_info": version, "resources": list(resources)})
        with contextlib.suppress(FileNotFoundError):
            if path.read_text() == text:
                return version
        write_private(path, text)
        return version

    def _read(self, name: str) -> list[Object]:
        try:
            return list(json.loads((self._folder / name).read_text())["resources"])
        except (OSError, ValueError, KeyError):
            return []

    def _forget_routes(self, programmes: Sequence[Programme]) -> None:
        wanted = {name_file("rds", programme.key) for programme in programmes}
        for path in self._folder.glob("rds-*.json"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    # ── Acknowledgements ─────────────────────────────────────────────────────────────────────
    async def _await_clusters(self, version: str, wanted: Mapping[str, Object]) -> str | None:
        """Wait until the clusters serve; what Envoy said against them, or None."""

        async def took() -> bool:
            texts = await self._envoy.read_texts(r"^cluster_manager\.cds\.version_text$")
            if version not in texts.values():
                return False
            active = await self._envoy.dump("dynamic_active_clusters")
            return wanted.keys() <= {entry["cluster"]["name"] for entry in active}

        if await _poll(took):
            return None
        return f"Envoy did not take the clusters: {self._read_complaint()}"

    async def _await_endpoints(self, endpoints: Mapping[str, Object]) -> bool:
        """Wait until no request goes to an address that these clusters have no more."""
        versions = {
            f"cluster.{name}.version_text": compute_version([each])
            for name, each in endpoints.items()
        }

        async def took() -> bool:
            texts = await self._envoy.read_texts(r"^cluster\.httproute/.*\.version_text$")
            return versions.items() <= texts.items()

        return await _poll(took)

    async def _await_routes(self, programmes: Sequence[Programme]) -> dict[str, str]:
        """Wait until listeners and routes serve; by route key, what Envoy said against one."""
        troubles: dict[str, str] = {}
        versions = {p.key: compute_version([p.route]) for p in programmes}
        ports = {p.key: _port_of(p.listener) for p in programmes}

        async def took() -> bool:
            troubles.clear()
            listeners = {_name_of(e): e for e in await self._envoy.dump("dynamic_listeners")}
            routes = {
                entry["route_config"]["name"]: entry
                for entry in await self._envoy.dump("dynamic_route_configs")
                if "route_config" in entry
            }
            # one that was taken away stays listed while its last connections drain
            waiting = {name for name, entry in listeners.items() if "active_state" in entry}
            waiting -= ports.keys()
            for key, port in ports.items():
                entry = listeners.get(key, {})
                active = (entry.get("active_state") or {}).get("listener")
                if active is None or _port_of(active) != port:
                    waiting.add(key)
                    if "error_state" in entry:
                        troubles[key] = str(entry["error_state"].get("details", "refused"))
                elif routes.get(key, {}).get("version_info") != versions[key]:
                    waiting.add(key)
            return waiting <= troubles.keys()

        if not await _poll(took):
            for key in ports:
                troubles.setdefault(key, "")
        return {
            key: words or f"Envoy did not take the route: {self._read_complaint()}"
            for key, words in troubles.items()
        }

    def _read_complaint(self) -> str:
        try:
            lines = self._envoy.log.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1][-300:] if lines else "it did not say why"


def is_taken(words: str) -> bool:
    """Whether Envoy said that another program holds the port."""
    return "in use" in words


def list_ports(assignment: Mapping[str, Any]) -> set[int]:
    """Every port that a ClusterLoadAssignment sends to."""
    return {
        int(host["endpoint"]["address"]["socket_address"]["port_value"])
        for locality in assignment["endpoints"]
        for host in locality["lb_endpoints"]
    }


def _read_endpoint_ports(folder: Path) -> set[int]:
    """Every port that an Envoy of an earlier engine may send to."""
    found: set[int] = set()
    for path in folder.glob("eds-*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            for assignment in json.loads(path.read_text())["resources"]:
                found |= list_ports(assignment)
    return found


def read_served_ports(folder: Path) -> dict[str, int]:
    """The port of every listener that Envoy was given, by route key."""
    try:
        resources = json.loads((folder / "lds.json").read_text())["resources"]
        return {entry["name"]: _port_of(entry) for entry in resources}
    except (OSError, ValueError, KeyError):
        return {}


def _name_of(entry: Mapping[str, Any]) -> str:
    """The name of a listener in a dump; one that was refused has it in what was refused alone."""
    failed = (entry.get("error_state") or {}).get("failed_configuration") or {}
    return str(entry.get("name") or failed.get("name") or "")


def _port_of(listener: Mapping[str, Any]) -> int:
    return int(listener["address"]["socket_address"]["port_value"])


async def _poll(took: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + ACKNOWLEDGE_SECONDS
    wait = _POLL_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TimeoutException):
            if await took():
                return True
        await asyncio.sleep(wait)
        wait = min(wait * 1.5, 0.1)
    return False
