"""Rollouts that Prometheus has a say in: by a spec's own counters, and in the pods' place."""

from typing import Any

import pytest

from core_rollouts import (
    NAME,
    NEW,
    OLD,
    ask,
    begin,
    behave,
    live,
    live_until,
    look,
    pass_by,
    stable_uri,
    weigh,
)
from slipway_operator.lookups import list_questions
from slipway_operator.state.questions import Query, Questions

COUNTERS = {
    "good": 'orders_total{shop="{{namespace}}",model="{{name}}",revision="{{revision}}",paid="1"}',
    "total": 'orders_total{shop="{{namespace}}",model="{{name}}",revision="{{revision}}"}',
}
ORDERS = {"name": "orders", "type": "Prometheus", "prometheus": COUNTERS}
ERRORS = {"name": "errors", "type": "ErrorRate", "errorRate": {"tolerated": "0.01"}}


def judged_by(*metrics: dict[str, Any], **analysis: Any) -> dict[str, Any]:
    return {"steps": [weigh(50, minSeconds=10)], "analysis": {"metrics": [*metrics], **analysis}}


def find_metric(cluster: Any, name: str = "orders") -> dict[str, Any]:
    metrics = cluster.status(NAME)["analysis"]["metrics"]
    found: dict[str, Any] = next(one for one in metrics if one["name"] == name)
    return found


# ── what is asked ────────────────────────────────────────────────────────────────────────────
def test_queries_are_filled_in_for_both_revisions() -> None:
    cluster = begin(rollout=judged_by(ORDERS, ERRORS))
    live_until(cluster, "Observing")
    asked, status = cluster.objects["ModelDeployment", NAME], cluster.status(NAME)
    canary, stable = status["canaryRevision"], status["stableRevision"]
    place = f'shop="default",model="{NAME}"'
    assert list_questions(asked) == Questions(
        uid=asked["metadata"]["uid"],
        name=NAME,
        namespace="default",
        counts=False,
        queries=tuple(
            Query(
                metric="orders",
                revision=revision,
                good=f'orders_total{{{place},revision="{revision}",paid="1"}}',
                total=f'orders_total{{{place},revision="{revision}"}}',
            )
            for revision in (canary, stable)
        ),
    )


def test_of_prometheus_everything_may_be_asked_or_nothing() -> None:
    cluster = begin(rollout=judged_by(ERRORS))
    asked = cluster.objects["ModelDeployment", NAME]
    assert list_questions(asked) is None
    ask(cluster, NEW, judged_by(ERRORS, source="Prometheus"))
    found = list_questions(asked)
    assert found is not None
    assert (found.counts, found.queries) == (True, ())
    ask(cluster, NEW, {"strategy": "Sometimes"})
    assert list_questions(asked) is None


# ── how it ends ──────────────────────────────────────────────────────────────────────────────
def test_counters_that_only_prometheus_has_let_a_good_model_pass() -> None:
    cluster = begin(rollout=judged_by(ORDERS))
    behave(cluster, OLD, unpaid=0.3)
    behave(cluster, NEW, unpaid=0.3)
    live_until(cluster, "Promoting")
    found = find_metric(cluster)
    assert found["verdict"] == "Pass"
    assert found["canary"]["total"] > 0
    assert found["canary"]["bad"] == pytest.approx(0.3 * found["canary"]["total"], rel=0.05)
    assert found["stable"]["bad"] == pytest.approx(0.3 * found["stable"]["total"], rel=0.05)
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_they_take_a_bad_one_back() -> None:
    cluster = begin(rollout=judged_by(ERRORS, ORDERS))
    behave(cluster, NEW, unpaid=0.2)
    live_until(cluster, "RolledBack")
    assert stable_uri(cluster) == OLD
    assert cluster.condition(NAME, "Ready")[1] == "AnalysisFailed"
    assert "orders: canary " in cluster.condition(NAME, "Ready")[2]


def test_one_that_only_warns_takes_nothing_back() -> None:
    cluster = begin(rollout=judged_by(ERRORS, ORDERS | {"action": "Warn"}))
    behave(cluster, NEW, unpaid=0.2)
    live(cluster, 200)
    assert stable_uri(cluster) == NEW


# ── where it has no answer ───────────────────────────────────────────────────────────────────
def test_without_an_answer_it_is_held_in_the_words_of_whoever_asked() -> None:
    cluster = begin(rollout=judged_by(ERRORS, ORDERS))
    cluster.untold = {"orders": "no connection to Prometheus at http://p:9090"}
    live_until(cluster, "Held", "50")
    words = 'metric "orders": no connection to Prometheus at http://p:9090.'
    assert cluster.condition(NAME, "Ready")[2].endswith(words)
    assert cluster.condition(NAME, "MetricsAvailable")[:2] == ("False", "MetricsUnavailable")
    cluster.untold = {}
    assert pass_by(cluster) == ("Observing", "50")
    live(cluster, 100)
    assert stable_uri(cluster) == NEW


def test_meanwhile_everything_else_is_counted_and_takes_a_bad_one_back() -> None:
    cluster = begin(rollout=judged_by(ERRORS, ORDERS, guardrails={"errorRate": "1"}))
    cluster.untold = {"orders": "it finds nothing"}
    live_until(cluster, "Held", "50")
    behave(cluster, NEW, errors=0.1)
    live_until(cluster, "RolledBack")
    assert "errors: canary " in cluster.condition(NAME, "Ready")[2]


# ── windows that are not of the same moment ──────────────────────────────────────────────────
@pytest.mark.parametrize(("source", "end"), [("Pods", "Held"), ("Prometheus", "Observing")])
def test_only_counts_of_one_moment_are_a_split(source: str, end: str) -> None:
    """Requests beside the gateway, all to the new one: many more than its share."""
    steps = [weigh(5, minSeconds=200)]
    cluster = begin(rollout={"steps": steps, "analysis": {"source": source}})
    live_until(cluster, "Observing", "5")
    for _ in range(30):
        for pod in cluster.of_kind("Pod"):
            uid = pod["metadata"]["uid"]
            cluster.counted[uid] = cluster.counted.get(uid, 0) + 200
        pass_by(cluster)
    assert look(cluster) == (end, "5")
    assert ("observed" in cluster.status(NAME)["rollout"]["weights"]) is (source == "Pods")
