"""Measure: seconds from `slipway up` to the first answer through Envoy, cold and cached.

Cold: an empty data folder (packages installed). Cached: the same folder after `slipway down`.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from table import Row, row_of

ROOT = Path(__file__).resolve().parents[2]
SLIPWAY = Path(sys.executable).with_name("slipway")
SAMPLE = ROOT / "manifests/samples/penguins.yaml"
ROWS = (ROOT / "examples/penguins/rows.csv").read_bytes()
RUNS = 5


def once(data: Path) -> float:
    """Seconds from the start of `slipway up` to a 200 from the model's address."""
    environment = {**os.environ, "SLIPWAY_DATA": str(data)}
    started = time.perf_counter()
    subprocess.run([SLIPWAY, "up", "-f", SAMPLE, "--detach"], check=True, env=environment,
                   capture_output=True)  # fmt: skip
    url = subprocess.run(
        [SLIPWAY, "get", "penguins", "-o", "json"],
        check=True, env=environment, capture_output=True, text=True,
    ).stdout.split('"url": "')[1].split('"')[0]  # fmt: skip
    answer = httpx.post(f"{url}/predict", content=ROWS, headers={"content-type": "text/csv"})
    answer.raise_for_status()
    elapsed = time.perf_counter() - started
    subprocess.run([SLIPWAY, "down"], check=True, env=environment, capture_output=True)
    return elapsed


def measure() -> list[Row]:
    """Two rows, in seconds."""
    cold, cached = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(once(Path(folder) / "data"))
            cached.append(once(Path(folder) / "data"))
    return [
        row_of("up to first answer, empty folder", "s", cold),
        row_of("up to first answer, build cached", "s", cached),
    ]


if __name__ == "__main__":
    for row in measure():
        print(row)
