"""What may answer in the place of a Prometheus, and what is made of the series of pods."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web

from slipway_operator.edges import evidence, prometheus
from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.evidence import EvidenceReader
from slipway_operator.edges.prometheus import Prometheus, PrometheusSilent, Sample
from slipway_operator.edges.prometheus_counts import (
    OWN_LABELS,
    ask_queries,
    build_query,
    read_counters,
    read_counts,
)
from slipway_operator.settings import PrometheusAddress, Settings
from slipway_operator.state.questions import Query, Questions
from slipway_operator.state.readings import Reading, Readings, Source
from slipway_runtime.serving.core.faults import Violation
from slipway_runtime.serving.metrics import Metrics

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Told = TypeVar("Told")
ALL = Questions(uid="u", name="churn", namespace="default", counts=True)
CLOCK = 1_700_000_000.0


def source(pod: str, *, revision: str = "aaaa", ready_for: float = 3600) -> Source:
    return Source(
        pod=pod,
        uid=f"uid-{pod}",
        revision=revision,
        address=f"10.0.0.{len(pod)}:9090",
        ready_since=utc_now() - timedelta(seconds=ready_for),
    )


def told_by(pod: str, rows: float, at: float = CLOCK, **labels: str) -> list[Sample]:
    """The least that Prometheus has of a pod: what it counted, and when."""
    every = {"pod": pod, "revision": "aaaa"} | labels
    return [
        Sample(labels={"__name__": "slipway_rows_total"} | every, value=rows),
        Sample(labels={"slipway_scraped": "yes"} | every, value=at),
    ]


# ── one that answers ─────────────────────────────────────────────────────────────────────────
def vector(*series: tuple[Mapping[str, str], str]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [CLOCK, value]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def data(kind: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def say(body: Any, status: int = 200) -> Answer:
    """To the time its time, to everything else this."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if (await request.post())["query"] == "time()":
            return web.json_response(data("scalar", [CLOCK, str(CLOCK)]))
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text)

    return answer


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def send_elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/")


async def never_end(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def beside(
    answer: Answer | None, work: Callable[[str], Awaitable[Told]], *, path: str = ""
) -> Told:
    """Do something while one that answers so is at a URL; None: nobody is."""

    async def run() -> Told:
        app = web.Application()
        app.router.add_post(f"{path}/api/v1/query", answer or hang)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        if answer is None:
            await site.stop()
        try:
            return await work(f"http://127.0.0.1:{port}{path}")
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def ask(
    answer: Answer | None, *, path: str = "", token_file: str | None = None, slash: str = ""
) -> tuple[Sample, ...]:
    async def work(url: str) -> tuple[Sample, ...]:
        address = PrometheusAddress(url=url + slash, token_file=token_file)
        async with Prometheus(address) as asked:
            return await asked.query("up")

    return beside(answer, work, path=path)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(
            vector(({"__name__": "up"}, "1"), ({}, "2e+03")),
            (Sample(labels={"__name__": "up"}, value=1.0), Sample(labels={}, value=2000.0)),
            id="a vector",
        ),
        pytest.param(vector(), (), id="nothing"),
        pytest.param(data("scalar", [CLOCK, "7"]), (Sample(labels={}, value=7.0),), id="a scalar"),
        pytest.param(
            vector(({}, "+Inf")), (Sample(labels={}, value=float("inf")),), id="an endless one"
        ),
    ],
)
@pytest.mark.parametrize(("path", "slash"), [("", ""), ("", "/"), ("/prometheus", "")])
def test_what_it_finds_is_read(body: Any, found: tuple[Sample, ...], path: str, slash: str) -> None:
    assert ask(say(body), path=path, slash=slash) == found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            say({"status": "error", "errorType": "bad_data", "error": "1:3: parse error."}, 400),
            'Prometheus refuses "up": 1:3: parse error',
            id="it refuses",
        ),
        pytest.param(
            say({"status": "error"}, 422), 'Prometheus refuses "up": error 422', id="wordless"
        ),
        pytest.param(
            say({"status": "error", "error": "x " * 5000}, 422), "x x…", id="a flood of words"
        ),
        pytest.param(say("<html>", 401), "answered 401: it wants another token", id="who are you"),
        pytest.param(say("<html>", 403), "answered 403: it wants another token", id="you may not"),
        pytest.param(say("<html>", 503), "answered 503", id="not now"),
        pytest.param(say("<html>"), "gave an answer of another form", id="a page"),
        pytest.param(say({"a": 1}), "gave an answer of another form", id="another's"),
        pytest.param(say({"status": "success"}), '"up" gives nothing, where an', id="nothing"),
        pytest.param(say(data("matrix", [])), '"up" gives a matrix, where an', id="a range"),
        pytest.param(say(data("string", [CLOCK, "x"])), '"up" gives a string', id="a string"),
        pytest.param(send_elsewhere, "answered 302", id="elsewhere"),
        pytest.param(hang, "no answer of Prometheus at http://127.0.0.1", id="hangs"),
        pytest.param(never_end, "answered more than 8388608 bytes", id="never ends"),
        pytest.param(reset, "Prometheus at http://127.0.0.1", id="hangs up"),
        pytest.param(None, "no connection to Prometheus at http://127.0.0.1", id="nobody there"),
    ],
)
def test_why_it_cannot_be_asked_is_told(
    answer: Answer | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "_SECONDS", 0.5 if answer is hang else 30.0)
    with pytest.raises(PrometheusSilent) as silent:
        ask(answer)
    assert words in str(silent.value)
    assert len(str(silent.value)) < 500
    assert not str(silent.value).endswith(".")


