"""One serving process from start to end: readiness, limits, metrics, drain, bad starts."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import serving_models
from serving_process import HANG_GUARD, Served, free_port, serving
from slipway_runtime import contract

BODY = {
    "inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": [5.1, 3.5, 1.4, 0.2]}]
}
INFER = "/v2/models/model/infer"


def raw(served: Served, head: str, body: bytes = b"") -> socket.socket:
    channel = socket.create_connection(("127.0.0.1", served.port), timeout=HANG_GUARD)
    channel.sendall(head.replace("\n", "\r\n").encode() + body)
    return channel


def read_all(channel: socket.socket) -> bytes:
    received = b""
    while chunk := channel.recv(65536):
        received += chunk
    return received


def test_metrics_count_requests_rows_stages_and_violations(artifacts: Path) -> None:
    with serving(artifacts / "table") as served:
        row = {"bill": 44.1, "mass": 3500, "island": "Mars", "height": 1}
        assert httpx.post(served.url + "/predict", json=[row, row]).status_code == 200
        assert httpx.post(served.url + "/predict", json=[{}]).status_code == 422
        httpx.post(served.url + INFER, json={})
        text = served.metrics()
    labels = 'model="model",revision="abcdef0123"'
    for line in (
        'slipway_requests_total{code="200",model="model",protocol="rows",SENT} 1.0',
        'slipway_requests_total{code="422",model="model",protocol="rows",SENT} 1.0',
        'slipway_requests_total{code="400",model="model",protocol="v2",SENT} 1.0',
        'slipway_request_seconds_bucket{le="+Inf",model="model",protocol="rows",SENT} 2.0',
        f'slipway_rows_total{{{labels},source="direct"}} 2.0',
        f"slipway_requests_in_flight{{{labels}}} 0.0",
        f"slipway_queue_depth{{{labels}}} 0.0",
        'slipway_stage_seconds_count{model="model",revision="abcdef0123",stage="inference"} 1.0',
    ):
        assert line.replace("SENT", 'revision="abcdef0123",source="direct"') in text
    violations = [line for line in text.splitlines() if line.startswith("slipway_contract")]
    assert any('column="island"' in line and line.endswith(" 2.0") for line in violations)
    assert not any("height" in line for line in violations)


def test_with_batching_off_every_request_is_asked_alone(artifacts: Path) -> None:
    def ask(client: httpx.Client) -> None:
        for _ in range(20):
            client.post(INFER, json=BODY).raise_for_status()

    with serving(artifacts / "iris", serving={"batching": "Off"}) as served:
        with contextlib.ExitStack() as stack:
            clients = [
                stack.enter_context(httpx.Client(base_url=served.url, timeout=HANG_GUARD))
                for _ in range(8)
            ]
            with ThreadPoolExecutor(len(clients)) as pool:
                list(pool.map(ask, clients))
        text = served.metrics()
    count = 'slipway_stage_seconds_count{model="model",revision="abcdef0123",stage="inference"}'
    assert f"{count} 160.0" in text


def test_a_declared_body_beyond_the_limit_is_refused_unread(iris: Served) -> None:
    head = f"POST {INFER} HTTP/1.1\nhost: a\ncontent-length: 1073741824\n\n"
    with raw(iris, head) as channel:  # not one byte of the body is sent
        answer = read_all(channel)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"4096" in answer


def test_a_chunked_body_is_cut_at_the_limit(iris: Served) -> None:
    head = f"POST {INFER} HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n"
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    with raw(iris, head, chunk * 4) as channel:
        channel.sendall(chunk)
        answer = channel.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_chunked_body_within_the_limit_is_answered(iris: Served) -> None:
    parts = iter([json.dumps(BODY).encode()])
    answer = httpx.post(
        iris.url + INFER, content=parts, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200


def test_a_lying_content_length_hurts_nobody(iris: Served) -> None:
    with raw(iris, f"POST {INFER} HTTP/1.1\nhost: a\ncontent-length: 100\n\n", b"{}") as channel:
        channel.shutdown(socket.SHUT_WR)
        read_all(channel)
    assert httpx.post(iris.url + INFER, json=BODY).status_code == 200


def test_an_idle_connection_is_kept_as_long_as_the_wire_says(iris: Served) -> None:
    with raw(iris, "GET /v2/health/live HTTP/1.1\nhost: a\n\n") as channel:
        assert channel.recv(65536).startswith(b"HTTP/1.1 200")
        answered = time.monotonic()
        assert read_all(channel) == b""
        # A gateway that lets go earlier than this never sends into a closing connection.
        assert time.monotonic() - answered >= contract.SERVER_IDLE_SECONDS - 0.5


def test_a_long_head_is_refused(iris: Served) -> None:
    answer = httpx.get(iris.url + "/v2", headers={"x-long": "a" * 100_000})
    assert answer.status_code == 431


def test_many_headers_are_refused_without_harm(iris: Served) -> None:
    many = {f"x-{number}": "a" for number in range(500)}
    assert httpx.get(iris.url + "/v2", headers=many).status_code == 431
    assert httpx.post(iris.url + INFER, json=BODY, headers={"x-1": "a" * 8000}).status_code == 200
    assert httpx.post(iris.url + INFER, json=BODY).status_code == 200


TRICKLES = {
    "a content-length": ("content-length: 4000", b" "),
    "chunks": ("transfer-encoding: chunked", b"1\r\n \r\n"),
}


@pytest.mark.parametrize(("header", "drop"), TRICKLES.values(), ids=TRICKLES.keys())
def test_a_body_that_trickles_in_is_ended_by_the_deadline(
    artifacts: Path, header: str, drop: bytes
) -> None:
    code = (
        "import slipway_runtime.serving.http as h, slipway_runtime.serving.main as m\n"
        "h._BODY_SECONDS = 1.0\n"
        "raise SystemExit(m.run())\n"
    )
    with serving(artifacts / "iris", code=code) as served:
        head = f"POST {INFER} HTTP/1.1\nhost: a\n{header}\n\n"
        with raw(served, head) as channel:
            channel.settimeout(0.05)
            end = time.monotonic() + HANG_GUARD
            answer = b""
            while not answer and time.monotonic() < end:
                channel.sendall(drop)  # it never stops coming, only slowly
                with contextlib.suppress(TimeoutError):
                    answer = channel.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"did not arrive within 1 seconds" in answer
        wait_for_in_flight(served, 0)
        assert httpx.post(served.url + INFER, json=BODY).status_code == 200


def test_readiness_waits_for_the_golden_rows(tmp_path: Path) -> None:
    served = Served(serving_models.iris(tmp_path / "wrong", golden_shift=0.01))
    code, output = served.process.wait(HANG_GUARD), served.process.communicate()[0]
    assert code == 1
    assert "golden row 0" in output
    assert "Traceback" not in output


def slowed(work: str, folder: Path, seconds: float) -> Served:
    """A server with one place and a queue of two, whose every inference first does `work`."""
    code = (
        "import pathlib, time\n"
        "import slipway_runtime.serving.dataplane as d, slipway_runtime.serving.main as m\n"
        "m._measure_inline_rows = lambda *_: 0\n"
        "plain = d.DataPlane.__init__\n"
        "class Slow:\n"
        "    def __init__(self, session): self.session = session\n"
        f"    def run(self, tensors):\n        {work}\n        return self.session.run(tensors)\n"
        "    def close(self): self.session.close()\n"
        "def init(self, **how): plain(self, **{**how, 'session': Slow(how['session']), "
        "'places': 1, 'queue': 2})\n"
        "d.DataPlane.__init__ = init\n"
        "raise SystemExit(m.run())\n"
    )
    return Served(folder, code=code, serving={"timeoutSeconds": seconds})


@pytest.fixture
def slow_model(artifacts: Path) -> Iterator[Served]:
    """A server whose every inference takes a second."""
    served = slowed("time.sleep(1)", artifacts / "iris", 1.5)
    try:
        yield served.wait_ready()
    finally:
        served.end()


def ask_in_background(served: Served, count: int) -> tuple[list[threading.Thread], list[Any]]:
    answers: list[Any] = []

    def ask() -> None:
        answers.append(httpx.post(served.url + INFER, json=BODY, timeout=HANG_GUARD))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def wait_for_in_flight(served: Served, count: int) -> None:
    end = time.monotonic() + HANG_GUARD
    while time.monotonic() < end:
        if f'in_flight{{model="model",revision="abcdef0123"}} {count}.0' in served.metrics():
            return
        time.sleep(0.01)
    raise AssertionError(f"never {count} requests in flight")


def test_who_hangs_up_while_waiting_is_never_asked_of_the_model(
    artifacts: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    work = f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)"
    body = json.dumps(BODY).encode()
    head = f"POST {INFER} HTTP/1.1\nhost: a\ncontent-length: {len(body)}\n\n"
    held = slowed(work, artifacts / "iris", HANG_GUARD)
    try:
        held.wait_ready()
        threads, answers = ask_in_background(held, 1)
        wait_for_in_flight(held, 1)
        with raw(held, head, body), raw(held, head, body):
            wait_for_in_flight(held, 3)
        wait_for_in_flight(held, 1)  # while the model is still at the first
        go.touch()
        threads[0].join(HANG_GUARD)
        assert answers[0].status_code == 200
        text = held.metrics()
        labels = 'model="model",revision="abcdef0123"'
        assert f'slipway_rows_total{{{labels},source="direct"}} 1.0' in text
        assert f"slipway_queue_depth{{{labels}}} 0.0" in text
        gone = 'code="499",model="model",protocol="v2",revision="abcdef0123",source="direct"'
        assert f"slipway_requests_total{{{gone}}} 2.0" in text
        assert httpx.post(held.url + INFER, json=BODY, timeout=HANG_GUARD).status_code == 200
    finally:
        go.touch()
        held.end()


def test_more_than_the_queue_is_shed_and_what_waits_too_long_times_out(
    slow_model: Served,
) -> None:
    threads, answers = ask_in_background(slow_model, 6)
    for thread in threads:
        thread.join(HANG_GUARD)
    codes = sorted(answer.status_code for answer in answers)
    assert codes.count(200) == 1  # the others would need more than 1.5 s
    assert codes.count(503) == 3  # one at the model, two in the queue
    assert codes.count(504) == 2
    shed = next(answer for answer in answers if answer.status_code == 503)
    assert shed.json()["reason"] == "Overloaded"
    assert int(shed.headers["retry-after"]) >= 1


def test_sigterm_answers_what_is_in_flight_says_close_and_exits_with_0(slow_model: Served) -> None:
    with httpx.Client() as client:
        client.get(slow_model.url + "/v2")
        threads, answers = ask_in_background(slow_model, 1)
        wait_for_in_flight(slow_model, 1)
        slow_model.process.terminate()
        slow_model.wait_for(503)
        during = client.get(slow_model.url + "/v2")
    assert during.status_code == 200
    assert during.headers["connection"] == "close"
    threads[0].join(HANG_GUARD)
    assert answers[0].status_code == 200
    assert answers[0].headers["connection"] == "close"
    code, output = slow_model.end()
    assert code == 0, output
    assert "Traceback" not in output


def test_drain_is_bounded(artifacts: Path) -> None:
    with serving(artifacts / "iris", serving={"drainSeconds": 1}) as served:
        head = f"POST {INFER} HTTP/1.1\nhost: a\ncontent-length: 100\n\n"
        with raw(served, head, b"{") as stuck:  # a body that never comes
            wait_for_in_flight(served, 1)
            code, output = served.end()
            stuck.close()
    assert code == 0, output


def test_sigterm_while_loading_ends_at_once(artifacts: Path) -> None:
    code = (
        "import time, slipway_runtime.serving.main as m\n"
        "load = m._load\n"
        "def slowly(*how): time.sleep(3); return load(*how)\n"
        "m._load = slowly\n"
        "raise SystemExit(m.run())\n"
    )
    served = Served(artifacts / "iris", code=code)
    served.wait_for(503)
    answer = httpx.post(served.url + INFER, json=BODY)
    assert (answer.status_code, answer.json()["reason"]) == (503, "ModelNotReady")
    assert answer.headers["retry-after"]
    assert httpx.get(served.url + "/v2/health/live").status_code == 200
    assert served.end()[0] == 0


STARTS: dict[str, tuple[dict[str, Any], str]] = {
    "a taken port": ({"port": True}, "Cannot listen on 127.0.0.1"),
    "no artifact": ({"model_dir": "nowhere"}, "nowhere"),
    "an unknown setting": ({"serving": {"timeout": 1}}, "timeout"),
    "a rule for an unknown column": (
        {
            "serving": {
                "contract": {
                    "rules": [{"column": "zz", "rule": "OutOfRange", "onViolation": "Reject"}]
                }
            }
        },
        "zz",
    ),
    "a policy for batches": (
        {"serving": {"contract": {"onViolation": "Quarantine"}}},
        "Quarantine",
    ),
}


@pytest.mark.parametrize(("how", "words"), STARTS.values(), ids=STARTS.keys())
def test_a_start_that_cannot_work_says_so_in_one_sentence(
    artifacts: Path,
    tmp_path: Path,
    how: dict[str, Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = socket.socket()
    if how.get("port"):
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        monkeypatch.setattr("serving_process.free_port", lambda: port)
    folder = tmp_path / how["model_dir"] if "model_dir" in how else artifacts / "iris"
    served = Served(folder, serving=how.get("serving"))
    output = served.process.communicate(timeout=HANG_GUARD)[0]
    taken.close()
    assert served.process.returncode == 1
    assert words in output
    assert "Traceback" not in output
