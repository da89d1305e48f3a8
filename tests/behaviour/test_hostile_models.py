"""Hostile model files on a running engine: each is one explained condition, and harms nobody.

Twice: as the product is, where the scan names what it found and opens nothing; and with the scan
taken out, where the sandbox alone stands between the model's code and everything else. Meanwhile
a neighbour serves, and answers every request.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_load import Load
from behaviour_terminal import condition, deployment, is_true, settled
from hostile_effects import EFFECTS, write_runs
from hostile_pickles import CORPUS
from hostile_twin import make_twin

ROW = {"age": 70, "income": 3}
AT_ONCE = 4  # builds; the engine starts as many as are asked for
PROMISED_SECONDS, SLACK = 60, 5  # the promise; a busy machine may take longer
# What is called, and how it is written: forty of the corpus, whose rest the scan's own tests have.
SCANNED = {
    name: CORPUS[name]
    for name in (
        "os.system", "posix.system", "subprocess.Popen", "builtins.eval", "builtins.exec",
        "builtins.__import__", "pip.main", "ensurepip._run_pip", "timeit.timeit",
        "asyncio.unix_events._UnixSubprocessTransport._start", "cProfile.runctx", "bdb.Bdb.run",
        "pty.spawn", "runpy._run_code", "pydoc.pipepager", "pkgutil.resolve_name",
        "importlib.import_module", "marshal.loads", "operator.attrgetter", "functools.partial",
        "numpy.testing._private.utils.runstring", "numpy.f2py.crackfortran.getlincoef",
        "joblib.load", "pickle.loads", "torch.load", "idlelib.run.Executive.runcode",
        "INST", "OBJ", "NEWOBJ_EX", "Python 2 module", "memo confusion", "far strings",
        "computed name", "before garbage", "unknown opcode", "second pickle", "array of objects",
        "inside an array", "zlib", "xz",
    )
}  # fmt: skip
LIMITS = {
    "convertSeconds": 30, "convertMemoryBytes": 1 << 30, "convertCpuSeconds": 8,
    "scratchBytes": 8 << 20,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of one hostile model."""

    reason: str
    message: str
    seconds: float


def _seconds(found: dict[str, Any]) -> float:
    """From its creation to the condition, as the engine's own clock tells."""
    began = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    ended = datetime.fromisoformat(condition(found, "Ready")["lastTransitionTime"])
    return (ended - began).total_seconds()


def _build_all(laptop: Laptop, files: dict[str, Path], folder: Path) -> dict[str, Ended]:
    """Deploy every file at once beside a model that serves, and wait until all have ended."""
    good = models.classifier(folder / "good.joblib")
    laptop.apply(deployment("neighbour", f"file:{good}"))
    neighbour = laptop.wait("neighbour", is_true("Ready"))
    names = {f"hostile-{number}": name for number, name in enumerate(files)}
    found: dict[str, dict[str, Any]] = {}
    with Load(url=neighbour["status"]["url"] + "/predict", bodies=[[ROW]], per_second=20) as load:
        for wave in _waves(list(names)):
            documents = [deployment(one, f"file:{files[names[one]]}") for one in wave]
            laptop.apply(yaml.safe_dump_all(documents))
            found |= _wait_for_all(laptop, set(wave))
            assert load.failed == [], [names[one] for one in wave]
    assert len(load.answers) > 20
    return {
        name: Ended(
            reason=condition(found[one], "Ready")["reason"],
            message=condition(found[one], "Ready")["message"],
            seconds=_seconds(found[one]),
        )
        for one, name in names.items()
    }


def _waves(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]


def _has_ended(found: dict[str, Any]) -> bool:
    ready = condition(found, "Ready")
    return settled(found) and ready["status"] == "False" and ready["reason"] != "Building"


def _wait_for_all(laptop: Laptop, names: set[str]) -> dict[str, dict[str, Any]]:
    ended: dict[str, dict[str, Any]] = {}
    with contextlib.closing(laptop.follow()) as told:
        while len(ended) < len(names):
            found = next(told)
            name = found["metadata"]["name"]
            if name in names and _has_ended(found):
                ended[name] = found
    return ended


@pytest.fixture(scope="module")
def scanned(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    folder = tmp_path_factory.mktemp("scanned")
    files = {}
    for number, (name, payload) in enumerate(SCANNED.items()):
        files[name] = folder / f"{number}.pkl"
        files[name].write_bytes(payload.make(str(folder / "trace")))
    yield _build_all(laptop, files, folder)
    assert not (folder / "trace").exists()


@pytest.mark.parametrize("name", SCANNED)
def test_the_scan_names_what_it_found(scanned: dict[str, Ended], name: str) -> None:
    ended = scanned[name]
    assert ended.reason == "ModelUnsafe", ended
    assert SCANNED[name].names in ended.message
    assert ended.seconds <= PROMISED_SECONDS * SLACK, ended


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """What the sandbox alone left of the attacks."""

    ended: dict[str, Ended]
    connections: int
    folder: Path


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked")
    secret, data = folder / "secret", folder / "data"
    secret.write_text("planted")
    secret.chmod(0o600)
    engine = Laptop(
        data=data,
        program=make_twin(folder / "twin", limits=LIMITS),
        environment={"SLIPWAY_PLANTED": "planted"},
    )
    engine.start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            places = {
                "trace": folder / "trace", "secret": secret, "engine": data,
                "port": listener.getsockname()[1], "parent": os.getpid(),
            }  # fmt: skip
            files = {
                name: write_runs(folder / f"{number}.pkl", code.format(**places))
                for number, (name, (code, _)) in enumerate(EFFECTS.items())
            }
            ended = _build_all(engine, files, folder)
            connections = 0
            try:
                listener.accept()
                connections = 1
            except BlockingIOError:
                pass
        yield Attacked(ended=ended, connections=connections, folder=folder)
    finally:
        engine.stop()
    assert engine.processes() == []


@pytest.mark.parametrize("name", EFFECTS)
def test_the_sandbox_alone_holds(attacked: Attacked, name: str) -> None:
    ended = attacked.ended[name]
    assert ended.reason in EFFECTS[name][1], ended
    assert "planted" not in ended.message
    assert ended.seconds <= PROMISED_SECONDS * SLACK, ended


def test_nothing_left_the_sandbox(attacked: Attacked) -> None:
    folder = attacked.folder
    assert attacked.connections == 0
    assert not (folder / "trace").exists()
    assert (folder / "secret").read_text() == "planted"
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    logs = b"".join(path.read_bytes() for path in (folder / "data").rglob("*.log"))
    assert logs
    assert b"planted" not in logs
