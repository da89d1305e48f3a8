"""A real Prometheus on loopback, and small servers with our own metrics for it to scrape."""

import contextlib
import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from prometheus_client import CollectorRegistry, Counter, generate_latest

from fetch_servers import free_port
from slipway_runtime.serving.metrics import Metrics
from store_programs import prometheus

HANG_SECONDS = 60.0


class Page:
    """A page of metrics, and a shop's counters on it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.orders = Counter(
            "shop_orders", "Orders.", ["revision", "outcome"], registry=self.registry
        )

    @property
    def text(self) -> str:
        return generate_latest(self.registry).decode()

    def __enter__(self) -> Self:
        page = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = page.text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """A page is no news."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"


class Exporter(Page):
    """A pod's metrics, as a serving process counts them, with the shop's beside."""

    def __init__(self, *, model: str, revision: str) -> None:
        super().__init__()
        self.revision = revision
        self.metrics = Metrics(model=model, revision=revision)
        self.registry.register(self.metrics)

    def order(self, paid: int, unpaid: int = 0) -> None:
        self.orders.labels(self.revision, "paid").inc(paid)
        if unpaid:
            self.orders.labels(self.revision, "unpaid").inc(unpaid)


@dataclass(kw_only=True)
class Server:
    """A running Prometheus; targets may be given while it runs, and are found within a second."""

    url: str
    found_in: Path
    targets: list[dict[str, Any]] = field(default_factory=list)

    def scrape(self, addresses: Sequence[str], **labels: str) -> None:
        """From now on also these."""
        self.targets.append({"targets": list(addresses), "labels": labels})
        self._tell()

    def forget_targets(self) -> None:
        """Scrape nothing any more."""
        self.targets.clear()
        self._tell()

    def _tell(self) -> None:
        """All of them at once: Prometheus may read the file at any moment."""
        fresh = self.found_in.with_suffix(".new")
        fresh.write_text(json.dumps(self.targets))
        fresh.rename(self.found_in)

    def ask(self, query: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(
            f"{self.url}/api/v1/query?query={urllib.request.quote(query)}", timeout=HANG_SECONDS
        ) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return found

    def wait_for(self, query: str, value: str) -> None:
        """Until the query gives one series of this value."""
        deadline = time.monotonic() + HANG_SECONDS
        while [one["value"][1] for one in self.ask(query)] != [value]:
            assert time.monotonic() < deadline, f"{query} gives {self.ask(query)}"
            time.sleep(0.1)


@contextlib.contextmanager
def running_prometheus(folder: Path, *, jobs: Sequence[str] = ("pods",)) -> Iterator[Server]:
    """One that scrapes every second, by each of the jobs."""
    folder.mkdir(exist_ok=True)
    found_in, port = folder / "targets.json", free_port()
    found_in.write_text("[]")
    seen = [{"files": [str(found_in)], "refresh_interval": "1s"}]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": job, "file_sd_configs": seen} for job in jobs],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(prometheus()),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + HANG_SECONDS
        while not _is_ready(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "Prometheus does not get ready"
            time.sleep(0.05)
        yield Server(url=url, found_in=found_in)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
