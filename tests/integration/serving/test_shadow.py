"""Two real serving processes, one in the shadow of the other: what the operator makes of them."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

import serving_models
from serving_process import Served, serving
from slipway_operator.api.spec_rollout import Analysis, Metric, WarmUp
from slipway_operator.api.status_rollout import Verdict
from slipway_operator.decide.analysis.assessment import Assessment, assess
from slipway_operator.decide.analysis.gate import list_gates
from slipway_operator.decide.analysis.ledger import Ledger, take
from slipway_operator.edges.clock import utc_now
from slipway_operator.edges.readings import read_pods
from slipway_operator.state.readings import Source

STABLE, CANARY = "aaaaaaaaaa", "bbbbbbbbbb"
LONG_AGO = datetime(2026, 1, 2, tzinfo=UTC)
SPEC = Analysis(
    metrics=tuple(
        msgspec.convert(one, Metric)
        for one in (
            {"name": "errors", "type": "ErrorRate", "errorRate": {"tolerated": "0.05"}},
            {"name": "agreement", "type": "Agreement", "agreement": {"min": "0.9"}},
        )
    )
)
GATES = list_gates(SPEC)
ROWS: list[dict[str, Any]] = [
    {"bill": 36.0 + at * 17 % 20, "mass": 3000.0 + at * 37 % 2000,
     "island": serving_models.ISLANDS[at % 3]}
    for at in range(300)
]  # fmt: skip


class Pair:
    """A stable revision and one in its shadow; what a gateway does with a request, and the books
    of the operator."""

    def __init__(self, stable: Served, canary: Served) -> None:
        self.stable, self.canary = stable, canary
        self.ledger = Ledger(rollout="r")
        self.sources = [
            Source(
                pod=revision,
                uid=revision,
                revision=revision,
                address=f"127.0.0.1:{served.metrics_port}",
                ready_since=LONG_AGO,
            )
            for revision, served in ((STABLE, stable), (CANARY, canary))
        ]

    def ask(self, rows: Sequence[dict[str, Any]]) -> None:
        """Each row is a request, with its copy."""
        with httpx.Client() as client:
            for row in rows:
                headers = {"x-request-id": str(uuid.uuid4()), "x-model-revision": STABLE}
                for served in (self.stable, self.canary):
                    client.post(served.url + "/predict", json=[row], headers=headers)

    def look(self) -> Assessment:
        """After another tick."""
        books = replace(self.ledger, at=None)  # it may be asked again at once
        readings = asyncio.run(read_pods(self.sources, ledger=books, shadow=True))
        assert readings is not None
        self.ledger = take(
            self.ledger,
            readings=readings,
            canary=CANARY,
            stable=STABLE,
            gates=GATES,
            warm_up=WarmUp(requests=0, seconds=0),
            weight=None,
            shadow=True,
        )
        return assess(self.ledger, gates=GATES, spec=SPEC, now=utc_now(), shadow=True)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("shadow")
    return {
        "usual": serving_models.table(folder / "usual"),
        "other": serving_models.table(folder / "other", dream=-30.0),
    }


@pytest.fixture(params=["usual", "other"])
def pair(request: pytest.FixtureRequest, folders: dict[str, Path]) -> Iterator[Pair]:
    with (
        serving(folders["usual"], revision=STABLE) as stable,
        serving(folders[request.param], revision=CANARY) as canary,
    ):
        yield Pair(stable, canary)


@pytest.mark.parametrize("pair", ["usual"], indirect=True)
def test_the_same_model_agrees_with_itself(pair: Pair) -> None:
    pair.look()
    for at in range(0, 300, 100):
        pair.ask(ROWS[at : at + 100])
        found = pair.look()
    assert found.shown.shadow is not None
    assert (found.shown.shadow.pairs, found.shown.shadow.disagreements) == (300, 0)
    assert found.shown.shadow.unmatched == 0
    assert found.shown.shadow.segments == found.shown.shadow.examples == ()
    assert found.shown.metrics[1].verdict is Verdict.PASS
    assert found.errors.canary.n == found.errors.stable.n == 300


@pytest.mark.parametrize("pair", ["other"], indirect=True)
def test_a_model_that_answers_otherwise_for_one_island_is_caught_and_explained(
    pair: Pair,
) -> None:
    pair.look()
    for at in range(0, 300, 60):
        pair.ask(ROWS[at : at + 60])
        found = pair.look()
    shadow = found.shown.shadow
    assert shadow is not None
    assert shadow.pairs == 300
    assert 30 < shadow.disagreements <= 100
    assert (shadow.segments[0].column, shadow.segments[0].value) == ("island", "Dream")
    assert all('"island":"Dream"' in (one.inputs or "") for one in shadow.examples)
    assert {one.stable[:16] for one in shadow.examples} == {'{"label":"long",'}
    assert found.failed is not None
    assert found.failed.startswith(f"agreement: {shadow.disagreements} of 300 answers are not")


@pytest.mark.parametrize("pair", ["usual"], indirect=True)
def test_a_canary_that_cannot_answer_disagrees(pair: Pair) -> None:
    pair.look()
    with httpx.Client() as client:
        for row in ROWS[:50]:
            headers = {"x-request-id": str(uuid.uuid4()), "x-model-revision": STABLE}
            client.post(pair.stable.url + "/predict", json=[row], headers=headers)
            client.post(pair.canary.url + "/predict", json=[{}], headers=headers)
    found = pair.look()
    assert found.shown.shadow is not None
    assert (found.shown.shadow.pairs, found.shown.shadow.disagreements) == (50, 50)
    assert {one.canary for one in found.shown.shadow.examples} == {"HTTP 422"}
