"""One load for every server: `wrk` where it is installed, else a small generator of our own.

A closed loop on a number of kept-open connections; the generator is a process of its own. `wrk`
takes least from the processors that it shares with the server (Debian: `apt-get install wrk`).
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

CONNECTIONS = 16
_SCRIPT = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = [=[%s]=]
function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    'RESULT {"rate": %%f, "p50_ms": %%f, "p99_ms": %%f, "failed": %%d}',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Requests a second, and how long they took."""

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int


def generator() -> str:
    """Which generator is used."""
    if shutil.which("wrk"):
        return "wrk"
    return "the bench's own generator (wrk is not installed; it would take less from the server)"


def ask_for(seconds: float, url: str, body: bytes, scratch: Path) -> Measured:
    """Load one server for `seconds`.

    Raises:
        SystemExit: a request failed, so the figure would say nothing.
    """
    if shutil.which("wrk"):
        script = scratch / "post.lua"
        script.write_text(_SCRIPT % body.decode())
        spent = f"-d{max(1, round(seconds))}s"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", spent, "--timeout", "30s", "-s", str(script)]
        command.append(url)
    else:
        command = [sys.executable, __file__, url, body.decode(), str(seconds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
    measured = Measured(**json.loads(lines[-1].removeprefix("RESULT ")))
    if measured.failed:
        raise SystemExit(f"{measured.failed} requests to {url} failed:\n{output}")
    return measured


class _Connection(asyncio.Protocol):
    """Asks again as soon as an answer is whole."""

    def __init__(self, request: bytes, end: float, taken: list[float]) -> None:
        self._request = request
        self._end = end
        self._taken = taken
        self._received = b""
        self.failed = 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:  # uvloop's is no asyncio.Transport
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self._received = b""
        self._taken.append(now - self._asked)
        self.failed += not head.startswith(b"HTTP/1.1 200")
        if now < self._end:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.failed += error is not None or time.perf_counter() < self._end
        self.closed.set_result(None)


async def _load(url: str, body: bytes, seconds: float) -> Measured:
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    head = f"POST /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    taken: list[float] = []
    end = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: _Connection(request, end, taken), name, int(port)))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(connection.closed for connection in connections))
    cuts = [cut * 1000 for cut in statistics.quantiles(taken, n=100)]
    return Measured(
        rate=len(taken) / seconds, p50_ms=cuts[49], p99_ms=cuts[98],
        failed=sum(connection.failed for connection in connections),
    )  # fmt: skip


if __name__ == "__main__":
    _url, _body, _seconds = sys.argv[1:]
    print("RESULT", json.dumps(asdict(uvloop.run(_load(_url, _body.encode(), float(_seconds))))))
