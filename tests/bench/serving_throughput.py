"""Single-row throughput and latency over REST: Slipway beside other servers, in one run.

One model, one process each, 16 connections, the servers asked in turn, several rounds; a server
that waits for its turn is idle. The load shares the processors with the server: read the ratios.
Run: make bench, or python tests/bench/serving_throughput.py [ROUNDS] [SECONDS]
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from load import CONNECTIONS, Measured, ask_for, generator
from peers import Peer, peers

import serving_models
from serving_process import free_port

_HANG_GUARD = 120.0


def start(peer: Peer, scratch: Path, stack: ExitStack) -> str:
    """Start a server with a copy of the model; returns the address to ask once it answers.

    Raises:
        SystemExit: it never answered, or not with what the model says.
    """
    folder = serving_models.iris(scratch / peer.name.replace(" ", "-"))
    port = free_port()
    command = peer.prepare(folder, port)
    environment = {**os.environ, **peer.environment(folder, port)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    url = f"http://127.0.0.1:{port}{peer.path}"
    end = time.monotonic() + _HANG_GUARD
    while time.monotonic() < end and process.poll() is None:
        try:
            answer = httpx.post(
                url, content=peer.body, headers={"content-type": "application/json"}
            )
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code == 200:
            if peer.is_model and "0.9815" not in answer.text:
                raise SystemExit(f"{peer.name} answers something else: {answer.text}")
            return url
        time.sleep(0.1)
    raise SystemExit(f"{peer.name} never answered:\n{(folder / 'log').read_text()[-2000:]}")


def machine() -> str:
    """One line about where this was measured."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )  # fmt: skip
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the run, "
        f"CPython {platform.python_version()}, load by {generator()}"
    )


def main(rounds: int, seconds: float) -> None:
    """Print the machine and the two tables."""
    print(f"{machine()}, iris, one process each, {CONNECTIONS} connections, n = {rounds} rounds "
          f"of {seconds:g} s, interleaved.\n")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        chosen = peers()
        urls = {peer.name: start(peer, scratch, stack) for peer in chosen}
        for peer in chosen:
            ask_for(1, urls[peer.name], peer.body, scratch)
        measured: dict[str, list[Measured]] = {peer.name: [] for peer in chosen}
        for _ in range(rounds):
            for peer in chosen:
                one = ask_for(seconds, urls[peer.name], peer.body, scratch)
                measured[peer.name].append(one)
        print(tables(measured))


def tables(measured: dict[str, list[Measured]]) -> str:
    """The figures of every server, and Slipway's ratios to the others round by round."""
    lines = ["| server | requests/s | p50 | p99 |", "|---|---|---|---|"]
    for name, runs in measured.items():
        lines.append(
            f"| {name} | {_spread([run.rate for run in runs])} "
            f"| {_spread([run.p50_ms for run in runs])} ms "
            f"| {_spread([run.p99_ms for run in runs])} ms |"
        )
    lines += ["", "| Slipway's requests/s against | ratio |", "|---|---|"]
    for name, runs in measured.items():
        if name != "Slipway":
            ratios = [
                ours.rate / run.rate for ours, run in zip(measured["Slipway"], runs, strict=True)
            ]
            lines.append(f"| {name} | {_spread(ratios)} |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{_short(statistics.median(values))} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    main(int(given[0]) if given else 7, given[1] if len(given) > 1 else 3.0)
