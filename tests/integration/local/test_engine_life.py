"""The engine killed, doubled, stopped: what serves goes on, nothing runs twice, nothing is left."""

import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from local_engine import (
    Load,
    LocalEngine,
    build_deployment,
    build_job,
    build_route,
    build_service,
    wait_until,
)
from slipway_operator.local.errors import EngineRefused
from slipway_operator.local.launch import find_engine, start_engine, stop_engine
from slipway_operator.local.processes import find_processes

pytestmark = pytest.mark.engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    running = LocalEngine(tmp_path / "data").start()
    yield running
    running.stop()


def serve(engine: LocalEngine, name: str) -> str:
    deployment, route = build_deployment(name), build_route(name, (name, 1))
    for document in (deployment, build_service(name), route):
        engine.apply(document).raise_for_status()
    engine.wait_ready(deployment)
    return engine.wait_programmed(route)


def find_servers(engine: LocalEngine) -> set[int]:
    return {p.pid for p in find_processes(engine.data) if "shim.py" not in " ".join(p.cmdline())}


def test_a_killed_engine_leaves_everything_serving_and_adopts_it(engine: LocalEngine) -> None:
    url = serve(engine, "steady")
    before = find_servers(engine)
    assert len(before) == 2, "one server and one Envoy"
    with Load(url) as load:
        for _ in range(2):
            engine.kill()
            asked = len(load.answers)
            wait_until(lambda asked=asked: len(load.answers) > asked + 10, "answers without it")
            engine.start()
            wait_until(
                lambda: (engine.get(build_deployment("steady"))["status"])["readyReplicas"] == 1,
                "the pod is known again",
            )
    assert load.failures == []
    assert find_servers(engine) == before
    status = engine.pods("steady")[0]["status"]["containerStatuses"][0]
    assert status["restartCount"] == 0


def test_kills_at_any_moment_start_nothing_twice(engine: LocalEngine) -> None:
    chance = random.Random(7)
    marks = engine.data / "marks"
    marks.mkdir()
    program = (
        "import os, uuid, time; "
        f"open(os.path.join({str(marks)!r}, uuid.uuid4().hex), 'w'); time.sleep(0.2)"
    )
    job = build_job("once", program, program)
    deployment = build_deployment("steady")
    for document in (
        job,
        deployment,
        build_service("steady"),
        build_route("steady", ("steady", 1)),
    ):
        engine.apply(document).raise_for_status()
    for _ in range(6):
        time.sleep(chance.uniform(0.0, 0.4))  # when the kill comes is the point, not a wait
        engine.kill()
        engine.start()
    wait_until(lambda: (engine.get(job).get("status") or {}).get("succeeded") == 1, "the job ends")
    engine.wait_ready(deployment)
    assert len(list(marks.iterdir())) == 2, "each step ran once"
    assert len(engine.pods("once")) == 1
    assert len(engine.pods("steady")) == 1
    wait_until(lambda: len(find_servers(engine)) == 2, "one server and one Envoy")


def test_a_second_engine_is_told_who_has_the_folder(engine: LocalEngine) -> None:
    command = [sys.executable, "-m", "slipway_operator.local", "--data", str(engine.data)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 3
    assert engine.address is not None
    assert f"pid {engine.address.pid}" in second.stderr
    assert str(engine.data) in second.stderr
    assert "Traceback" not in second.stderr
    assert start_engine(engine.data).pid == engine.address.pid, "starting joins the running one"


def test_stop_ends_every_process_and_keeps_the_objects(engine: LocalEngine) -> None:
    url = serve(engine, "steady")
    slow = build_job("slow", "import time; time.sleep(60)")
    engine.apply(slow)
    wait_until(lambda: len(find_servers(engine)) == 3, "server, Envoy and job run")
    assert stop_engine(engine.data) is True
    assert find_processes(engine.data) == []
    assert find_engine(engine.data) is None
    assert not (engine.data / "engine.json").exists()
    assert stop_engine(engine.data) is False
    engine.start()
    engine.wait_ready(build_deployment("steady"))
    wait_until(lambda: _answers(url), "the same address answers again")
    parents = engine.get(build_route("steady"))["status"]["parents"]
    assert {c["status"] for c in parents[0]["conditions"]} == {"True"}
    status = engine.pods("steady")[0]["status"]["containerStatuses"][0]
    assert status["restartCount"] == 0, "ended on purpose is no crash"
    wait_until(lambda: (engine.get(slow).get("status") or {}).get("active") == 1, "the job goes on")
    assert (engine.get(slow)["status"]).get("failed", 0) == 0


def test_stop_cleans_up_after_a_dead_engine(engine: LocalEngine) -> None:
    serve(engine, "steady")
    engine.kill()
    assert len(find_processes(engine.data)) == 4, "two keepers, a server, Envoy"
    assert stop_engine(engine.data) is True
    assert find_processes(engine.data) == []
    engine.start()
    engine.wait_ready(build_deployment("steady"))


def test_purge_removes_the_objects(engine: LocalEngine) -> None:
    serve(engine, "steady")
    stop_engine(engine.data, purge=True)
    engine.start()
    assert engine.find(build_deployment("steady")) is None


def test_a_taken_port_is_named_with_its_holder_and_heals(engine: LocalEngine) -> None:
    url = serve(engine, "steady")
    port = httpx.URL(url).port
    assert port is not None
    stop_engine(engine.data)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        engine.start()

        def programmed() -> dict[str, str]:
            parents = engine.get(build_route("steady"))["status"]["parents"]
            return next(c for c in parents[0]["conditions"] if c["type"] == "Programmed")

        wait_until(lambda: programmed()["reason"] == "PortTaken", "PortTaken")
        assert f"Port {port}" in programmed()["message"]
        assert f"(pid {psutil.Process().pid})" in programmed()["message"]
        serve(engine, "other")  # a new model takes the next free port
    wait_until(lambda: programmed()["status"] == "True", "it heals")
    wait_until(lambda: _answers(url), "the same address answers again")


def test_files_of_the_engine_are_the_users_own(engine: LocalEngine) -> None:
    for name in ("engine.json", "store.sqlite", "identity"):
        assert (engine.data / name).stat().st_mode & 0o077 == 0, name
    assert engine.data.stat().st_mode & 0o077 == 0


def test_a_folder_that_is_a_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(EngineRefused, match="Cannot use data folder"):
        start_engine(path)


def test_a_damaged_store_is_refused_in_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "store.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(EngineRefused, match="Cannot open store"):
        start_engine(data)


def test_a_missing_envoy_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ENVOY", str(tmp_path / "none"))
    with pytest.raises(EngineRefused, match="SLIPWAY_ENVOY names"):
        start_engine(tmp_path / "data")


def test_a_long_folder_name_still_reaches_envoy(tmp_path: Path) -> None:
    engine = LocalEngine(tmp_path / ("long" * 40) / "data").start()
    try:
        assert _answers(serve(engine, "steady"))
    finally:
        engine.stop()
        shutil.rmtree(tmp_path / ("long" * 40))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
