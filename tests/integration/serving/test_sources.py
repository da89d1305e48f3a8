"""Where requests came from is counted apart, and the answers to those of the route can be read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving_process import Served, serving

REVISION, OTHER = "abcdef0123", "0123abcdef"
ROW = {"bill": 44.1, "mass": 3500, "island": "Dream"}
FORCED = {"x-model-revision": OTHER, "x-slipway-forced": "1"}
SOURCES = {
    "route": {"x-model-revision": REVISION},
    "mirror": {"x-model-revision": OTHER},
    "forced": FORCED,
    "direct": {},
}


@pytest.fixture
def fresh(artifacts: Path) -> Iterator[Served]:
    with serving(artifacts / "table") as one:
        yield one


def ask(served: Served, body: Any, source: str, **headers: str) -> httpx.Response:
    return httpx.post(served.url + "/predict", json=body, headers={**SOURCES[source], **headers})


def read(served: Served, query: str = "") -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{served.metrics_port}/answers{query}")


def test_every_count_tells_the_source(fresh: Served) -> None:
    for times, source in enumerate(SOURCES, start=1):
        for _ in range(times):
            assert ask(fresh, [ROW], source).status_code == 200
            assert ask(fresh, [{**ROW, "island": "Mars"}], source).status_code in (200, 422)
            assert httpx.post(fresh.url + "/nowhere", headers=SOURCES[source]).status_code == 404
    text = fresh.metrics()
    for times, source in enumerate(SOURCES, start=1):
        mine = [line for line in text.splitlines() if f'source="{source}"' in line]
        counts = {
            (protocol, name): sum(
                float(line.rpartition(" ")[2])
                for line in mine
                if line.startswith(name) and protocol in line
            )
            for protocol, name in (
                ("rows", "slipway_requests_total"),
                ("other", "slipway_requests_total"),
                ("rows", "slipway_request_seconds_count"),
                ("Unknown", "slipway_contract_violations_total"),
            )
        }
        assert list(counts.values()) == [2 * times, times, 2 * times, times]
        rows = next(line for line in mine if line.startswith("slipway_rows_total"))
        assert float(rows.rpartition(" ")[2]) >= times


def test_answers_are_kept_from_the_first_reading_on(fresh: Served) -> None:
    ask(fresh, [ROW], "route", **{"x-request-id": "before"})
    begun = read(fresh, "?after=0&keep=1").json()
    assert (begun["answers"], begun["dropped"], begun["left"]) == ([], 0, 0)
    ask(fresh, [ROW, ROW], "route", **{"x-request-id": "a"})
    ask(fresh, [ROW], "mirror", **{"x-request-id": "b"})
    ask(fresh, [ROW], "direct", **{"x-request-id": "c"})
    ask(fresh, [ROW], "forced", **{"x-request-id": "d"})
    ask(fresh, [{}], "mirror", **{"x-request-id": "e"})
    told = read(fresh, f"?after={begun['next']}&keep=1").json()
    found = {one["id"]: one for one in told["answers"]}
    assert list(found) == ["a", "b", "e"]
    assert [(one["source"], one["code"], one["rows"]) for one in told["answers"]] == [
        ("route", 200, 2), ("mirror", 200, 1), ("mirror", 422, 0),
    ]  # fmt: skip
    assert found["a"]["inputs"]["island"] == ["Dream", "Dream"]
    assert found["a"]["inputs"]["mass"] == [3500, 3500]
    assert {name: len(values) for name, values in found["a"]["outputs"].items()} == dict.fromkeys(
        found["a"]["outputs"], 2
    )
    assert read(fresh, f"?after={told['next']}&keep=1").json() == {
        "next": told["next"], "dropped": 0, "left": 0, "answers": [],
    }  # fmt: skip
    assert len(read(fresh, f"?after={begun['next']}").json()["answers"]) == 3  # nothing is taken


def test_both_protocols_tell_the_same_outputs(iris: Served) -> None:
    at = read(iris).json()["next"]
    data = [5.1, 3.5, 1.4, 0.2]
    tensor = {"name": "X", "datatype": "FP32", "shape": [1, 4], "data": data}
    for batch in range(2):
        answer = httpx.post(
            iris.url + "/v2/models/model/infer",
            content=json.dumps({"inputs": [tensor]}),
            headers={
                **SOURCES["route"], "content-type": "application/json", "x-request-id": f"v{batch}",
            },
        )  # fmt: skip
        assert answer.status_code == 200
    told = read(iris, f"?after={at}").json()["answers"]
    assert told[0]["outputs"] == told[1]["outputs"]
    outputs = told[0]["outputs"]
    assert all(isinstance(label, str) for label in outputs["label"])
    assert len(outputs["probabilities"][0]) == 3
    assert len(told[0]["inputs"]) == 4


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?after=-1", "after must be a whole number"),
        ("?after=1e3", "after must be a whole number"),
        ("?after=", "after must be a whole number"),
        ("?after=" + "9" * 17, "after must be a whole number"),
        ("?after=%D9%A1", "after must be a whole number"),
        ("?keep=0", "keep must be a share"),
        ("?keep=nan", "keep must be a share"),
        ("?keep=2", "keep must be a share"),
        ("?keep=x", "keep must be a share"),
        ("?after=1&after=2", "each once"),
        ("?since=1", "nothing else"),
        ("?after", "cannot be read"),
        ("?" + "&".join(["after=1"] * 99), "cannot be read"),
    ],
)
def test_a_query_that_cannot_be_is_refused_with_a_sentence(
    table: Served, query: str, words: str
) -> None:
    answer = read(table, query)
    assert answer.status_code == 400
    assert words in answer.text
    assert answer.text.endswith(".\n")


def test_the_page_of_the_metrics_is_as_it_was(table: Served) -> None:
    base = f"http://127.0.0.1:{table.metrics_port}"
    assert httpx.post(base + "/answers").status_code == 405
    page = httpx.get(base + "/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert "slipway_rows_total" in page.text
