"""EndpointSlices of Services with a selector: one slice a ready pod, for each has ports of its own.

On a laptop all pods share an address and differ by port, so a slice holds one pod, as Kubernetes
also does where named target ports differ between pods. Slices of others are left alone.
"""

from collections.abc import Mapping
from typing import Any, Final

from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.changes import Change
from slipway_operator.local.container_keeper import read_ports
from slipway_operator.local.kinds import ENDPOINT_SLICE, POD, SERVICE
from slipway_operator.local.objects import (
    child_name,
    find_condition,
    is_deleting,
    key_of,
    matches_labels,
    name_of,
    namespace_of,
    owner_reference,
    short_hash,
    split_key,
    uid_of,
)
from slipway_operator.local.ports import LOOPBACK
from slipway_operator.local.store import Store

Object = dict[str, Any]
SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "slipway-laptop"


class EndpointController:
    """Keeps the slices of every Service that selects pods."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._loop = KeyedLoop(
            name="endpoints",
            handler=self._sync,
            backoff=Backoff(first_seconds=0.2, cap_seconds=5.0),
        )

    def notice(self, change: Change) -> None:
        """Wake the Services that a change concerns."""
        if change.kind is SERVICE:
            self._loop.wake(key_of(change.object))
        elif change.kind is POD:
            for service in self._store.list(SERVICE, namespace=namespace_of(change.object)):
                selector = service["spec"].get("selector")
                if selector and matches_labels(change.object, selector):
                    self._loop.wake(key_of(service))

    def resync(self) -> None:
        """Wake every Service."""
        for service in self._store.list(SERVICE):
            self._loop.wake(key_of(service))

    async def close(self) -> None:
        """Stop working."""
        await self._loop.close()

    async def sync_all(self) -> None:
        """Bring every Service's slices up to date now."""
        for service in self._store.list(SERVICE):
            await self._sync(key_of(service))

    async def _sync(self, key: str) -> None:
        namespace, name = split_key(key)
        service = self._store.find(SERVICE, namespace, name)
        if service is None or is_deleting(service):
            return  # owner references take the slices along
        wanted: dict[str, Object] = {}
        selector = service["spec"].get("selector")
        for pod in self._store.list(POD, namespace=namespace, labels=selector) if selector else ():
            if is_serving(pod):
                built = _build_slice(service, pod)
                wanted[name_of(built)] = built
        for slice_ in wanted.values():  # first the new, then the old go: never a gap
            self._store.apply(slice_, manager=MANAGER)
        mine = {SERVICE_LABEL: name, MANAGER_LABEL: MANAGER}
        for slice_ in self._store.list(ENDPOINT_SLICE, namespace=namespace, labels=mine):
            if name_of(slice_) not in wanted:
                self._store.delete(ENDPOINT_SLICE, namespace, name_of(slice_), uid=uid_of(slice_))


def is_serving(pod: Mapping[str, Any]) -> bool:
    """Whether the pod takes requests: ready, and not on its way out."""
    ready = find_condition(pod, "Ready")
    return ready is not None and ready["status"] == "True" and not is_deleting(pod)


def resolve_target(port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The loopback port behind a Service port, or None when the pod names no such port."""
    ports = read_ports(pod)
    target = port.get("targetPort", port["port"])
    if isinstance(target, str):
        return ports.get(target)
    for container in pod["spec"]["containers"]:
        for candidate in container.get("ports") or ():
            if candidate.get("containerPort") == target:
                return ports.get(candidate.get("name", ""))
    return None


def _build_slice(service: Mapping[str, Any], pod: Mapping[str, Any]) -> Object:
    ports = [
        {"name": port.get("name", ""), "port": target, "protocol": "TCP"}
        for port in service["spec"]["ports"]
        if (target := resolve_target(port, pod)) is not None
    ]
    return {
        "apiVersion": ENDPOINT_SLICE.api_version,
        "kind": ENDPOINT_SLICE.kind,
        "metadata": {
            "name": child_name(name_of(service), short_hash(uid_of(pod), length=5)),
            "namespace": namespace_of(service),
            "labels": {
                **{
                    key: value
                    for key, value in (service["metadata"].get("labels") or {}).items()
                    if key.startswith("slipway.dev/")
                },
                SERVICE_LABEL: name_of(service),
                MANAGER_LABEL: MANAGER,
            },
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [
            {
                "addresses": [LOOPBACK],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": namespace_of(pod),
                    "name": name_of(pod),
                    "uid": uid_of(pod),
                },
            }
        ],
    }
