"""Evidence out of a real Prometheus: it gives the readings that the pods themselves would give."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from prometheus_server import HANG_SECONDS, Exporter, Server, running_prometheus
from slipway_operator.contract import SOURCE_FORCED, SOURCE_ROUTE
from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.evidence import EvidenceReader
from slipway_operator.edges.readings import parse_reading
from slipway_operator.settings import PrometheusAddress, Settings
from slipway_operator.state.questions import Query, Questions, fill_in
from slipway_operator.state.readings import Readings, Source
from slipway_operator.state.tallies import count_events
from slipway_runtime.serving.core.faults import Violation

NEW, OLD = "aaaaaaaaaa", "bbbbbbbbbb"
PLACE = {"name": "countries", "namespace": "default"}
ODD = 'a "column" of C:\\tables\nand more'


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture
def server(prometheus: Server) -> Iterator[Server]:
    """It scrapes nothing but what a test tells it to."""
    yield prometheus
    prometheus.forget_targets()


@contextlib.contextmanager
def two_pods() -> Iterator[tuple[Exporter, Exporter]]:
    """One of the new revision and one of the old, which have answered some requests."""
    with (
        Exporter(model="countries", revision=NEW) as new,
        Exporter(model="countries", revision=OLD) as old,
    ):
        for pod, requests in ((new, 30), (old, 300)):
            answer(pod, requests)
        yield new, old


def answer(pod: Exporter, requests: int, *, errors: int = 0) -> None:
    for number in range(requests):
        code = 500 if number < errors else 200
        pod.metrics.observe_request("v2", code, 0.002 if number % 10 else 0.3, SOURCE_ROUTE)
    pod.metrics.observe_request("v2", 500, 0.3, SOURCE_FORCED)  # which counts for nothing
    pod.metrics.rows[SOURCE_ROUTE] += requests
    pod.metrics.observe_violations(
        [
            Violation(
                rule="UnknownCategory", column=ODD, policy="Warn", count=3, rows=(0,), value=None,
                message="",
            )
        ],
        SOURCE_ROUTE,
    )  # fmt: skip


def sources(*pods: Exporter) -> tuple[Source, ...]:
    return tuple(
        Source(
            pod=f"countries-{pod.revision[0]}",
            uid=f"uid-{pod.revision[0]}",
            revision=pod.revision,
            address=pod.address,
            ready_since=utc_now() - timedelta(hours=1),
        )
        for pod in pods
    )


def ask_for(good: str, total: str, *, counts: bool = False) -> Questions:
    queries = tuple(
        Query(
            metric="orders",
            revision=revision,
            good=fill_in(good, revision=revision, **PLACE),
            total=fill_in(total, revision=revision, **PLACE),
        )
        for revision in (NEW, OLD)
    )
    return Questions(uid="u", counts=counts, queries=queries, **PLACE)


ALL = Questions(uid="u", counts=True, **PLACE)
ORDERS = ask_for(
    'shop_orders_total{revision="{{revision}}",outcome="paid"}',
    'shop_orders_total{revision="{{revision}}"}',
)


class Looking:
    """Who asks for the evidence of one rollout."""

    def __init__(self, server: Server) -> None:
        address = PrometheusAddress(url=server.url)
        self.reader = EvidenceReader(
            Settings.laptop(artifact_store="oci-layout:///s", prometheus=address)
        )

    def look(self, pods: Sequence[Source], questions: Questions) -> Readings | None:
        return asyncio.run(self.reader.read(pods, questions, ledger=None))

    def wait(
        self,
        pods: Sequence[Source],
        questions: Questions,
        holds: Callable[[Readings], bool] = lambda found: not found.unread,
    ) -> Readings:
        """Until something that holds is told."""
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            found = self.look(pods, questions)
            if found is not None and holds(found):
                return found
            assert time.monotonic() < deadline, f"last told: {found}"
            time.sleep(0.1)


def test_it_tells_what_the_pods_themselves_tell(server: Server) -> None:
    with two_pods() as (new, old):
        server.scrape([new.address, old.address])
        pods = sources(new, old)
        found = Looking(server).wait(pods, ALL)
        assert [source for source, _ in found.found] == list(pods)
        assert dict(found.found) == {
            source: parse_reading(pod.text) for source, pod in zip(pods, (new, old), strict=True)
        }
        told = dict(found.found)[pods[0]]
        assert (told.requests, told.rows, told.violations) == (30, 30, 3)


def test_the_same_scrape_is_not_taken_twice_and_every_window_is_of_both(server: Server) -> None:
    with two_pods() as (new, old):
        server.scrape([new.address, old.address])
        pods, looking = sources(new, old), Looking(server)
        before = looking.wait(pods, ALL)
        for _ in range(3):
            answer(new, 5, errors=1)
            answer(old, 50)
            after = looking.wait(pods, ALL)
            for (_, earlier), (_, later) in zip(before.found, after.found, strict=True):
                assert later.is_after(earlier)
            before = after
        found = looking.wait(
            pods, ALL, lambda told: [one.requests for _, one in told.found] == [45, 450]
        )
        assert [one.errors for _, one in found.found] == [3, 0]


def test_two_jobs_that_scrape_the_same_pods_count_nothing_twice(tmp_path: Path) -> None:
    jobs = ("by annotation", "by monitor")
    with running_prometheus(tmp_path / "p", jobs=jobs) as server, two_pods() as (new, old):
        server.scrape([new.address, old.address])
        server.wait_for("count(slipway_rows_total)", "4")
        found = Looking(server).wait(sources(new, old), ALL)
        assert [one.requests for _, one in found.found] == [30, 300]


def test_a_pod_is_known_by_its_label_wherever_it_was_scraped(server: Server) -> None:
    with two_pods() as (new, old):
        pods = sources(new, old)
        for pod, source in zip((new, old), pods, strict=True):
            server.scrape([pod.address], pod=source.pod, instance="ours", namespace="default")
        found = Looking(server).wait(pods, ALL)
        assert [one.requests for _, one in found.found] == [30, 300]
        elsewhere = Questions(uid="u", counts=True, name="countries", namespace="other")
        told = Looking(server).wait(pods, elsewhere, lambda told: bool(told.unread))
        words = told.unread["countries-a"]
        assert words.startswith('of its revision Prometheus has only other pods than pod="coun')
        assert f'instance="{new.address}"' in words


def test_a_pod_that_cannot_be_scraped_any_more_is_unread(server: Server) -> None:
    with Exporter(model="countries", revision=OLD) as old:
        looking = Looking(server)
        with Exporter(model="countries", revision=NEW) as new:
            pods = sources(new, old)
            server.scrape([new.address, old.address])
            looking.wait(pods, ALL)
        told = looking.wait(pods, ALL, lambda found: set(found.unread) == {"countries-a"})
        assert f"nothing of its revision {NEW}" in told.unread["countries-a"]


def test_the_counters_of_a_spec_are_followed_one_by_one(server: Server) -> None:
    with two_pods() as (new, old):
        new.order(5)
        old.order(90, unpaid=10)
        pods, looking = sources(new, old), Looking(server)
        server.scrape([new.address, old.address])
        server.wait_for("count(shop_orders_total)", "3")
        before = looking.wait(pods, ORDERS)
        assert before.untold == {}
        assert [one.requests for _, one in before.found] == [30, 300]  # of the pods themselves
        new.order(10, unpaid=2)
        old.order(100)
        server.wait_for("sum(shop_orders_total)", "217")
        after = looking.wait(pods, ORDERS)
        events = {
            revision: count_events(before.tallies["orders", revision], one)
            for (_, revision), one in after.tallies.items()
        }
        assert events == {NEW: (12, 2), OLD: (100, 0)}


@pytest.mark.parametrize(
    ("good", "total", "words"),
    [
        pytest.param(
            'sum(shop_orders_total{revision="{{revision}}"', 'up{a!="{{revision}}"}',
            'refuses "sum(shop_orders_total{revision="aaaaaaaaaa"": invalid parameter "query": '
            "1:44: parse error: unexpected end of input inside braces",
            id="it cannot be parsed",
        ),
        pytest.param(
            'up{a!="{{revision}}"}', 'nosuch{revision="{{revision}}"}',
            '"nosuch{revision="aaaaaaaaaa"}" finds nothing', id="it finds nothing",
        ),
        pytest.param(
            'nosuch{revision="{{revision}}"}', 'up{a!="{{revision}}"}',
            '"nosuch{revision="aaaaaaaaaa"}" finds nothing, of neither revision',
            id="nothing is good",
        ),
        pytest.param(
            'up{a!="{{revision}}"}', 'up{a!="{{revision}}"} * 0.37',
            "gives 0.37, which is no count: name the counters themselves, without rate()",
            id="no count",
        ),
        pytest.param(
            'up{a!="{{revision}}"}', 'sum(up{a!="{{revision}}"})',
            "are not of the same processes (labels job, namespace, pod, instance)",
            id="of other processes",
        ),
        pytest.param(
            'up{a!="{{revision}}"}', 'up{a!="{{revision}}"}[5m]',
            "gives a matrix, where an instant vector is needed", id="a range",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_query_is_told_and_the_pods_are_read(
    server: Server, good: str, total: str, words: str
) -> None:
    with two_pods() as (new, old):
        server.scrape([new.address, old.address])
        server.wait_for("count(up)", "2")
        found = Looking(server).wait(sources(new, old), ask_for(good, total))
    assert words in found.untold["orders"]
    assert found.tallies == {}
    assert len(found.found) == 2


def test_where_it_tells_of_the_pods_it_is_asked_for_the_spec_s_own_as_well(server: Server) -> None:
    with two_pods() as (new, old):
        server.scrape([new.address, old.address])
        both = ask_for('up{a!="{{revision}}"}', 'up{a!="{{revision}}"}', counts=True)
        found = Looking(server).wait(sources(new, old), both)
    assert set(found.tallies) == {("orders", NEW), ("orders", OLD)}
    assert len(found.found) == 2