@pytest.mark.parametrize("body", [vector(), data("scalar", [CLOCK, "NaN"])])
def test_one_without_a_clock_is_none(body: Any) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    with pytest.raises(PrometheusSilent, match="does not tell the time"):
        ask(answer)


def test_everything_is_asked_for_the_same_moment_of_its_clock() -> None:
    moments: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        moments.append((await request.post()).get("time"))  # type: ignore[arg-type]  text it is
        return await say(vector())(request)

    async def work(url: str) -> None:
        async with Prometheus(PrometheusAddress(url=url)) as asked:
            await asked.query("a")
            await asked.query("b")

    beside(answer, work)
    assert moments == [None, "1700000000.000", "1700000000.000"]


# ── tokens ───────────────────────────────────────────────────────────────────────────────────
def test_the_token_is_sent_as_it_is_in_the_file_now(tmp_path: Path) -> None:
    sent: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        sent.append(request.headers.get("Authorization", ""))
        return await say(vector())(request)

    token = tmp_path / "token"
    for text in ("first\n", "second"):
        token.write_text(text)
        ask(answer, token_file=str(token))
    ask(answer)
    assert sent == ["Bearer first"] * 2 + ["Bearer second"] * 2 + [""] * 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"se\ncret", "is no single line"),
        (b"\n", "is empty"),
    ],
)
def test_a_token_that_cannot_be_is_told_without_it(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(PrometheusSilent, match=words) as silent:
        ask(say(vector()), token_file=str(tmp_path / "token"))
    assert "cret" not in str(silent.value)


# ── series of pods ───────────────────────────────────────────────────────────────────────────
def read(samples: list[Sample], *sources: Source, **ages: float) -> Any:
    every = {one.uid: 3600.0 for one in sources} | {f"uid-{pod}": age for pod, age in ages.items()}
    return read_counts(samples, sources, namespace="default", clock=CLOCK, ages=every)


def test_no_label_of_ours_is_summed_away() -> None:
    metrics = Metrics(model="m", revision="r")
    metrics.observe_request("v2", 200, 0.1, "route")
    metrics.observe_violations(
        [
            Violation(
                rule="r", column="c", policy="Warn", count=1, rows=(0,), value=None, message=""
            )
        ],
        "route",
    )
    judged = ("slipway_rows", "slipway_requests", "slipway_contract_violations",
              "slipway_request_seconds")  # fmt: skip
    families = [one for one in metrics.collect() if one.name in judged]
    assert {one.name for one in families} == set(judged)
    found = {label for one in families for sample in one.samples for label in sample.labels}
    assert found - {"model"} <= set(OWN_LABELS)
    asked = build_query(ALL, ["bbbb", "aaaa"])
    assert 'model="churn",revision=~"aaaa|bbbb"' in asked
    assert all(label in asked for label in OWN_LABELS)


@pytest.mark.parametrize(
    ("labels", "is_found"),
    [
        pytest.param({"pod": "p-0"}, True, id="by its name"),
        pytest.param({"pod": "p-0", "namespace": "default"}, True, id="with its namespace"),
        pytest.param({"pod": "p-0", "namespace": "other"}, False, id="of another namespace"),
        pytest.param({"pod": "p-0", "instance": "else:1"}, True, id="whatever the instance"),
        pytest.param({"pod": "", "instance": "10.0.0.3:9090"}, True, id="by its address"),
        pytest.param({"pod": "p-9", "instance": "10.0.0.3:9090"}, False, id="another's address"),
        pytest.param({"pod": "", "instance": "10.0.0.4:9090"}, False, id="another address"),
        pytest.param({"pod": "p-0", "revision": "bbbb"}, False, id="of another revision"),
    ],
)
def test_which_series_are_of_a_pod(labels: dict[str, str], is_found: bool) -> None:
    counted = read(told_by(labels.pop("pod"), 7, **labels), source("p-0"))
    assert bool(counted.found) is is_found
    assert bool(counted.unread) is not is_found


def test_of_two_scrapes_the_later_counts() -> None:
    twice = [
        *told_by("p-0", 7, CLOCK - 9, instance="a"), *told_by("p-0", 9, CLOCK - 4, instance="b"),
    ]  # fmt: skip
    (found,) = read(twice, source("p-0")).found
    assert found[1:] == (Reading(rows=9), CLOCK - 4)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        pytest.param([], "Prometheus has nothing of its revision aaaa; docs/", id="nothing"),
        pytest.param(
            told_by("p-1", 1),
            'only other pods than pod="p-0" and instance="10.0.0.3:9090"; docs/',
            id="others",
        ),
        pytest.param(
            told_by("p-0", 7, CLOCK - 121), "Prometheus scraped it last 121 s ago", id="stale"
        ),
        pytest.param(
            told_by("p-0", float("nan")), "cannot be read (slipway_rows_total is nan)", id="NaN"
        ),
        pytest.param(
            told_by("p-0", 7)[1:], "cannot be read (it has no slipway_rows_total)", id="no count"
        ),
    ],
)
def test_why_there_is_nothing_of_a_pod_is_told(samples: list[Sample], words: str) -> None:
    counted = read(samples, source("p-0"))
    assert words in counted.unread["p-0"]
    assert (counted.found, counted.young) == ((), ())


