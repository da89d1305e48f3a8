"""A stand-in for the API server, so that commands can be tested for words and exit codes alone.

It holds objects, answers as Kubernetes does, and plays a prepared story to whoever watches.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from slipway_operator.cli import main, target
from slipway_operator.cli.client import Client

Object = dict[str, Any]
PATH = re.compile(
    r"/apis?/(?P<api>v1|[a-z0-9.]+/v1\w*)(/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[a-z]+)(/(?P<name>[^/]+))?(?P<log>/log)?"
)
CREATED = "2026-01-02T03:04:05Z"


class FakeServer:
    """Objects by (plural, namespace, name); `story` holds what a watch will say, in order."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.story: list[Callable[[Object], Object] | None] = []
        # by method, or by method and name
        self.refusals: dict[str, httpx.Response] = {}
        self.logs: dict[tuple[str, str], list[str]] = {}
        self.asked: list[httpx.Request] = []

    def put(self, plural: str, item: Object) -> Object:
        meta = item["metadata"]
        meta.setdefault("namespace", "default")
        meta.setdefault("uid", f"uid-{meta['name']}")
        meta.setdefault("generation", 1)
        meta.setdefault("creationTimestamp", CREATED)
        version = int(meta.get("resourceVersion", 0)) + 1
        meta["resourceVersion"] = str(version)
        self.objects[plural, meta["namespace"], meta["name"]] = item
        return item

    def client(self) -> Client:
        http = httpx.Client(
            transport=httpx.MockTransport(self._answer), base_url="http://127.0.0.1:1"
        )
        return Client(
            http=http,
            namespace="default",
            place="the fake",
            is_laptop=True,
            lost="Start it again.",
            user="ada",
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        for refused in (request.method, f"{request.method} {request.url.path.rpartition('/')[2]}"):
            if refused in self.refusals:
                return self.refusals[refused]
        found = PATH.fullmatch(request.url.path)
        assert found is not None, request.url.path
        plural, namespace, name = found["plural"], found["namespace"], found["name"]
        if found["log"]:
            lines = self.logs[name, request.url.params["container"]]
            return httpx.Response(200, text="".join(f"{line}\n" for line in lines))
        if name is None:
            return self._list(request, plural, namespace)
        if request.headers.get("content-type") == "application/merge-patch+json":
            return self._merge(request, plural, str(namespace), name)
        if request.method == "PATCH":
            return httpx.Response(200, json=self.put(plural, json.loads(request.content)))
        item = self.objects.get((plural, namespace, name))
        if item is None:
            return refusal(404, f'{plural} "{name}" not found')
        if request.method == "DELETE":
            del self.objects[plural, namespace, name]
            return httpx.Response(200, json={"kind": "Status", "status": "Success"})
        return httpx.Response(200, json=item)

    def _merge(
        self, request: httpx.Request, plural: str, namespace: str, name: str
    ) -> httpx.Response:
        """Annotations alone, which is all that the command patches."""
        item = copy.deepcopy(self.objects[plural, namespace, name])
        patch = json.loads(request.content)
        assert patch.keys() == {"metadata"}
        assert patch["metadata"].keys() == {"annotations"}
        item["metadata"].setdefault("annotations", {}).update(patch["metadata"]["annotations"])
        return httpx.Response(200, json=self.put(plural, item))

    def _list(self, request: httpx.Request, plural: str, namespace: str | None) -> httpx.Response:
        items = [
            item
            for (its_plural, its_namespace, _), item in self.objects.items()
            if its_plural == plural and namespace in {None, its_namespace}
        ]
        if "watch" in request.url.params:
            return httpx.Response(200, content=self._play(items))
        wanted = dict(
            each.split("=")
            for each in request.url.params.get("labelSelector", "").split(",")
            if each
        )
        chosen = [
            item
            for item in items
            if wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        return httpx.Response(200, json={"metadata": {"resourceVersion": "7"}, "items": chosen})

    def _play(self, items: list[Object]) -> Iterator[bytes]:
        while self.story:
            step = self.story.pop(0)
            kind = "DELETED" if step is None else "MODIFIED"
            for item in items:
                if step is not None:
                    self.put("modeldeployments", step(item))
                yield json.dumps({"type": kind, "object": item}).encode() + b"\n"
                if step is None:
                    self.objects.pop(
                        (
                            "modeldeployments",
                            item["metadata"]["namespace"],
                            item["metadata"]["name"],
                        )
                    )


def refusal(code: int, message: str, *causes: tuple[str, str]) -> httpx.Response:
    """A `kind: Status` failure."""
    details = {"causes": [{"field": field, "message": text} for field, text in causes]}
    body = {"kind": "Status", "status": "Failure", "message": message, "details": details}
    return httpx.Response(code, json=body)


def model(name: str, **status: Any) -> Object:
    """A ModelDeployment as the server holds it."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"uri": "file:/m.joblib"}},
        "status": status,
    }


def condition(kind: str, status: str, reason: str, message: str, generation: int = 1) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": CREATED,
    }


def put_generation(item: Object, generation: int = 1) -> Object:
    item["metadata"]["generation"] = generation
    return item


def serving(item: Object, url: str = "http://127.0.0.1:8080") -> Object:
    """The same object, up to date and answering."""
    item["status"] = {
        "observedGeneration": item["metadata"].get("generation", 1),
        "url": url,
        "runtime": "ONNX",
        "replicas": 1,
        "stableRevision": "7c1f00aa11",
        "display": {"stable": "7c1f", "runtime": "ONNX"},
        "conditions": [
            condition("Ready", "True", "Serving", "Revision 7c1f serves with 1 of 1 pods."),
            condition("Available", "True", "Serving", "Revision 7c1f answers."),
            condition("UpToDate", "True", "Serving", "This generation serves."),
        ],
        "build": {
            "stage": "Packaged",
            "report": {
                "ok": True,
                "parity": {
                    "verdict": "Verified",
                    "rows": 344,
                    "maxAbsoluteError": 1.2e-7,
                    "labelFlips": 0,
                },
            },
        },
    }
    return item


def rolling(item: Object, state: str = "Observing", **rollout: Any) -> Object:
    """The same object, a quarter of its requests on their way to a new revision."""
    item = serving(item)
    status = item["status"]
    item["spec"]["rollout"] = {"strategy": "Canary"}
    status["canaryRevision"] = "9e02bb22cc"
    status["display"] |= {"canary": "9e02", "weightPercent": "25", "step": "2/4"}
    status["rollout"] = {
        "attempt": 1,
        "state": state,
        "stepIndex": 1,
        "startedAt": CREATED,
        "stepStartedAt": "2026-01-02T03:05:25Z",
        "weights": {"desired": 250_000, "programmed": 250_000, "observed": 241_300},
        **rollout,
    }
    status["revisions"] = [
        {"hash": "7c1f00aa11", "role": "Stable", "ready": 2, "desired": 2, "verifiedAt": CREATED},
        {"hash": "9e02bb22cc", "role": "Canary", "ready": 1, "desired": 2},
    ]
    status["analysis"] = {
        "verdict": "Insufficient",
        "at": "2026-01-02T03:06:13Z",
        "metrics": [
            {
                "name": "errors",
                "verdict": "Insufficient",
                "evidence": "0.4",
                "threshold": "100",
                "canary": {"total": 310, "bad": 1},
                "stable": {"total": 5890, "bad": 24},
                "etaSeconds": 142,
            },
            {
                "name": "latency",
                "verdict": "Pass",
                "evidence": "0.0",
                "threshold": "100",
                "canary": {"total": 310, "bad": 2},
                "stable": {"total": 5890, "bad": 59},
            },
        ],
    }
    return item


def answer_command(result: str, message: str) -> Callable[[Object], Object]:
    """A step of a story: the operator answers the command that the object carries."""

    def answer(item: Object) -> Object:
        annotations = item["metadata"]["annotations"]
        item["status"]["lastCommand"] = {
            "id": annotations["slipway.dev/command-id"],
            "by": annotations["slipway.dev/command-by"],
            "result": result,
            "message": message,
        }
        return item

    return answer


def failing(item: Object, reason: str, message: str) -> Object:
    """The same object, failed for good."""
    item["status"] = {
        "observedGeneration": item["metadata"].get("generation", 1),
        "conditions": [
            condition("Ready", "False", reason, message),
            condition("UpToDate", "False", reason, message),
            condition("Stalled", "True", reason, message),
        ],
    }
    return item


def run(server: FakeServer, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `slipway ARGUMENTS` against the fake; its exit code."""
    monkeypatch.setattr(target, "connect", lambda **_: server.client())
    return main.run(main.make_app(laptop=True), "slipway", list(arguments))
