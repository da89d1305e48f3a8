"""A real `slipway-runtime serve` on loopback, for tests."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

HANG_GUARD = 60.0


def free_port() -> int:
    """A port that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """One serving process."""

    def __init__(
        self,
        model_dir: Path,
        *,
        serving: dict[str, Any] | None = None,
        name: str = "model",
        revision: str = "abcdef0123",
        code: str = "from slipway_runtime.serving.main import run; raise SystemExit(run())",
    ) -> None:
        self.port = free_port()
        self.metrics_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "SLIPWAY_MODEL_DIR": str(model_dir),
                "SLIPWAY_MODEL_NAME": name,
                "SLIPWAY_REVISION": revision,
                "SLIPWAY_BIND": "127.0.0.1",
                "SLIPWAY_PORT_HTTP": str(self.port),
                "SLIPWAY_PORT_METRICS": str(self.metrics_port),
                "SLIPWAY_SERVING": json.dumps(serving or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_ready(self) -> "Served":
        """Wait until readiness says yes."""
        self.wait_for(200)
        return self

    def wait_for(self, code: int, path: str = "/v2/health/ready") -> None:
        """Wait until `path` answers with `code`."""
        end = time.monotonic() + HANG_GUARD
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.process.communicate()[0]}")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(self.url + path).status_code == code:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{path} never answered {code}")

    def metrics(self) -> str:
        """The page of the metrics port."""
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text

    def end(self) -> tuple[int, str]:
        """SIGTERM and wait; returns the exit code and everything it wrote."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            output, _ = self.process.communicate(timeout=HANG_GUARD)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, output


@contextlib.contextmanager
def serving(model_dir: Path, **how: Any) -> Iterator[Served]:
    """Serve until the block ends."""
    served = Served(model_dir, **how)
    try:
        yield served.wait_ready()
    finally:
        served.end()
