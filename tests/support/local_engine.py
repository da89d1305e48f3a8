"""A running laptop engine for tests: start, apply small programs as pods, look, kill, stop."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from slipway_operator.local.launch import EngineAddress, start_engine, stop_engine
from slipway_operator.local.processes import find_processes

Object = dict[str, Any]
HANG_SECONDS = 60.0
T = TypeVar("T")

SERVER = """
import http.server, os, signal, sys, threading, time
DELAY = float(os.environ.get("DELAY", "0"))
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/live" and os.path.exists(os.environ.get("SICK", "/nonexistent")):
            self.send_response(500)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        time.sleep(DELAY)
        words = " ".join([os.environ["WHO"], str(os.getpid()),
                          self.headers.get("x-model-revision", "-")]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(words)))
        if stopping:
            self.send_header("connection", "close")
        self.end_headers(); self.wfile.write(words)
    def log_message(self, *_): pass
stopping = []
server = http.server.ThreadingHTTPServer(
    (os.environ["SLIPWAY_BIND"], int(os.environ["SLIPWAY_PORT_HTTP"])), Handler)
def stop(*_):
    stopping.append(1)
    threading.Thread(target=lambda: (time.sleep(0.3), server.shutdown())).start()
signal.signal(signal.SIGTERM, stop)
print("listening", flush=True)
server.serve_forever()
"""


def wait_until(look: Callable[[], T], what: str, *, seconds: float = HANG_SECONDS) -> T:
    """The first true answer of ``look``; fails with ``what`` when it does not come."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


class LocalEngine:
    """One data folder and its engine."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.address: EngineAddress | None = None

    def start(self) -> "LocalEngine":
        if self.address is not None:
            self.http.close()
        self.address = start_engine(self.data)
        self.http = httpx.Client(
            base_url=self.address.url,
            headers={"Authorization": f"Bearer {self.address.token}"},
            timeout=30.0,
            trust_env=False,
        )
        return self

    def kill(self) -> None:
        """kill -9 of the engine alone."""
        assert self.address is not None
        self.http.close()
        process = psutil.Process(self.address.pid)
        process.kill()
        process.wait(timeout=HANG_SECONDS)

    def stop(self) -> None:
        if self.address is not None:
            self.http.close()
        stop_engine(self.data)
        assert find_processes(self.data) == []

    # ── Objects ──────────────────────────────────────────────────────────────────────────────
    def apply(self, document: Object) -> httpx.Response:
        name = document["metadata"]["name"]
        return self.http.patch(
            f"{path_of(document)}/{name}",
            params={"fieldManager": "test"},
            content=json.dumps(document),
            headers={"content-type": "application/apply-patch+yaml"},
        )

    def get(self, document: Object) -> Object:
        answer = self.http.get(f"{path_of(document)}/{document['metadata']['name']}")
        answer.raise_for_status()
        return dict(answer.json())

    def find(self, document: Object) -> Object | None:
        answer = self.http.get(f"{path_of(document)}/{document['metadata']['name']}")
        return dict(answer.json()) if answer.status_code == 200 else None

    def delete(self, document: Object) -> None:
        self.http.delete(f"{path_of(document)}/{document['metadata']['name']}").raise_for_status()

    def pods(self, prefix: str) -> list[Object]:
        items = self.http.get("/api/v1/namespaces/default/pods").json()["items"]
        return [pod for pod in items if pod["metadata"]["name"].startswith(prefix)]

    def wait_ready(self, deployment: Object) -> None:
        wanted = deployment["spec"].get("replicas", 1)
        wait_until(
            lambda: (self.get(deployment).get("status") or {}).get("availableReplicas") == wanted,
            f"{deployment['metadata']['name']} is ready",
        )

    def wait_programmed(self, route: Object) -> str:
        """The route's URL, once its newest generation serves."""

        def look() -> str:
            live = self.get(route)
            parents = (live.get("status") or {}).get("parents") or [{}]
            conditions = {c["type"]: c for c in parents[0].get("conditions") or ()}
            programmed = conditions.get("Programmed", {})
            if programmed.get("status") != "True":
                return ""
            if programmed["observedGeneration"] != live["metadata"]["generation"]:
                return ""
            return f"http://{live['metadata']['annotations']['slipway.dev/address']}/"

        return wait_until(look, "the route is programmed")


def path_of(document: Object) -> str:
    """Where a kind is served in the namespace ``default``."""
    version, kind = document["apiVersion"], document["kind"]
    return f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/default/{kind.lower()}s"


def build_job(name: str, *steps: str, spec: Object | None = None, **pod: Any) -> Object:
    """A Job of Python programs that share the folder ``/slipway/work`` (in ``WORK``)."""
    containers = [
        {
            "name": f"step{number}",
            "command": ["python", "-c", step],
            "env": [{"name": "WORK", "value": "/slipway/work"}],
            "volumeMounts": [{"name": "work", "mountPath": "/slipway/work"}],
        }
        for number, step in enumerate(steps)
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "backoffLimit": 0,
            **(spec or {}),
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 1,
                    "volumes": [{"name": "work", "emptyDir": {}}],
                    "initContainers": containers[:-1],
                    "containers": containers[-1:],
                    **pod,
                }
            },
        },
    }


def build_deployment(
    name: str,
    *,
    program: str = SERVER,
    replicas: int = 1,
    env: dict[str, str] | None = None,
    liveness: bool = False,
) -> Object:
    """A Deployment of a small Python web server that answers ``NAME PID REVISION-HEADER``."""
    container: Object = {
        "name": "serve",
        "command": ["python", "-c", program],
        "env": [
            {"name": key, "value": value} for key, value in {"WHO": name, **(env or {})}.items()
        ],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    }
    if liveness:
        container["livenessProbe"] = {
            "httpGet": {"path": "/live", "port": "http"},
            "periodSeconds": 1,
            "failureThreshold": 2,
        }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 3, "containers": [container]},
            },
        },
    }


def build_service(name: str) -> Object:
    """A Service on port 80 of the Deployment of the same name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def build_route(name: str, *slots: tuple[str, int]) -> Object:
    """An HTTPRoute in the project's shape: each slot is a Service and its weight."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "parentRefs": [{"name": "slipway"}],
            "rules": [
                {
                    "timeouts": {"request": "15s"},
                    "backendRefs": [
                        {
                            "name": service,
                            "port": 80,
                            "weight": weight,
                            "filters": [
                                {
                                    "type": "RequestHeaderModifier",
                                    "requestHeaderModifier": {
                                        "set": [{"name": "x-model-revision", "value": service}]
                                    },
                                }
                            ],
                        }
                        for service, weight in slots
                    ],
                }
            ],
        },
    }


class Load:
    """Constant requests from a few threads; every answer is counted."""

    def __init__(self, url: str, *, threads: int = 3, pause: float = 0.02) -> None:
        self.url, self.pause = url, pause
        self.answers: list[tuple[int, str]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=20.0, trust_env=False) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get(self.url)
                    self.answers.append((answer.status_code, answer.text))
                except httpx.HTTPError as error:
                    self.answers.append((0, repr(error)))
                time.sleep(self.pause)

    @property
    def failures(self) -> list[tuple[int, str]]:
        return [answer for answer in self.answers if answer[0] != 200]

    def processes(self, since: int = 0) -> set[str]:
        """Which processes gave the answers from number `since` on."""
        return {text.split()[1] for status, text in self.answers[since:] if status == 200}

    def count(self, who: str) -> int:
        """How many answers came from a Deployment."""
        return sum(text.startswith(f"{who} ") for _, text in self.answers)
