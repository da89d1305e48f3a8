"""Ask a model again and again: `python examples/load.py URL ROWS.csv [--per-second 50]`.

One row a request, in turn, over one connection; every five seconds a line of who answered what.
Ctrl-C ends it.
"""

import argparse
import csv
import itertools
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file, numbers as numbers."""
    with path.open(newline="") as file:
        return [{key: read(value) for key, value in row.items()} for row in csv.DictReader(file)]


def read(text: str) -> str | float | None:
    """A cell of it; an empty one is a hole."""
    with suppress(ValueError):
        return float(text)
    return text or None


def main() -> None:
    """Ask until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("rows", type=Path)
    parser.add_argument("--per-second", type=float, default=50.0)
    asked = parser.parse_args()
    seen: Counter[str] = Counter()
    due = told = time.monotonic()
    with httpx.Client(base_url=asked.url, timeout=20) as client:
        for row in itertools.cycle(read_rows(asked.rows)):
            time.sleep(max(0.0, due - time.monotonic()))
            due += 1 / asked.per_second
            try:
                answer = client.post("/predict", json=[row])
                seen[
                    f"{answer.status_code} by {answer.headers.get('x-model-revision', '?')[:4]}"
                ] += 1
            except httpx.HTTPError as error:
                seen[type(error).__name__] += 1
            if time.monotonic() > told + 5:
                told = time.monotonic()
                print(
                    "  ".join(f"{what}: {count}" for what, count in sorted(seen.items())),
                    flush=True,
                )
                seen.clear()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
