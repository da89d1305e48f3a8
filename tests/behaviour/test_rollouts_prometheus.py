"""Rollouts on a laptop whose engine knows a Prometheus: by a shop's own counters, and by what
Prometheus has scraped of the pods."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_load import Load
from behaviour_rollouts import FOUR, THREE, WITH_MANY, Story, canary, is_promoted, state_of
from behaviour_terminal import condition
from prometheus_server import Page, Server, running_prometheus

ORDERS = {
    "name": "orders",
    "type": "Prometheus",
    "prometheus": {
        "good": 'shop_orders_total{revision="{{revision}}",outcome="paid"}',
        "total": 'shop_orders_total{revision="{{revision}}"}',
    },
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory, prometheus: Server) -> Iterator[Laptop]:
    """An engine that was told where Prometheus is."""
    engine = Laptop(
        data=tmp_path_factory.mktemp("data"),
        environment={"SLIPWAY_PROMETHEUS_URL": prometheus.url},
    )
    engine.start()
    yield engine
    engine.stop()
    assert engine.processes() == []


@contextlib.contextmanager
def counting(page: Page, load: Load, *, unpaid_by: str | None) -> Iterator[None]:
    """A shop that makes an order of every answer. Of those to `unpaid_by`, which says what the
    others do not pay, every fourth is left unpaid."""
    over = threading.Event()

    def run() -> None:
        seen = 0
        while not over.wait(0.05):
            for status, revision in load.answers[seen:]:
                seen += 1
                spoiled = unpaid_by is not None and revision != unpaid_by and seen % 4 == 0
                if status == 200:
                    page.orders.labels(revision, "unpaid" if spoiled else "paid").inc()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("is_good", [True, False], ids=["they buy", "they do not"])
def test_what_only_the_shop_can_count_decides(
    laptop: Laptop, prometheus: Server, tmp_path: Path, is_good: bool
) -> None:
    """Both models answer alike and without an error; only the orders tell them apart."""
    name = "buys" if is_good else "bores"
    first = models.of_countries(tmp_path / "a", FOUR)
    rollout = canary(50, analysis={"metrics": [ORDERS], "guardrails": {"errorRate": "0.5"}})
    story = Story(laptop, name, first, rollout)
    with Page() as shop, story.load(WITH_MANY, per_second=100) as load:
        prometheus.scrape([shop.address], shop=name)
        with counting(shop, load, unpaid_by=None if is_good else story.old):
            story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
            end = is_promoted(story.old) if is_good else lambda it: state_of(it) == "RolledBack"
            found = laptop.wait(name, end)
    assert load.failed == []
    latest = found["status"]["history"][0]
    if is_good:
        assert latest["outcome"] == "Promoted"
        return
    assert (latest["outcome"], latest["reason"]) == ("Aborted", "AnalysisFailed")
    assert "orders: canary" in condition(found, "Ready")["message"]
    assert found["status"]["stableRevision"] == story.old


def test_what_prometheus_has_scraped_of_the_pods_takes_a_bad_model_back(
    laptop: Laptop, prometheus: Server, tmp_path: Path
) -> None:
    first = models.of_countries(tmp_path / "a", FOUR)
    story = Story(laptop, "scraped", first, canary(50, analysis={"source": "Prometheus"}))
    with story.load(WITH_MANY, per_second=100) as load:
        story.ask(models.of_countries(tmp_path / "b", THREE))
        story.wait_for_state("Observing")
        pods = json.loads(laptop.run("get", "pods", "-o", "json").out)["items"]
        for pod in pods:
            if pod["metadata"]["labels"].get("slipway.dev/model") == "scraped":
                ports = json.loads(pod["metadata"]["annotations"].get("slipway.dev/ports", "{}"))
                if "metrics" in ports:
                    address = f"{pod['status']['podIP']}:{ports['metrics']}"
                    prometheus.scrape([address], pod=pod["metadata"]["name"])
        found = story.wait_for_state("RolledBack")
    assert "violations: canary" in condition(found, "Ready")["message"]
    assert found["status"]["stableRevision"] == story.old
    assert load.failed == []
