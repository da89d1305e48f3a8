"""Native models: served by a shut-in worker that may crash or hang, never opened by the server."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import serving_native
from serving_process import HANG_GUARD, Served, serving

CALM = {"a": 1.0, "b": 1.0}
SUPPORT = Path(serving_native.__file__).parent
# the worker imports the model's class by name, from a folder that the sandbox lets it read
PATCHED = (
    "import sys, slipway_runtime.sandbox.parent as parent\n"
    "plain = parent.sandbox_environment\n"
    f"more = {{'PYTHONPATH': {str(SUPPORT)!r}}}\n"
    "parent.sandbox_environment = lambda policy, python: {**plain(policy, python), **more}\n"
    "from slipway_runtime.serving.main import run\n"
    "raise SystemExit(run())\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serving_native.native(tmp_path_factory.mktemp("native") / "model")


@pytest.fixture
def native(folder: Path) -> Iterator[Served]:
    with serving(folder, code=PATCHED, serving={"timeoutSeconds": 2}) as served:
        yield served


def ask(native: Served, **change: float) -> httpx.Response:
    return httpx.post(native.url + "/predict", json=[CALM | change], timeout=HANG_GUARD)


def worker_of(native: Served) -> psutil.Process:
    (worker,) = psutil.Process(native.process.pid).children()
    return worker


def wait_until_answered(native: Served) -> httpx.Response:
    end = time.monotonic() + HANG_GUARD
    while time.monotonic() < end:
        answer = ask(native)
        if answer.status_code == 200:
            return answer
        assert answer.json()["reason"] == "ModelCrashed"
        time.sleep(0.05)
    raise AssertionError("the worker never came back")


def test_a_native_model_is_served_with_the_same_protocols(native: Served) -> None:
    answer = ask(native)
    assert answer.json()["predictions"][0]["label"] == "high"
    body = {"inputs": [{"name": "X", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 1.0]}]}
    v2 = httpx.post(native.url + "/v2/models/model/infer", json=body).json()
    assert v2["outputs"][0]["data"] == ["high"]
    probability = answer.json()["predictions"][0]["probabilities"]["high"]
    assert v2["outputs"][1]["data"][0] == probability
    assert httpx.get(native.url + "/v2/models/model").json()["platform"] == "native"


def test_the_worker_has_no_network_and_dies_with_the_server(native: Served) -> None:
    worker = worker_of(native)
    assert worker.net_connections(kind="inet") == []
    native.process.kill()
    assert worker.wait(HANG_GUARD) is None or not worker.is_running()


def test_the_worker_is_shut_in_like_the_build(native: Served) -> None:
    worker = worker_of(native).pid
    for number, attack in enumerate(serving_native.ATTACKS):
        answer = ask(native, a=-101.0 - number)
        assert answer.status_code == 500, attack
        assert "PermissionError" in answer.text, attack
    assert worker_of(native).pid == worker
    assert ask(native).status_code == 200


def test_what_the_model_raises_is_an_answer_without_its_text(native: Served) -> None:
    answer = ask(native, a=30)
    assert (answer.status_code, answer.json()["reason"]) == (500, "InferenceFailed")
    assert "ValueError" in answer.text
    assert "secret" not in answer.text
    assert ask(native).status_code == 200


def test_a_crash_is_503_and_the_worker_starts_again(native: Served) -> None:
    before = worker_of(native).pid
    answer = ask(native, a=200)
    assert (answer.status_code, answer.json()["reason"]) == (503, "ModelCrashed")
    assert answer.headers["retry-after"]
    assert httpx.get(native.url + "/v2/health/live").status_code == 200
    wait_until_answered(native)
    assert worker_of(native).pid != before


def test_a_hang_is_killed_at_the_time_limit(native: Served) -> None:
    before = worker_of(native).pid
    answer = ask(native, a=70)
    assert (answer.status_code, answer.json()["reason"]) == (504, "DeadlineExceeded")
    wait_until_answered(native)
    assert not psutil.pid_exists(before)


def test_unpickle_never_refuses_to_serve(folder: Path) -> None:
    served = Served(folder, serving={"unpickle": "Never"})
    output = served.process.communicate(timeout=HANG_GUARD)[0]
    assert served.process.returncode == 1
    assert "unpickle" in output
    assert "Traceback" not in output, output


def test_a_model_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    folder = serving_native.native(tmp_path / "broken")
    (folder / "native" / "model.bin").write_bytes(b"\x80\x05 nonsense")
    served = Served(folder)
    output = served.process.communicate(timeout=HANG_GUARD)[0]
    assert served.process.returncode == 1
    assert "Cannot serve" in output
    assert os.fspath(tmp_path) not in output.splitlines()[-1]
    assert "Traceback" not in output.splitlines()[-1]
