"""A rollout with steps, from the first share to all requests or back, in a cluster in memory."""

import pytest

from core_cluster import Behaviour
from core_rollouts import NAME, NEW, OLD, begin, live, stable_uri


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
