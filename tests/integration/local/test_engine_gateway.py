"""Deployments, Services and HTTPRoutes through the engine: real processes behind a real Envoy."""

import json
import socket
from collections.abc import Iterator

import httpx
import psutil
import pytest

from local_engine import (
    Load,
    LocalEngine,
    build_deployment,
    build_route,
    build_service,
    wait_until,
)

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    running = LocalEngine(tmp_path_factory.mktemp("data")).start()
    yield running
    running.stop()


def serve(engine: LocalEngine, name: str, **how: object) -> None:
    deployment = build_deployment(name, **how)  # type: ignore[arg-type]
    assert engine.apply(deployment).status_code == 201
    assert engine.apply(build_service(name)).status_code == 201
    engine.wait_ready(deployment)


def test_answers_come_through_envoy_with_the_revision_header(engine: LocalEngine) -> None:
    serve(engine, "first", replicas=2)
    route = build_route("hello", ("first", 999_999), ("first", 1))
    assert engine.apply(route).status_code == 201
    url = engine.wait_programmed(route)
    answers = {httpx.get(url, trust_env=False).text for _ in range(40)}
    assert {answer.split()[0] for answer in answers} == {"first"}
    assert len({answer.split()[1] for answer in answers}) == 2, "both replicas take requests"
    assert {answer.split()[2] for answer in answers} == {"first"}


def test_slots_move_under_load_without_a_failed_request(engine: LocalEngine) -> None:
    serve(engine, "blue")
    serve(engine, "green")
    route = build_route("moving", ("blue", 999_999), ("blue", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    with Load(url) as load:
        for _ in range(3):
            for slots in (
                [("blue", 999_999), ("green", 1)],
                [("blue", 1), ("green", 999_999)],
                [("green", 1), ("green", 999_999)],
                [("green", 999_999), ("blue", 1)],
                [("green", 1), ("blue", 999_999)],
                [("blue", 1), ("blue", 999_999)],
            ):
                engine.apply(build_route("moving", *slots)).raise_for_status()
                engine.wait_programmed(build_route("moving", *slots))
                seen = len(load.answers)
                wait_until(lambda seen=seen: len(load.answers) > seen + 5, "requests go on")
    assert load.failures == []
    assert load.count("blue") > 20
    assert load.count("green") > 20


def test_new_pods_replace_old_ones_under_load(engine: LocalEngine) -> None:
    serve(engine, "rolling", replicas=2)
    route = build_route("rolling", ("rolling", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    before = {pod["metadata"]["name"] for pod in engine.pods("rolling")}
    changed = build_deployment("rolling", replicas=2, env={"DELAY": "0.01"})
    changed["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = {
        "preStop": {"sleep": {"seconds": 1}}
    }
    with Load(url) as load:
        engine.apply(changed)
        wait_until(
            lambda: not before & {pod["metadata"]["name"] for pod in engine.pods("rolling")},
            "the old pods are gone",
        )
        engine.wait_ready(changed)
    assert [f for f in load.failures if f[0] != 503 or "reset" not in f[1]] == []


def test_a_missing_service_is_said_and_heals(engine: LocalEngine) -> None:
    route = build_route("lost", ("nowhere", 1))
    engine.apply(route)

    def resolved() -> dict[str, str]:
        parents = (engine.get(route).get("status") or {}).get("parents") or [{}]
        found = [c for c in parents[0].get("conditions", ()) if c["type"] == "ResolvedRefs"]
        return found[0] if found else {}

    wait_until(lambda: resolved().get("reason") == "BackendNotFound", "BackendNotFound")
    assert "default/nowhere:80" in resolved()["message"]
    serve(engine, "nowhere")
    wait_until(lambda: resolved().get("status") == "True", "the reference resolves")
    url = engine.wait_programmed(route)
    wait_until(lambda: httpx.get(url, trust_env=False).status_code == 200, "an answer")


def test_a_filter_that_is_not_done_is_refused_by_name(engine: LocalEngine) -> None:
    route = build_route("odd", ("first", 1))
    route["spec"]["rules"][0]["filters"] = [{"type": "URLRewrite", "urlRewrite": {}}]
    engine.apply(route)

    def accepted() -> dict[str, str]:
        parents = (engine.get(route).get("status") or {}).get("parents") or [{}]
        found = [c for c in parents[0].get("conditions", ()) if c["type"] == "Accepted"]
        return found[0] if found else {}

    wait_until(lambda: accepted().get("status") == "False", "the route is refused")
    assert accepted()["reason"] == "UnsupportedValue"
    assert "URLRewrite" in accepted()["message"]


def test_every_route_has_a_port_of_its_own_and_keeps_it(engine: LocalEngine) -> None:
    one, two = build_route("one", ("first", 1)), build_route("two", ("first", 1))
    engine.apply(one)
    engine.apply(two)
    urls = {engine.wait_programmed(one), engine.wait_programmed(two)}
    assert len(urls) == 2
    engine.apply(build_route("one", ("blue", 1)))
    assert engine.wait_programmed(one) in urls


def test_envoy_listens_on_loopback_only_and_its_admin_nowhere(engine: LocalEngine) -> None:
    pid = engine.http.get("/slipway/v1/engine").json()["envoy"]["pid"]
    addresses = {
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
    socket_path = engine.data / "runs" / "envoy" / "admin.sock"
    found = [*socket_path.parent.glob("admin.sock")]
    assert not found or found[0].stat().st_mode & 0o077 == 0


def test_envoy_comes_back_when_it_dies(engine: LocalEngine) -> None:
    serve(engine, "after")
    route = build_route("after", ("after", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    pid = engine.http.get("/slipway/v1/engine").json()["envoy"]["pid"]
    psutil.Process(pid).kill()

    def answers() -> bool:
        try:
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(
        lambda: engine.http.get("/slipway/v1/engine").json()["envoy"]["pid"] not in (None, pid),
        "another Envoy",
    )
    wait_until(answers, "an answer")


def test_a_deleted_route_frees_its_port(engine: LocalEngine) -> None:
    route, other = build_route("brief", ("first", 1)), build_route("stays", ("first", 1))
    for document in (route, other):
        engine.apply(document)
    url = engine.wait_programmed(route)
    engine.wait_programmed(other)
    version = engine.get(other)["metadata"]["resourceVersion"]
    engine.delete(route)
    port = httpx.URL(url).port
    assert port is not None

    def is_free() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    wait_until(is_free, "nobody listens there")
    later = build_route("later", ("first", 1))
    engine.apply(later)
    engine.wait_programmed(later)
    assert engine.get(other)["metadata"]["resourceVersion"] == version, "others are not touched"


def test_a_sick_pod_is_restarted_by_its_liveness_probe(engine: LocalEngine) -> None:
    mark = engine.data / "sick"
    deployment = build_deployment("sick", env={"SICK": str(mark)}, liveness=True)
    engine.apply(deployment)
    engine.wait_ready(deployment)
    mark.touch()

    def restarted() -> dict[str, object] | None:
        status = engine.pods("sick-")[0]["status"]["containerStatuses"][0]
        return status if status["restartCount"] >= 1 or "waiting" in status["state"] else None

    status = wait_until(restarted, "a restart")
    mark.unlink()
    assert "Liveness probe /live failed" in json.dumps(status)
    engine.wait_ready(deployment)
