"""Deployments, Services and HTTPRoutes through the engine: real processes behind a real Envoy."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from local_engine import (
    SERVER,
    Load,
    LocalEngine,
    build_deployment,
    build_route,
    build_service,
    wait_until,
)

pytestmark = pytest.mark.engine
PODS = "/api/v1/namespaces/default/pods"


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


def names_of(engine: LocalEngine, prefix: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in engine.pods(prefix)}


def test_new_pods_replace_old_ones_under_load(engine: LocalEngine) -> None:
    serve(engine, "rolling", replicas=2)
    route = build_route("rolling", ("rolling", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    with Load(url) as load:
        for turn in range(3):
            before = names_of(engine, "rolling")
            changed = build_deployment("rolling", replicas=2, env={"TURN": str(turn)})
            engine.apply(changed)
            wait_until(
                lambda before=before: not before & names_of(engine, "rolling"),
                "the old pods are gone",
            )
            engine.wait_ready(changed)
    assert load.failures == []
    assert len(load.answers) > 50


def test_replicas_come_and_go_under_load(engine: LocalEngine) -> None:
    serve(engine, "scaling")
    route = build_route("scaling", ("scaling", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    with Load(url) as load:
        for replicas in (3, 1, 2, 1):
            changed = build_deployment("scaling", replicas=replicas)
            engine.apply(changed)
            wait_until(
                lambda replicas=replicas: len(names_of(engine, "scaling")) == replicas,
                f"there are {replicas} pods",
            )
            engine.wait_ready(changed)
    assert load.failures == []


def test_a_pod_that_dies_costs_no_request_that_is_safe(engine: LocalEngine) -> None:
    serve(engine, "dying", replicas=2, env={"DELAY": "0.05"})
    route = build_route("dying", ("dying", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)

    def restarts() -> int:
        """How often a container was started again, once all are ready; -1 before."""
        found = [p["status"]["containerStatuses"][0] for p in engine.pods("dying")]
        return sum(c["restartCount"] for c in found) if all(c["ready"] for c in found) else -1

    with Load(url) as load:
        for turn in (1, 2, 3):
            seen = len(load.answers)
            wait_until(lambda seen=seen: len(load.answers) > seen + 10, "requests go on")
            psutil.Process(int(load.answers[-1][1].split()[1])).kill()
            # only then the other one: with none left there would be nobody to ask
            wait_until(lambda turn=turn: restarts() == turn, "it is back")
            back = len(load.answers)
            wait_until(lambda back=back: len(load.processes(back)) == 2, "Envoy asks both")
    assert load.failures == []


def test_a_dead_pod_that_nobody_noticed_yet_costs_no_request(engine: LocalEngine) -> None:
    """It has no request in flight, so that the balancer would rather ask it than the live one."""
    serve(engine, "unnoticed", replicas=2, env={"DELAY": "0.02"})
    route = build_route("unnoticed", ("unnoticed", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    with Load(url, threads=8, pause=0) as load:
        wait_until(lambda: len(load.processes()) == 2, "Envoy asks both")
        keeper = psutil.Process(engine.http.get("/slipway/v1/engine").json()["pid"])
        keeper.suspend()
        try:
            psutil.Process(int(load.answers[-1][1].split()[1])).kill()
            seen = len(load.answers)
            wait_until(lambda: len(load.answers) > seen + 500, "requests go on")
        finally:
            keeper.resume()
    assert load.failures == []


def test_a_request_that_a_pod_may_have_worked_on_is_not_sent_twice(
    engine: LocalEngine, tmp_path: Path
) -> None:
    received = tmp_path / "received"
    program = SERVER.replace(
        "    def log_message",
        "    def do_POST(self):\n"
        f"        open({str(received)!r}, 'a').write('x')\n"
        "        os._exit(1)\n"
        "    def log_message",
    )
    serve(engine, "fatal", replicas=2, program=program)
    route = build_route("fatal", ("fatal", 1))
    engine.apply(route)
    url = engine.wait_programmed(route)
    wait_until(lambda: httpx.get(url, trust_env=False).status_code == 200, "an answer")
    assert httpx.post(url, trust_env=False).status_code == 503
    assert received.read_text() == "x"


def test_a_pod_gets_no_sigterm_before_envoy_has_let_go_of_it(
    engine: LocalEngine, tmp_path: Path
) -> None:
    """While Envoy is stopped (SIGSTOP) it cannot acknowledge, and the pod goes on answering."""
    told = tmp_path / "told"
    program = SERVER.replace(
        "def stop(*_):", f"def stop(*_):\n    open({str(told)!r}, 'w').write('x')"
    )
    deployment = build_deployment("patient", program=program, replicas=2)
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 60
    engine.apply(deployment)
    engine.apply(build_service("patient"))
    engine.wait_ready(deployment)
    route = build_route("patient", ("patient", 1))
    engine.apply(route)
    engine.wait_programmed(route)
    envoy = psutil.Process(engine.http.get("/slipway/v1/engine").json()["envoy"]["pid"])
    envoy.suspend()
    try:
        engine.apply({**deployment, "spec": {**deployment["spec"], "replicas": 1}})
        wait_until(
            lambda: any("deletionTimestamp" in p["metadata"] for p in engine.pods("patient")),
            "a pod is on its way out",
        )
        version = engine.http.get(PODS).json()["metadata"]["resourceVersion"]
        engine.http.get(
            PODS, params={"watch": "1", "resourceVersion": version, "timeoutSeconds": "2"}
        )
        assert not told.exists()
    finally:
        envoy.resume()
    wait_until(lambda: len(engine.pods("patient")) == 1, "the pod is gone")
    assert told.exists()


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