def test_one_that_may_not_have_been_found_yet_is_waited_for() -> None:
    young = source("p-0")
    assert read([], young, **{"p-0": 89}).young == (young,)
    assert read([], young, **{"p-0": 89}).unread == {}
    assert set(read([], young, **{"p-0": 91}).unread) == {"p-0"}


# ── counters of a spec ───────────────────────────────────────────────────────────────────────
def test_counters_are_told_apart_by_what_was_scraped() -> None:
    found = read_counters(
        [
            Sample(labels={"__name__": "x", "pod": "a", "code": "200"}, value=7.0),
            Sample(labels={"__name__": "x", "pod": "a", "code": "500"}, value=2.0),
            Sample(labels={"__name__": "x", "pod": "b", "code": ""}, value=1.0),
        ],
        "x",
    )
    assert found == {
        "pod=a": {"__name__=x,code=200,pod=a": 7, "__name__=x,code=500,pod=a": 2},
        "pod=b": {"__name__=x,pod=b": 1},
    }


@pytest.mark.parametrize("value", [0.5, -1.0, float("nan"), float("inf"), 2.0**60])
def test_what_is_no_count_is_refused(value: float) -> None:
    with pytest.raises(PrometheusSilent, match=r"which is no count: name the counters themselves"):
        read_counters([Sample(labels={}, value=value)], "rate(x[1m])")


def test_too_many_are_refused() -> None:
    many = [Sample(labels={"n": str(number)}, value=1.0) for number in range(2001)]
    with pytest.raises(PrometheusSilent, match="finds 2001 series; 2000 may be followed"):
        read_counters(many, "x")
    assert len(read_counters(many[1:], "x")[""]) == 2000


def test_a_metric_without_an_answer_is_asked_for_once_and_hides_no_other() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        asked.append(query)
        body = vector() if query.startswith("bad") else vector(({"pod": "a"}, "3"))
        return await say(body)(request)

    async def work(url: str) -> Any:
        queries = [
            Query(metric=metric, revision=revision, good=f"{metric}_g", total=f"{metric}_t")
            for metric in ("bad", "fine")
            for revision in ("aaaa", "bbbb")
        ]
        async with Prometheus(PrometheusAddress(url=url)) as one:
            return await ask_queries(one, queries)

    tallies, untold = beside(answer, work)
    assert set(tallies) == {("fine", "aaaa"), ("fine", "bbbb")}
    assert untold == {"bad": '"bad_t" finds nothing'}
    assert asked == ["time()", "bad_t", "fine_t", "fine_g", "fine_t", "fine_g"]


