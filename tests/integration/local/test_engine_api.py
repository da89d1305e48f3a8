"""The engine's API: Kubernetes' paths and answers, the token, refusals with a cause a field."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from local_engine import LocalEngine, build_job, path_of, wait_until
from slipway_operator.state.command import Command, read_command, render_command

pytestmark = pytest.mark.engine
Object = dict[str, Any]
MODELS = "/apis/slipway.dev/v1alpha1/namespaces/default/modeldeployments"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
PODS = "/api/v1/namespaces/default/pods"
SECRETS = "/api/v1/namespaces/default/secrets"
APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    running = LocalEngine(tmp_path_factory.mktemp("data")).start()
    yield running
    running.stop()


def build_model(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"model": {"uri": "file:/nowhere/model.joblib"}, **spec},
    }


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer wrong"}, id="wrong"),
        pytest.param({"Authorization": "Basic x"}, id="another-scheme"),
    ],
)
def test_without_the_token_nothing_is_told(engine: LocalEngine, headers: dict[str, str]) -> None:
    assert engine.address is not None
    for path in (MODELS, "/slipway/v1/engine", "/anything"):
        answer = httpx.get(engine.address.url + path, headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["reason"] == "Unauthorized"
    stop = httpx.post(engine.address.url + "/slipway/v1/stop", headers=headers, trust_env=False)
    assert stop.status_code == 401


def send(engine: LocalEngine, method: str, path: str, **more: Any) -> httpx.Response:
    return engine.http.request(method, path, **more)


@pytest.mark.parametrize(
    ("method", "path", "more", "refusal"),
    [
        pytest.param("GET", f"{MODELS}/none", {}, (404, "NotFound"), id="no-object"),
        pytest.param("GET", "/apis/x/v1/things", {}, (404, "NotFound"), id="no-kind"),
        pytest.param("GET", f"{MODELS}/none/odd", {}, (404, "NotFound"), id="no-part"),
        pytest.param("DELETE", f"{MODELS}/none", {}, (404, "NotFound"), id="delete-nothing"),
        pytest.param("PUT", MODELS, {}, (405, "MethodNotAllowed"), id="verb"),
        pytest.param(
            "POST", MODELS, {"content": b"{"}, (400, "BadRequest"), id="neither-json-nor-yaml"
        ),
        pytest.param("POST", MODELS, {"content": b"[1]"}, (400, "BadRequest"), id="no-mapping"),
        pytest.param(
            "POST", MODELS, {"json": {"kind": "Pod"}}, (400, "BadRequest"), id="another-kind"
        ),
        pytest.param(
            "PATCH",
            f"{MODELS}/x",
            {"json": build_model("x"), "headers": APPLY},
            (400, "BadRequest"),
            id="apply-without-manager",
        ),
        pytest.param(
            "PATCH", f"{MODELS}/x", {"content": b"[]"}, (400, "BadRequest"), id="patch-of-a-list"
        ),
        pytest.param(
            "PATCH",
            f"{MODELS}/x",
            {"json": {}, "headers": {"content-type": "application/json-patch+json"}},
            (415, "UnsupportedMediaType"),
            id="json-patch",
        ),
        pytest.param(
            "GET", f"{JOBS}?labelSelector=a in b", {}, (400, "BadRequest"), id="no-selector"
        ),
        pytest.param(
            "GET", f"{JOBS}?watch=1&resourceVersion=x", {}, (400, "BadRequest"), id="no-version"
        ),
    ],
)
def test_errors_are_statuses(
    engine: LocalEngine, method: str, path: str, more: Any, refusal: tuple[int, str]
) -> None:
    answer = send(engine, method, path, **more)
    body = answer.json()
    assert (answer.status_code, body["kind"], body["reason"]) == (refusal[0], "Status", refusal[1])
    assert body["message"].endswith(".")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"spec": {"model": {}}}, "spec.model", id="missing"),
        pytest.param(
            {"spec": {"model": {"uri": "file:/x"}, "replikas": 1}}, "spec.replikas", id="unknown"
        ),
        pytest.param(
            {"spec": {"model": {"uri": "file:/x"}, "replicas": "two"}}, "spec.replicas", id="type"
        ),
        pytest.param(
            {"metadata": {"name": "x" * 64, "namespace": "default"}}, "metadata.name", id="name"
        ),
        pytest.param({"extra": 1}, "extra", id="top"),
    ],
)
def test_a_broken_spec_is_refused_with_its_fields(
    engine: LocalEngine, change: Object, field: str
) -> None:
    answer = engine.apply({**build_model("broken"), **change})
    assert answer.status_code == 422
    body = answer.json()
    assert body["reason"] == "Invalid"
    assert any(cause["field"].startswith(field) for cause in body["details"]["causes"])
    assert engine.find({**build_model("broken"), **change}) is None


def test_a_yaml_body_is_applied(engine: LocalEngine) -> None:
    text = "spec:\n  model:\n    uri: file:/nowhere/x.joblib\n  replicas: 0\n"
    answer = engine.http.patch(
        f"{MODELS}/yaml", content=text, headers=APPLY, params={"fieldManager": "test"}
    )
    assert answer.status_code == 201
    assert answer.json()["spec"]["replicas"] == 0
    engine.delete(build_model("yaml"))


def test_a_secret_is_kept_and_a_wrong_one_refused_without_its_content(engine: LocalEngine) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    good = engine.http.post(SECRETS, json={**secret, "stringData": {"token": "hush"}})
    assert good.json()["data"] == {"token": "aHVzaA=="}
    bad = engine.http.put(f"{SECRETS}/s", json={**secret, "data": {"token": "pässword"}})
    assert bad.status_code == 422
    assert bad.json()["details"]["causes"][0]["field"] == "data.token"
    assert "pässword" not in bad.text
    escape = engine.http.put(f"{SECRETS}/s", json={**secret, "stringData": {"../x": "y"}})
    assert escape.status_code == 422
    log = (engine.data / "engine.log").read_text()
    assert "hush" not in log
    assert "aHVzaA==" not in log


def test_scale_and_labels_by_merge_patch(engine: LocalEngine) -> None:
    engine.apply(build_model("patched")).raise_for_status()
    answer = engine.http.patch(
        f"{MODELS}/patched",
        json={"spec": {"replicas": 2}, "metadata": {"labels": {"team": "a"}}},
        headers=MERGE,
    )
    assert answer.json()["spec"]["replicas"] == 2
    refused = engine.http.patch(f"{MODELS}/patched", json={"spec": {"replicas": -1}}, headers=MERGE)
    assert refused.status_code == 422
    listed = engine.http.get(MODELS, params={"labelSelector": "team=a"}).json()["items"]
    assert [item["metadata"]["name"] for item in listed] == ["patched"]
    everywhere = engine.http.get("/apis/slipway.dev/v1alpha1/modeldeployments").json()
    assert "patched" in {item["metadata"]["name"] for item in everywhere["items"]}
    named = engine.http.get(MODELS, params={"fieldSelector": "metadata.name=none"}).json()
    assert named["items"] == []
    engine.delete(build_model("patched"))


def test_a_command_is_a_merge_patch_of_annotations(engine: LocalEngine) -> None:
    engine.apply(build_model("commanded")).raise_for_status()
    before = engine.http.get(f"{MODELS}/commanded").json()
    command = Command(
        id="1",
        verb="promote",
        revision="9e02",
        uid=before["metadata"]["uid"],
        expires=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        by="ada",
    )
    engine.http.patch(
        f"{MODELS}/commanded",
        json={"metadata": {"annotations": render_command(command)}},
        headers=MERGE,
        params={"fieldManager": "slipway-cli"},
    ).raise_for_status()
    after = engine.http.get(f"{MODELS}/commanded").json()
    assert read_command(after) == command
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    engine.delete(build_model("commanded"))


def test_deletes_hold_their_preconditions(engine: LocalEngine) -> None:
    engine.apply(build_model("kept")).raise_for_status()
    wrong = engine.http.request(
        "DELETE", f"{MODELS}/kept", json={"preconditions": {"uid": "other"}}
    )
    assert (wrong.status_code, wrong.json()["reason"]) == (409, "Conflict")
    orphan = engine.http.request("DELETE", f"{MODELS}/kept", json={"propagationPolicy": "Orphan"})
    assert orphan.status_code == 400
    uid = engine.get(build_model("kept"))["metadata"]["uid"]
    right = engine.http.request("DELETE", f"{MODELS}/kept", json={"preconditions": {"uid": uid}})
    assert right.json()["status"] == "Success"


def test_a_watch_tells_what_was_and_what_comes(engine: LocalEngine) -> None:
    engine.http.post(SECRETS, json={"metadata": {"name": "before"}}).raise_for_status()
    seen: list[tuple[str, str]] = []
    ready, done = threading.Event(), threading.Event()

    def watch() -> None:
        with engine.http.stream(
            "GET", SECRETS, params={"watch": "1", "fieldSelector": "metadata.name=before"}
        ) as stream:
            for line in stream.iter_lines():
                change = json.loads(line)
                seen.append((change["type"], change["object"]["metadata"]["name"]))
                ready.set()
                if change["type"] == "DELETED":
                    done.set()
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    assert ready.wait(30)
    body = {"metadata": {"labels": {"a": "b"}}}
    engine.http.patch(f"{SECRETS}/before", json=body, headers=MERGE).raise_for_status()
    engine.http.delete(f"{SECRETS}/before").raise_for_status()
    assert done.wait(30)
    thread.join()
    assert seen == [("ADDED", "before"), ("MODIFIED", "before"), ("DELETED", "before")]


def test_a_watch_from_a_version_goes_on_there_and_ends_in_time(engine: LocalEngine) -> None:
    version = engine.http.get(SECRETS).json()["metadata"]["resourceVersion"]
    engine.http.post(SECRETS, json={"metadata": {"name": "later"}}).raise_for_status()
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "1"}
    lines = engine.http.get(SECRETS, params=query).text.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["ADDED"]


def test_a_watch_from_before_the_engine_began_says_so(engine: LocalEngine) -> None:
    lines = engine.http.get(SECRETS, params={"watch": "1", "resourceVersion": "0"}).text
    change = json.loads(lines.splitlines()[0])
    assert (change["type"], change["object"]["code"]) == ("ERROR", 410)


def test_logs_follow_until_the_end(engine: LocalEngine) -> None:
    job = build_job("talk", "import time\nfor n in range(5): print(n, flush=True); time.sleep(0.1)")
    engine.apply(job).raise_for_status()

    def running() -> str:
        pods = engine.pods("talk")
        return pods[0]["metadata"]["name"] if pods and pods[0]["status"].get("phase") else ""

    pod = wait_until(running, "the pod is there")
    path = f"{PODS}/{pod}/log"
    wait_until(lambda: engine.http.get(path).status_code == 200, "there is a log")
    assert engine.http.get(path, params={"follow": "1"}).text == "0\n1\n2\n3\n4\n"
    assert engine.http.get(path, params={"tailLines": "2"}).text == "3\n4\n"
    wrong = engine.http.get(path, params={"container": "none"})
    assert wrong.status_code == 400
    assert "step0" in wrong.json()["message"]
    assert engine.http.get(path, params={"previous": "1"}).status_code == 404


def test_deleting_a_model_takes_all_its_children_along(engine: LocalEngine) -> None:
    model = build_model("parent")
    uid = engine.apply(model).json()["metadata"]["uid"]

    def children() -> list[str]:
        query = {"labelSelector": f"slipway.dev/uid={uid}"}
        kinds = ("Job", "Pod", "ServiceAccount", "NetworkPolicy")
        versions = ("batch/v1", "v1", "v1", "networking.k8s.io/v1")
        paths = ["/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"] + [
            path_of({"apiVersion": v, "kind": k})
            for v, k in zip(versions[:3], kinds[:3], strict=True)
        ]
        return [
            item["metadata"]["name"]
            for path in paths
            for item in engine.http.get(path, params=query).json()["items"]
        ]

    wait_until(children, "it has children")
    engine.delete(model)
    wait_until(lambda: children() == [], "they are gone")


def test_a_model_that_is_not_there_is_said_in_status_and_event(engine: LocalEngine) -> None:
    model = build_model("absent")
    engine.apply(model).raise_for_status()

    def reason() -> str:
        conditions = (engine.get(model).get("status") or {}).get("conditions") or ()
        found = {condition["type"]: condition for condition in conditions}
        return str(found.get("Ready", {}).get("reason", ""))

    wait_until(lambda: reason() == "ModelNotFound", "ModelNotFound")
    query = {"fieldSelector": "involvedObject.name=absent"}
    events = engine.http.get("/api/v1/namespaces/default/events", params=query).json()["items"]
    assert "ModelNotFound" in {event["reason"] for event in events}
    engine.delete(model)
