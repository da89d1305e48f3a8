"""A rollout with steps, from the first share to all requests or back, in a cluster in memory."""

from typing import Any

import pytest

from core_cluster import Behaviour, Cluster, laptop_settings

NAME = "penguins"
OLD, NEW, OTHER = (f"file:///m/{name}.joblib" for name in ("old", "new", "other"))
PER_SECOND = 100


def begin(
    *, new: Behaviour | None = None, rollout: dict[str, Any] | None = None, old: Any = None
) -> Cluster:
    """A model that serves, and a new one asked for."""
    cluster = Cluster(settings=laptop_settings())
    cluster.behaviours = {
        OLD: old or Behaviour(digest="sha256:" + "1" * 64),
        NEW: new or Behaviour(digest="sha256:" + "2" * 64),
        OTHER: Behaviour(digest="sha256:" + "3" * 64),
    }
    ask(cluster, OLD, rollout)
    cluster.settle(NAME)
    ask(cluster, NEW, rollout)
    return cluster


def ask(cluster: Cluster, uri: str, rollout: dict[str, Any] | None = None) -> None:
    strategy = {"strategy": "Canary"} | (rollout or {})
    cluster.submit(NAME, {"model": {"uri": uri}, "rollout": strategy})


def live(cluster: Cluster, seconds: int, *, per_second: int = PER_SECOND) -> list[tuple[str, ...]]:
    """Time passes, requests come; the states with their weights, as they were gone through."""
    seen: list[tuple[str, ...]] = []
    for _ in range(0, seconds, 2):
        cluster.serve(per_second * 2)
        cluster.reconcile(NAME)
        cluster.tick()
        cluster.wait(2)
        status = cluster.status(NAME)
        now = (status["rollout"]["state"], status["display"].get("weightPercent", ""))
        if not seen or seen[-1] != now:
            seen.append(now)
    return seen


def stable_uri(cluster: Cluster) -> str:
    status = cluster.status(NAME)
    digest = next(r["model"] for r in status["revisions"] if r["hash"] == status["stableRevision"])
    return next(uri for uri, one in cluster.behaviours.items() if one.digest == digest)


def test_a_good_one_takes_every_step() -> None:
    cluster = begin()
    seen = live(cluster, 1200)
    observed = [percent for state, percent in seen if state == "Observing"]
    assert observed == ["5", "25", "50", "100"]
    assert stable_uri(cluster) == NEW
    history = cluster.status(NAME)["history"][0]
    assert history["outcome"] == "Promoted"
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")


@pytest.mark.parametrize(
    ("ill", "reason", "words"),
    [
        pytest.param({"errors": 0.05}, "AnalysisFailed", "errors: canary", id="errors"),
        pytest.param({"errors": 1.0}, "GuardrailBroken", "failed, the guardrail is 0.2", id="dead"),
        pytest.param({"slow": 0.3}, "AnalysisFailed", "latency: canary", id="slow"),
        pytest.param({"violations": 0.3}, "AnalysisFailed", "violations: canary", id="contract"),
    ],
)
def test_a_bad_one_is_taken_back(ill: dict[str, float], reason: str, words: str) -> None:
    cluster = begin(new=Behaviour(digest="sha256:" + "2" * 64, **ill))
    seen = live(cluster, 600)
    assert ("RolledBack", "") in seen
    assert stable_uri(cluster) == OLD
    status, why, message = cluster.condition(NAME, "Ready")
    assert (status, why) == ("False", reason)
    assert words in message
    assert cluster.status(NAME)["history"][0]["outcome"] == "Aborted"
    assert cluster.status(NAME)["rejectedDigests"] == ["sha256:" + "2" * 64]