# ── who is asked, and when ───────────────────────────────────────────────────────────────────
class Scrapes:
    """A Prometheus that scraped these pods then; asked over and over, as looks do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: dict[str, tuple[float, float]] = {}
        self.fails = False
        self.reader: EvidenceReader | None = None
        self.now = 100.0
        monkeypatch.setattr(evidence, "monotonic", lambda: self.now)

    def look(self, *pods: Source, questions: Questions = ALL, wait: float = 2.0) -> Readings | None:
        self.now += wait

        async def work(url: str) -> Readings | None:
            self.reader = self.reader or EvidenceReader(Settings.laptop(artifact_store="x"))
            self.reader._settings = Settings.laptop(
                artifact_store="x", prometheus=PrometheusAddress(url=url)
            )
            return await self.reader.read(pods, questions, ledger=None)

        series = [
            (dict(one.labels), str(one.value))
            for pod, (rows, at) in self.told.items()
            for one in told_by(pod, rows, CLOCK + at, revision="a" if pod == "new" else "b")
        ]
        return beside(say("gone", 503) if self.fails else say(vector(*series)), work)


NEW, OLD = source("new", revision="a"), source("old", revision="b")


def test_a_look_counts_when_every_pod_was_scraped_after_the_last_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prom = Scrapes(monkeypatch)
    rounds = [
        ({"new": (1, -40), "old": (10, -33)}, True),
        ({"new": (1, -40), "old": (10, -33)}, False),
        ({"new": (2, -25), "old": (10, -33)}, False),
        ({"new": (2, -25), "old": (20, -18)}, True),
        ({"new": (3, -10), "old": (20, -18)}, False),
        ({"new": (3, -10), "old": (30, -3)}, True),
    ]
    for told, is_new in rounds:
        prom.told = told
        found = prom.look(NEW, OLD)
        assert (found is not None) is is_new
        if found is not None:
            assert [one.rows for _, one in found.found] == [told["new"][0], told["old"][0]]


def test_after_a_failure_the_next_answer_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prom = Scrapes(monkeypatch)
    prom.told = {"new": (1, -9), "old": (10, -3)}
    assert prom.look(NEW, OLD) is not None
    prom.fails = True
    found = prom.look(NEW, OLD)
    assert found is not None
    assert set(found.unread) == {"new", "old"}
    assert all("answered 503" in why for why in found.unread.values())
    prom.fails = False
    found = prom.look(NEW, OLD)
    assert found is not None
    assert found.unread == {}


def test_a_missing_pod_is_told_and_a_young_one_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    prom = Scrapes(monkeypatch)
    prom.told = {"old": (10, -3)}
    young = source("new", revision="a", ready_for=5)
    assert prom.look(young, OLD) is None
    second = source("second", revision="b", ready_for=5)
    found = prom.look(OLD, second)
    assert found is not None
    assert [one.pod for one, _ in found.found] == ["old"]
    told = prom.look(NEW, OLD)
    assert told is not None
    assert set(told.unread) == {"new"}


def test_nobody_is_asked_where_there_is_nobody_or_somebody_just_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prom = Scrapes(monkeypatch)
    prom.told = {"new": (1, -9), "old": (10, -3)}
    assert prom.look() is None
    assert prom.look(NEW, OLD) is not None
    prom.told = {"new": (2, -2), "old": (20, -1)}
    assert prom.look(NEW, OLD, wait=0.5) is None
    assert prom.look(NEW, OLD, wait=1.0) is not None
    assert prom.reader is not None
    prom.reader.forget("u")
    assert prom.look(NEW, OLD) is not None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings.laptop(artifact_store="x"), "SLIPWAY_PROMETHEUS_URL"),
        (
            Settings.cluster(artifact_store="x", build_image="x", onnx_image="x", native_image="x"),
            "chart's value operator.prometheus.url",
        ),
    ],
)
def test_without_a_prometheus_it_says_where_to_name_one(settings: Settings, words: str) -> None:
    reader = EvidenceReader(settings)
    found = asyncio.run(reader.read([NEW], ALL, ledger=None))
    assert found is not None
    assert words in found.unread["new"]
    assert datetime.now(UTC) - found.at < timedelta(seconds=30)

    async def of_its_own() -> Readings | None:
        query = Query(metric="orders", revision="a", good="g", total="t")
        asked = Questions(uid="u", name="c", namespace="d", counts=False, queries=(query,))
        return await reader.read([], asked, ledger=None)

    assert asyncio.run(of_its_own()) is None
