"""NetworkPolicies, carried out: what builds and serving pods reach, and what reaches them.

Each denial stands beside the same attempt by a pod that no policy is about.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from cluster_access import Cluster, Namespace, Object
from cluster_fixtures import watching
from cluster_looks import CONFIG, kinds_of, model
from cluster_operator import SYSTEM, Operator, running_operator
from cluster_pods import pod_of
from slipway_operator.state.identity import LABEL_BUILD, LABEL_COMPONENT, LABEL_UID
from store_servers import Store

API_SERVER = "10.96.0.1:443"
REGISTRY = f"registry.{SYSTEM}.svc:5000"
HTTP, METRICS, OTHER = 8080, 9000, 7000
# A policy is carried out a moment after its pod begins: what was tried too early is tried again.
TRY = """
import json, socket, sys, time
told = {}
for target, wanted in json.loads(sys.argv[1]).items():
    host, _, port = target.rpartition(":")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            told[target] = True
        except OSError:
            told[target] = False
        if told[target] == wanted:
            break
        time.sleep(0.2)
print(json.dumps(told))
"""
LISTEN = """
import socket, sys, time
servers = [socket.create_server(("", int(port)), backlog=100) for port in sys.argv[1:]]
time.sleep(600)
"""


@dataclass(frozen=True)
class Server:
    """A pod that listens."""

    address: str

    def at(self, port: int) -> str:
        return f"{self.address}:{port}"


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    registry: Store,
    namespaces: deque[Namespace],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    config = {**CONFIG, **watching(*namespaces)}
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config) as running:
        yield running


def listen(namespace: Namespace, name: str, **labels: str) -> Server:
    ports = {"http": HTTP, "metrics": METRICS, "other": OTHER}
    named = [{"name": what, "containerPort": port} for what, port in ports.items()]
    spec = pod_of("-c", LISTEN, *map(str, ports.values()), ports=named)
    namespace.apply(_pod(name, spec, labels))
    found = namespace.wait(f"{name} runs", lambda: _find_address(namespace, name))
    return Server(found)


def _find_address(namespace: Namespace, name: str) -> str | None:
    status = namespace.get("pod", name)["status"]
    return status.get("podIP") if status["phase"] == "Running" else None


def attempt(namespace: Namespace, name: str, wanted: dict[str, bool], **labels: str) -> Any:
    """Which targets a new pod with these labels reached in the end."""
    namespace.apply(_pod(name, pod_of("-c", TRY, json.dumps(wanted)), labels))
    namespace.wait(
        f"{name} has tried", lambda: namespace.get("pod", name)["status"]["phase"] == "Succeeded"
    )
    return json.loads(namespace.kubectl("logs", name))


def _pod(name: str, spec: Object, labels: dict[str, str]) -> Object:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_a_policy_is_carried_out(namespace: Namespace) -> None:
    server = listen(namespace, "server", app="server")
    reached = {server.at(HTTP): True}
    assert attempt(namespace, "before", reached) == reached
    shut = {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"]}
    namespace.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "shut"},
            "spec": shut,
        }
    )
    refused = {server.at(HTTP): False}
    assert attempt(namespace, "after", refused) == refused


def test_a_build_reaches_names_and_its_registry_and_nothing_inside(
    operator: Operator, namespace: Namespace
) -> None:
    namespace.apply(model())
    namespace.wait("there is a Job", lambda: "Job" in kinds_of(namespace))
    (job,) = namespace.list("jobs")
    labels = {name: job["metadata"]["labels"][name] for name in (LABEL_UID, LABEL_BUILD)}
    server = listen(namespace, "server")
    wanted = {
        REGISTRY: True,  # by name: it is asked of the cluster's DNS
        API_SERVER: False,
        server.at(HTTP): False,
    }
    assert attempt(namespace, "anybody", dict.fromkeys(wanted, True)) == dict.fromkeys(wanted, True)
    assert attempt(namespace, "build", wanted, **labels) == wanted


def test_a_serving_pod_answers_on_its_port_and_asks_its_registry_alone(
    operator: Operator, namespace: Namespace, cluster: Cluster
) -> None:
    namespace.apply(model())
    namespace.wait("there is a Job", lambda: "Job" in kinds_of(namespace))
    uid = namespace.get("md", "churn")["metadata"]["uid"]
    labels = {LABEL_UID: uid, LABEL_COMPONENT: "serve"}
    server, free = listen(namespace, "server", **labels), listen(namespace, "free")
    asked = {server.at(HTTP): True, server.at(METRICS): False, server.at(OTHER): False}
    everything = {free.at(port): True for port in (HTTP, METRICS, OTHER)}
    with cluster.namespace() as elsewhere:
        told = attempt(elsewhere, "asks", {**asked, **everything})
        assert told == {**asked, **everything}
    system = Namespace(cluster=cluster, name=SYSTEM)
    scraped = {server.at(METRICS): True, server.at(OTHER): False}
    try:
        assert attempt(system, "scrapes", scraped) == scraped
    finally:
        system.kubectl("delete", "pod", "scrapes", "--ignore-not-found", "--grace-period=0")
    wanted = {REGISTRY: True, API_SERVER: False, free.at(HTTP): False}
    assert attempt(namespace, "serves", wanted, **labels) == wanted
