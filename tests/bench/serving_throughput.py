"""Single-row V2 throughput and latency: Slipway beside the bare HTTP server and plain BentoML.

One model, one worker each, 16 connections, the servers asked in turn, several rounds. The load
comes from a process of its own that shares the processors with the server: read the ratios.
Run: python tests/bench/serving_throughput.py [ROUNDS] [SECONDS]
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from table import Row, render, row_of

import serving_models
from serving_process import free_port

CONNECTIONS = 16
VALUES = [5.1, 3.5, 1.4, 0.2]
V2 = json.dumps(
    {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": VALUES}]}
).encode()
PLAIN = json.dumps({"data": [VALUES]}).encode()

# The bare server: the same bytes in, an answer of the same size out, nothing done.
BARE = """
import asyncio, signal, sys
from granian.constants import Interfaces
from granian.server.embed import Server
ANSWER = b" " * 240
HEADERS = [("content-type", "application/json")]
async def answer(scope, proto):
    await proto()
    proto.response_bytes(200, HEADERS, ANSWER)
async def main():
    server = Server(answer, "127.0.0.1", int(sys.argv[1]), interface=Interfaces.RSGI,
                    websockets=False, log_enabled=False, backlog=1024)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()
asyncio.run(main())
"""
# What a user writes by hand.
BENTO = """
import bentoml, numpy, onnxruntime
@bentoml.service
class Iris:
    def __init__(self):
        self.session = onnxruntime.InferenceSession("model.onnx")
    @bentoml.api
    def infer(self, data: list[list[float]]) -> dict:
        labels, scores = self.session.run(None, {"X": numpy.array(data, numpy.float32)})
        return {"labels": labels.tolist(), "scores": scores.tolist()}
"""


async def load(port: int, path: str, body: bytes, seconds: float) -> list[float]:
    """Ask in a closed loop on every connection; returns the seconds of every request."""
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    end = time.perf_counter() + seconds
    taken: list[float] = []

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"{path} answered {answer[:200]!r}")
            lower = answer.lower()
            length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            taken.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return taken


def start(
    command: list[str], port: int, folder: Path, **environment: str
) -> "subprocess.Popen[bytes]":
    """Start a server and wait until it listens."""
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{command[:4]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                time.sleep(3)  # loaded and quiet: none of the peers tells better
                return process
        time.sleep(0.1)
    raise SystemExit(f"{command[:4]} never listened")


def main(rounds: int, seconds: float) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = serving_models.iris(folder / "iris")
        (model / "bare.py").write_text(BARE)
        (model / "service.py").write_text(BENTO)
        ports = {"bare granian": free_port(), "Slipway": free_port(), "BentoML": free_port()}
        bentoml = str(Path(sys.executable).with_name("bentoml"))
        python = sys.executable
        processes = [
            start([python, "bare.py", str(ports["bare granian"])], ports["bare granian"], model),
            start(
                [python, "-m", "slipway_runtime", "serve"], ports["Slipway"], model,
                SLIPWAY_MODEL_DIR=str(model), SLIPWAY_MODEL_NAME="iris", SLIPWAY_BIND="127.0.0.1",
                SLIPWAY_PORT_HTTP=str(ports["Slipway"]), SLIPWAY_PORT_METRICS=str(free_port()),
            ),
            start(
                [bentoml, "serve", "service:Iris", "--port", str(ports["BentoML"])],
                ports["BentoML"], model,
                BENTOML_HOME=str(folder / "bentoml"), BENTOML_DO_NOT_TRACK="True",
            ),
        ]  # fmt: skip
        targets = {
            "bare granian": ("/", V2),
            "Slipway": ("/v2/models/iris/infer", V2),
            "BentoML": ("/infer", PLAIN),
        }
        try:
            print(render(measure(targets, ports, rounds, seconds)))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def measure(
    targets: dict[str, tuple[str, bytes]], ports: dict[str, int], rounds: int, seconds: float
) -> list[Row]:
    """Ask every server in turn, `rounds` times."""
    rates: dict[str, list[float]] = {name: [] for name in targets}
    halves: dict[str, list[float]] = {name: [] for name in targets}
    tails: dict[str, list[float]] = {name: [] for name in targets}
    for name, (path, body) in targets.items():
        asyncio.run(load(ports[name], path, body, 1))
    for _ in range(rounds):
        for name, (path, body) in targets.items():
            taken = asyncio.run(load(ports[name], path, body, seconds))
            rates[name].append(len(taken) / seconds)
            cuts = statistics.quantiles(taken, n=100)
            halves[name].append(cuts[49] * 1000)
            tails[name].append(cuts[98] * 1000)
    rows = []
    for name in targets:
        rows.append(row_of(f"{name}: single row", "requests/s", rates[name]))
        rows.append(row_of(f"{name}: p50", "ms", halves[name]))
        rows.append(row_of(f"{name}: p99", "ms", tails[name]))
    for other in ("bare granian", "BentoML"):
        ratio = [ours / theirs for ours, theirs in zip(rates["Slipway"], rates[other], strict=True)]
        rows.append(row_of(f"Slipway / {other}", "×", ratio))
    return rows


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    main(int(given[0]) if given else 5, given[1] if len(given) > 1 else 3.0)
