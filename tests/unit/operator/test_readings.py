"""What serving pods answer is read, and whatever else answers is told in words."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from slipway_operator.decide.analysis.comparison import measure
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.decide.analysis.shadow import Shadow
from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.readings import Unreadable, parse_answers, parse_reading, read_pods
from slipway_operator.state.answers import Answer as Told
from slipway_operator.state.answers import Answers
from slipway_operator.state.readings import Reading, Readings, Source
from slipway_runtime.serving.core.faults import Violation
from slipway_runtime.serving.metrics import BUCKETS, Metrics
from slipway_runtime.serving.recorder import Recorder

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONG_AGO = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
ROWS = "# TYPE slipway_rows_total counter\nslipway_rows_total 7\n"


def render(metrics: Metrics) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)
    return generate_latest(registry).decode()


def count_some() -> Metrics:
    metrics = Metrics(model="penguins", revision="aaaa")
    for protocol, code, seconds in (
        ("v1", 200, 0.002),
        ("v1", 200, 0.3),
        ("v2", 200, 0.002),
        ("v2", 422, 0.0004),
        ("v2", 500, 0.7),
        ("v1", 503, 60.0),
    ):
        metrics.observe_request(protocol, code, seconds, "route")
    metrics.rows["direct"] = 40
    metrics.observe_violations(
        [
            Violation(
                rule="Range",
                column="mass",
                policy="Warn",
                count=3,
                rows=(0,),
                value=None,
                message="",
            ),
            Violation(
                rule="Type",
                column="sex",
                policy="Reject",
                count=2,
                rows=(0,),
                value=None,
                message="",
            ),
        ],
        "route",
    )
    return metrics


# ── one answer ───────────────────────────────────────────────────────────────────────────────
def test_what_a_serving_process_counts_is_read() -> None:
    found = parse_reading(render(count_some()))
    assert (found.requests, found.errors) == (6, 2)
    assert (found.rows, found.violations, found.refused) == (40, 5, 2)
    latency = dict(found.latency)
    assert [bound for bound, _ in found.latency] == [*BUCKETS, float("inf")]
    assert [latency[bound] for bound in (0.0005, 0.0025, 0.25, 0.5, 1.0, 30.0)] == [
        1, 3, 3, 4, 5, 5,
    ]  # fmt: skip
    assert latency[float("inf")] == 6


def test_copies_are_counted_apart_and_forced_requests_not_at_all() -> None:
    metrics = count_some()
    for source in ("mirror", "mirror", "forced"):
        metrics.observe_request("v2", 500, 0.002, source)
        metrics.rows[source] += 2
    broken = Violation(
        rule="Range", column="mass", policy="Reject", count=3, rows=(0,), value=None, message=""
    )
    metrics.observe_violations([broken], "mirror")
    metrics.observe_violations([broken], "forced")
    found = parse_reading(render(metrics))
    assert replace(found, mirrored=None) == parse_reading(render(count_some()))
    copies = found.copies
    assert (copies.requests, copies.errors, copies.rows) == (2, 2, 4)
    assert (copies.violations, copies.refused) == (3, 3)
    assert dict(copies.latency)[0.0025] == 2
    assert copies.mirrored is None


def test_a_server_that_tells_no_source_has_users_alone() -> None:
    text = ROWS + '# TYPE slipway_requests_total counter\nslipway_requests_total{code="500"} 3\n'
    assert parse_reading(text) == Reading(requests=3, errors=3, rows=7)


def test_one_that_has_counted_nothing_yet_is_read_as_well() -> None:
    assert parse_reading(render(Metrics(model="penguins", revision="aaaa"))) == Reading()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "it has no slipway_rows_total", id="nothing"),
        pytest.param("# TYPE up gauge\nup 1\n", "it has no slipway_rows_total", id="another's"),
        pytest.param(
            "# TYPE slipway_rows_total counter\nslipway_rows_total NaN\n",
            "slipway_rows_total is nan",
            id="not a number",
        ),
        pytest.param(
            "# TYPE slipway_rows_total counter\nslipway_rows_total -1\n",
            "slipway_rows_total is -1",
            id="negative",
        ),
        pytest.param(
            "# TYPE slipway_rows_total counter\nslipway_rows_total +Inf\n",
            "slipway_rows_total is inf",
            id="endless",
        ),
        pytest.param(
            ROWS
            + "# TYPE slipway_request_seconds histogram\n"
            + "slipway_request_seconds_bucket 3\n",
            "a bucket has no bound",
            id="no bound",
        ),
    ],
)
def test_what_is_no_count_is_not_read(text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        parse_reading(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<html>not found</html>", id="a page"),
        pytest.param("slipway_rows_total seven", id="words"),
        pytest.param(
            ROWS
            + "# TYPE slipway_requests_total counter\n"
            + 'slipway_requests_total{code="teapot"} 1\n',
            id="no code",
        ),
    ],
)
def test_what_is_not_in_the_format_is_not_read(text: str) -> None:
    with pytest.raises((ValueError, Unreadable)):
        parse_reading(text)


def test_a_request_without_a_code_is_no_failure() -> None:
    text = ROWS + "# TYPE slipway_requests_total counter\nslipway_requests_total 5\n"
    found = parse_reading(text)
    assert (found.requests, found.errors, found.rows) == (5, 0, 7)


# ── pods ─────────────────────────────────────────────────────────────────────────────────────
def say(body: str | bytes, status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        await response.write(body.encode() if isinstance(body, str) else body)
        return response

    return answer


async def send_elsewhere(_: web.Request) -> web.StreamResponse:
    """A pod may not send the operator to where it cannot go itself."""
    raise web.HTTPFound("http://127.0.0.1:1/metrics")


async def hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def stop_halfway(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(ROWS.encode())
    await asyncio.sleep(30)
    return response


async def never_end(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"# a comment\n" * 4096)


def ask(
    pods: Mapping[str, Answer | None],
    *,
    ledger: Ledger | None = None,
    answers: Answer | None = None,
) -> Readings | None:
    """Read pods that answer so, each on a port of its own; None: nobody listens there."""

    async def read() -> Readings | None:
        runners, sources = [], []
        for pod, answer in pods.items():
            app = web.Application()
            app.router.add_get("/metrics", answer or hang)
            if answers is not None:
                app.router.add_get("/answers", answers)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            if answer is None:
                await site.stop()
            runners.append(runner)
            sources.append(
                Source(
                    pod=pod,
                    uid=f"uid-{pod}",
                    revision="aaaa",
                    address=f"127.0.0.1:{port}",
                    ready_since=LONG_AGO,
                )
            )
        try:
            return await read_pods(sources, ledger=ledger, shadow=answers is not None)
        finally:
            for runner in runners:
                await runner.cleanup()

    return asyncio.run(read())


def test_all_pods_are_read_at_one_moment() -> None:
    before = utc_now()
    text = render(count_some())
    found = ask({"p-0": say(text), "p-1": say(ROWS)})
    assert found is not None
    assert before <= found.at <= utc_now()
    assert {source.pod: one for source, one in found.found} == {
        "p-0": parse_reading(text),
        "p-1": Reading(rows=7),
    }
    assert found.unread == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(say("no such page", 404), "it answered 404", id="not found"),
        pytest.param(say(ROWS, 503), "it answered 503", id="not now"),
        pytest.param(send_elsewhere, "it answered 302", id="elsewhere"),
        pytest.param(hang, "no answer in 1.5 s", id="hangs"),
        pytest.param(stop_halfway, "no answer in 1.5 s", id="stops halfway"),
        pytest.param(say("<html>hello</html>"), "its answer cannot be read (", id="a page"),
        pytest.param(say(b"\xff\xfe\x00"), "its answer cannot be read (", id="no text"),
        pytest.param(say(""), "(it has no slipway_rows_total)", id="nothing"),
        pytest.param(
            say("# " + "x" * (1 << 20)), "it answered more than 1048576 bytes", id="too much"
        ),
        pytest.param(never_end, "it answered more than 1048576 bytes", id="never ends"),
        pytest.param(None, "no connection to 127.0.0.1", id="nobody there"),
    ],
)
def test_why_a_pod_cannot_be_read_is_told_and_the_others_are_read(
    answer: Answer | None, words: str
) -> None:
    found = ask({"p-0": answer, "p-1": say(ROWS)})
    assert found is not None
    assert words in found.unread["p-0"]
    assert not found.unread["p-0"].endswith(".")
    assert [(source.pod, one) for source, one in found.found] == [("p-1", Reading(rows=7))]


def test_an_answer_of_just_the_largest_size_is_read() -> None:
    filler = "# " + "x" * ((1 << 20) - len(ROWS) - 3) + "\n"
    found = ask({"p-0": say(ROWS + filler)})
    assert found is not None
    assert found.unread == {}


def test_nobody_is_asked_where_there_is_nobody_or_somebody_just_asked() -> None:
    assert ask({}) is None
    just = Ledger(rollout="r", at=utc_now())
    assert ask({"p-0": say(ROWS)}, ledger=just) is None
    for at in (None, utc_now() - timedelta(seconds=2)):
        found = ask({"p-0": say(ROWS)}, ledger=Ledger(rollout="r", at=at))
        assert found is not None
        assert len(found.found) == 1


# ── answers to compare ───────────────────────────────────────────────────────────────────────
def keep_one() -> bytes:
    """What a recorder tells of one answer."""
    recorder = Recorder(first=40)
    recorder.read(0, 1.0)
    recorder.record_failure("a", "mirror", 422)
    return recorder.read(40, 1.0)


def test_answers_are_read_with_the_counts_and_where_they_were_read_the_last_time() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query_string)
        return web.Response(body=keep_one())

    books = Ledger(rollout="r", shadow=Shadow(cursors={"uid-p-1": 40}, keep=0.25))
    found = ask({"p-0": say(ROWS), "p-1": say(ROWS)}, ledger=books, answers=answer)
    assert found is not None
    assert sorted(asked) == ["after=0&keep=0.25", "after=40&keep=0.25"]
    assert [source.pod for source, _ in found.found] == ["p-0", "p-1"]
    told = Answers(next=41, answers=(Told(id="a", source="mirror", code=422),))
    assert {source.pod: one for source, one in found.answers} == {"p-0": told, "p-1": told}
    assert found.unanswered == found.unread == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(say(ROWS), "its answer cannot be read (no answers to compare:", id="older"),
        pytest.param(say("{}"), "missing required field `next`", id="nothing"),
        pytest.param(say('{"next": -1}'), "a number of them that cannot be", id="negative"),
        pytest.param(say('{"next": 0, "left": 1e99}'), "no answers to compare", id="no number"),
        pytest.param(
            say('{"next": 0, "left": 10000000000000000}'), "that cannot be", id="too much"
        ),
        pytest.param(say("[" * 100_000), "no answers to compare", id="deep"),
        pytest.param(say(b"\xff"), "no answers to compare", id="no text"),
        pytest.param(say("", 400), "it answered 400", id="refused"),
        pytest.param(hang, "no answer in 1.5 s", id="hangs"),
        pytest.param(never_end, "it answered more than 1048576 bytes", id="never ends"),
    ],
)
def test_why_a_pod_tells_no_answers_is_told(answer: Answer, words: str) -> None:
    found = ask({"p-0": say(ROWS)}, answers=answer)
    assert found is not None
    assert found.answers == ()
    assert words in found.unanswered["p-0"]
    assert found.unread == {}
    assert [one for _, one in found.found] == [Reading(rows=7)]


def test_nobody_is_asked_for_answers_outside_of_a_shadow() -> None:
    found = ask({"p-0": say(ROWS)})
    assert found is not None
    assert (found.answers, found.unanswered) == ((), {})


TOLD = (
    b'{"next":7,"dropped":0,"left":2,"answers":[{"id":"a","source":"route","code":200,"rows":1,'
    b'"inputs":{"x":[1.5,null]},"outputs":{"label":["a"],"p":[[0.1,0.9]]}}]}'
)


@given(cuts=st.lists(st.tuples(st.integers(0, len(TOLD) - 1), st.binary(max_size=3)), max_size=4))
def test_whatever_a_pod_tells_is_read_or_refused(cuts: list[tuple[int, bytes]]) -> None:
    body = TOLD
    for at, put in cuts:
        body = body[:at] + put + body[at + len(put) :]
    with contextlib.suppress(Unreadable):
        found = parse_answers(body)
        assert isinstance(found.next, int)
        for one in found.answers:
            measure(one, one)


def test_what_a_pod_tells_is_read_as_it_is() -> None:
    (answer,) = parse_answers(TOLD).answers
    assert answer.inputs == {"x": (1.5, None)}
    assert answer.outputs == {"label": ("a",), "p": ((0.1, 0.9),)}
