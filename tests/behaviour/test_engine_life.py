"""The engine's own life: killed at any moment, started twice, a port taken, a full disk."""

import contextlib
import hashlib
import json
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_load import Load
from behaviour_terminal import condition, deployment, has_reason, is_true

ROW = {"age": 70.0, "income": 3.0}
SEED = 11
KILLS = 5


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Laptop]:
    """An engine of this test alone, since it will be hurt."""
    engine = Laptop(data=tmp_path / "data")
    engine.start()
    yield engine
    engine.stop()
    assert engine.processes() == []


@dataclass(frozen=True, kw_only=True)
class Built:
    """A model that was built once for all stories that are not about building."""

    document: dict[str, Any]
    artifacts: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    path = models.classifier(folder / "model.joblib")
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    document = deployment("model", f"file:{path}", model={"digest": digest})
    engine = Laptop(data=folder / "data")
    engine.start()
    engine.apply(document)
    engine.wait("model", is_true("Ready"))
    assert engine.run("down").code == 0
    return Built(document=document, artifacts=engine.data / "artifacts")


@pytest.fixture
def with_model(own: Laptop, built: Built) -> dict[str, Any]:
    """What `own` serves without a build: its store has the artifact, and the digest is stated."""
    shutil.copytree(built.artifacts, own.data / "artifacts", dirs_exist_ok=True)
    return built.document


def test_a_killed_engine_costs_no_request_and_its_successor_goes_on(
    own: Laptop, with_model: dict[str, Any]
) -> None:
    own.apply(with_model)
    before = own.wait("model", is_true("UpToDate"))
    assert not before["status"]["build"].get("attempt"), "nothing was built"
    with Load(url=before["status"]["url"] + "/predict", bodies=[[ROW]]) as load:
        own.kill_engine()
        load.wait_for(25)
        own.start()
        after = own.wait("model", is_true("UpToDate"))
        load.wait_for(25)
    assert load.failed == []
    assert after["status"]["stableRevision"] == before["status"]["stableRevision"]


def test_killed_again_and_again_it_still_arrives(own: Laptop, tmp_path: Path) -> None:
    """Kill -9 at drawn moments of a first build and of a change; the end is the same as without."""
    draw = random.Random(SEED)
    for step, flip in enumerate((False, True)):
        path = models.classifier(tmp_path / f"model-{step}.joblib", flip=flip)
        own.apply(deployment("arrives", f"file:{path}"))
        for _ in range(KILLS):
            own.pause(draw.uniform(0.0, 1.5))
            own.kill_engine()
            own.start()
        found = own.wait("arrives", is_true("UpToDate"))
        label = own.post(found, "/predict", json=[ROW]).json()["predictions"][0]["label"]
        assert label == ("young" if flip else "old")
    # One revision is left, and one process serves it.
    revision = found["status"]["stableRevision"]
    own.eventually(lambda: own.serving() == 1)
    assert own.serving(revision) == 1


def test_two_engines_do_not_share_a_folder(own: Laptop) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "slipway_operator.local", "--data", str(own.data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode != 0
    assert str(own.engine_pid()) in said.stderr
    assert str(own.data) in said.stderr
    assert "Traceback" not in said.stderr


def test_up_joins_the_engine_that_runs(own: Laptop) -> None:
    pid = own.engine_pid()
    own.start()
    assert own.engine_pid() == pid


def hold_ports(stack: contextlib.ExitStack, first: int, end: int) -> set[int]:
    """Listen on every free port of the range; one that somebody else holds is as good."""
    held = set()
    for port in range(first, end):
        taken = stack.enter_context(socket.socket())
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", port))
            taken.listen()
            held.add(port)
    return held


def test_a_port_that_is_taken_is_passed_over(own: Laptop, with_model: dict[str, Any]) -> None:
    with contextlib.ExitStack() as stack:
        held = hold_ports(stack, 8080, 8090)
        own.apply(with_model)
        found = own.wait("model", is_true("Ready"))
        assert held
        assert int(found["status"]["url"].rsplit(":", 1)[1]) not in held
        assert own.post(found, "/predict", json=[ROW]).status_code == 200


def test_a_model_keeps_its_address_and_says_when_somebody_took_it(
    own: Laptop, with_model: dict[str, Any]
) -> None:
    # An address far from where other engines look, so that nobody else comes by it meanwhile.
    with contextlib.ExitStack() as stack:
        hold_ports(stack, 8080, 8140)
        own.apply(with_model)
        found = own.wait("model", is_true("Ready"))
    port = int(found["status"]["url"].rsplit(":", 1)[1])
    assert own.run("down").code == 0
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        own.start()
        taken = own.wait("model", has_reason("PortTaken"))
        assert str(port) in condition(taken, "Ready")["message"]
    healed = own.wait("model", is_true("Ready"))
    assert healed["status"]["url"] == found["status"]["url"]


def test_down_keeps_the_objects_and_up_serves_them_again(own: Laptop, tmp_path: Path) -> None:
    path = models.regression(tmp_path / "model.joblib")
    with contextlib.ExitStack() as stack:
        hold_ports(stack, 8080, 8140)
        own.apply(deployment("again", f"file:{path}"))
        before = own.wait("again", is_true("Ready"))
    assert own.run("down").code == 0
    assert own.processes() == []
    own.start()
    after = own.wait("again", is_true("Ready"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["url"] == before["status"]["url"]
    # Nothing was built again.
    assert after["status"]["build"]["job"] == before["status"]["build"]["job"]


def test_down_cleans_up_after_a_killed_engine(own: Laptop, with_model: dict[str, Any]) -> None:
    own.apply(with_model)
    own.wait("model", is_true("Ready"))
    own.kill_engine()
    assert own.processes() != []
    assert own.run("down").code == 0
    assert own.processes() == []


def test_the_engine_tells_nobody_else(own: Laptop) -> None:
    assert (own.data / "engine.json").stat().st_mode & 0o077 == 0
    address = json.loads((own.data / "engine.json").read_text())
    assert address["url"].startswith("http://127.0.0.1:")
