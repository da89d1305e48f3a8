"""One life of a ModelDeployment under an operator of its own: made, changed, scaled, deleted.

The operator watches one namespace and speaks through a fault proxy, so that several lives can be
led side by side. What is left of each is an `Outcome`, to be compared with another's.
"""

import contextlib
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster_access import Cluster, Namespace, Object
from cluster_installation import give_credentials
from cluster_inventory import has_only, list_everything, name_everything
from cluster_looks import condition
from cluster_models import wait_up_to_date
from cluster_operator import Operator, write_kubeconfig
from fault_proxy import FaultProxy
from fault_requests import Request
from slipway_operator.edges.kubernetes.resources import MODEL

NAME = "churn"
# Made by others, by names drawn at random, or with nothing in them that an operator answers for.
_OTHERS = frozenset(
    {
        "ControllerRevision",
        "Endpoints",
        "EndpointSlice",
        "Event",
        "Pod",
        "PodMetrics",
        "ReplicaSet",
    }
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_SILENCE_SECONDS = 3.0
_MADE, _DONE = 201, 200

Counts = Counter[tuple[str, str, str]]  # verb, resource, name


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a life left.

    Attributes:
        objects: every field of every object before the deletion, by KIND/NAME and its path.
        counts: how often each object was created and deleted, as the API server answered.
        writes: what the operator asked to be written, in order.
        struck: whether the fault of the plan took place.
        seconds: how long it took.
    """

    objects: dict[str, str]
    counts: Counts
    writes: list[Request]
    struck: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What all lives share: the cluster, the operator's settings, a model, perhaps a successor."""

    cluster: Cluster
    config: dict[str, Any]
    first: Object
    second: Object | None


@contextlib.contextmanager
def _operated(scene: Scene, namespace: Namespace) -> Iterator[tuple[FaultProxy, Operator]]:
    """An operator for one namespace, and the proxy that it speaks through; not yet started."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        FaultProxy(scene.cluster.kubeconfig).running() as proxy,
    ):
        folder = Path(scratch)
        account = write_kubeconfig(scene.cluster, folder / "account")
        operator = Operator(
            folder=folder,
            kubeconfig=proxy.write_kubeconfig(account, folder / "kubeconfig"),
            config={**scene.config, "watchNamespaces": [namespace.name]},
            # with a Lease a killed operator's successor waits ten seconds; that is told elsewhere
            options=("--standalone",),
        )
        try:
            yield proxy, operator
        finally:
            if operator.process is not None:
                operator.stop()


def lead_life(scene: Scene, harm: Callable[[FaultProxy, Operator], object]) -> Outcome:
    """Lead one life; `harm` adds the rules of a plan.

    Raises:
        AssertionError: it did not get where it should, with the story.
    """
    began = time.monotonic()
    with scene.cluster.namespace() as namespace, _operated(scene, namespace) as (proxy, operator):
        give_credentials(namespace)
        before = name_everything(namespace)
        harm(proxy, operator)
        operator.start()
        namespace.apply(scene.first)
        wait_up_to_date(namespace, NAME)
        if scene.second is not None:
            namespace.apply(scene.second)
            wait_up_to_date(namespace, NAME)
        namespace.kubectl("scale", "md", NAME, "--replicas=2")
        namespace.wait("two answer", lambda: _has_settled(namespace, replicas=2))
        _wait_silent(namespace, proxy)
        objects = dict(_flatten(namespace))
        namespace.kubectl("delete", "md", NAME)
        namespace.wait("nothing is left", lambda: has_only(namespace, before))
        _wait_silent(namespace, proxy)
        return Outcome(
            objects=objects,
            counts=_count(proxy),
            writes=[one.request for one in proxy.writes],
            struck=all(rule.struck for rule in proxy.rules),
            seconds=time.monotonic() - began,
        )


def _has_settled(namespace: Namespace, *, replicas: int) -> bool:
    """Whether all of so many pods answer and nothing is under way."""
    found = wait_up_to_date(namespace, NAME)
    reconciling = condition(namespace, "Reconciling")
    return found["status"]["replicas"] == replicas and reconciling["status"] == "False"


def _wait_silent(namespace: Namespace, proxy: FaultProxy) -> None:
    def is_silent() -> bool:
        before = len(proxy.writes)
        time.sleep(_SILENCE_SECONDS)
        return len(proxy.writes) == before

    namespace.wait("it writes no more", is_silent)


def _count(proxy: FaultProxy) -> Counts:
    counts: Counts = Counter()
    for one in proxy.writes:
        request = one.request
        if one.committed == _MADE and request.resource != "events":
            counts["create", request.resource, request.name] += 1
        elif one.committed == _DONE and request.verb == "delete":
            counts["delete", request.resource, request.name] += 1
    return counts


def _flatten(namespace: Namespace) -> Iterator[tuple[str, str]]:
    found = [obj for obj in list_everything(namespace) if obj["kind"] not in _OTHERS]
    names = {
        obj["metadata"]["uid"]: f"uid of {obj['kind']}/{obj['metadata']['name']}" for obj in found
    }
    names[namespace.name] = "NAMESPACE"

    def mask(text: str) -> str:
        for drawn, name in names.items():
            text = text.replace(drawn, name)
        return _TIME.sub("TIME", text)

    for obj in found:
        kept = {**obj, "metadata": {**obj["metadata"]}}
        # who wrote what, and how often: that is counted; and what others say of our objects
        for field in ("managedFields", "generation"):
            kept["metadata"].pop(field, None)
        if obj["kind"] != MODEL.kind:
            kept.pop("status", None)
        for place, value in _walk(f"{obj['kind']}/{obj['metadata']['name']} ", kept):
            yield mask(place), mask(value)


def _walk(place: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _walk(f"{place}.{key}", inner)
        case list():
            for number, inner in enumerate(value):
                yield from _walk(f"{place}[{number}]", inner)
        case _:
            yield place, str(value)
