"""Evidence on the way: too little of it, none at all, and what a restart makes of it."""

from typing import Any

import pytest

from core_cluster import Behaviour, Cluster
from core_rollouts import (
    DIGESTS,
    NAME,
    NEW,
    OLD,
    ask,
    begin,
    behave,
    command,
    lasts,
    live,
    live_until,
    look,
    pass_by,
    stable_uri,
    weigh,
)
from slipway_operator.state.slots import MILLION

SHORT: dict[str, Any] = {"steps": [weigh(50, minSeconds=10, maxSeconds=60)]}
LONG: dict[str, Any] = {"steps": [weigh(50, minSeconds=400)]}


def with_analysis(rollout: dict[str, Any], **analysis: Any) -> dict[str, Any]:
    return rollout | {"analysis": analysis}


def count(cluster: Cluster, metric: str = "errors", of: str = "canary") -> int:
    metrics = cluster.status(NAME)["analysis"]["metrics"]
    found: int = next(one for one in metrics if one["name"] == metric)[of]["total"]
    return found


def test_where_nobody_asks_anything_time_is_enough() -> None:
    cluster = begin(rollout=SHORT)
    live(cluster, 100, per_second=0)
    assert stable_uri(cluster) == NEW


def test_where_there_are_requests_too_little_evidence_pauses_it() -> None:
    cluster = begin(rollout=SHORT)
    live_until(cluster, "Paused", "50", per_second=1)
    status, reason, words = cluster.condition(NAME, "Ready")
    assert (status, reason) == ("True", "AnalysisInconclusive")
    assert words.endswith("are too few to decide.")
    assert live(cluster, 100) == [("Paused", "50")]
    command(cluster, "resume")
    live(cluster, 60)
    assert stable_uri(cluster) == NEW


@pytest.mark.parametrize(
    ("policy", "end"),
    [
        pytest.param("Pause", ("Paused", "50"), id="pause"),
        pytest.param("Proceed", ("Stable", ""), id="proceed"),
        pytest.param("Abort", ("RolledBack", ""), id="abort"),
    ],
)
@pytest.mark.parametrize("per_second", [0, 1])
def test_what_is_asked_for_is_done_at_the_end_of_a_step_without_verdict(
    policy: str, end: tuple[str, str], per_second: int
) -> None:
    cluster = begin(
        rollout=with_analysis(SHORT, onInconclusive=policy) | {"scaleDownDelaySeconds": 5}
    )
    live(cluster, 56, per_second=per_second)
    assert look(cluster) == ("Observing", "50")
    live(cluster, 60, per_second=per_second)
    assert look(cluster) == end
    if policy == "Abort":
        assert cluster.condition(NAME, "Ready")[1] == "AnalysisInconclusive"


def test_a_verdict_at_the_very_end_is_none_too_late() -> None:
    steps = {"steps": [weigh(50, minSeconds=60, maxSeconds=60)]}
    cluster = begin(rollout=with_analysis(steps, onInconclusive="Abort"))
    live(cluster, 120)
    assert stable_uri(cluster) == NEW


def test_unread_it_is_held_and_goes_on_without_the_time_it_was_held() -> None:
    cluster = begin(rollout={"steps": [weigh(50, minSeconds=60)]})
    live_until(cluster, "Observing", "50")
    began = cluster.now
    live(cluster, 20)
    behave(cluster, NEW, mute=True)
    live(cluster, 8)
    assert look(cluster) == ("Observing", "50")
    live_until(cluster, "Held", "50")
    assert 20 + 8 <= (cluster.now - began).total_seconds() <= 20 + 16
    assert live(cluster, 100) == [("Held", "50")]
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Held")
    assert "no answer" in cluster.condition(NAME, "Ready")[2]
    assert cluster.condition(NAME, "MetricsAvailable")[:2] == ("False", "MetricsUnavailable")
    assert cluster.status(NAME)["analysis"]["verdict"] == "Unavailable"
    behave(cluster, NEW)
    back = cluster.now
    assert pass_by(cluster) == ("Observing", "50")
    rollout = cluster.status(NAME)["rollout"]
    assert {"heldSince", "reason", "message"} & set(rollout) == set()
    assert cluster.condition(NAME, "MetricsAvailable")[:2] == ("True", "MetricsRead")
    live_until(cluster, "Promoting")
    # 20 seconds before it was mute and the 10 until it was held count, and no more.
    assert 26 <= (cluster.now - back).total_seconds() <= 36


def test_what_was_counted_while_nobody_could_read_is_counted_once() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    live(cluster, 80)
    behave(cluster, OLD, mute=True)
    live(cluster, 100)
    behave(cluster, OLD)
    live(cluster, 80)
    told, served = count(cluster), max(cluster.counted.values())
    assert served - 100 * 62 <= told <= served


def test_held_for_too_long_it_is_paused_until_somebody_resumes_it() -> None:
    cluster = begin(rollout=with_analysis(SHORT, holdTimeoutSeconds=60))
    live_until(cluster, "Observing", "50")
    behave(cluster, NEW, mute=True)
    live_until(cluster, "Held")
    began = cluster.now
    live_until(cluster, "Paused")
    assert 56 <= (cluster.now - began).total_seconds() <= 62
    assert cluster.condition(NAME, "Ready")[1] == "MetricsUnavailable"
    behave(cluster, NEW)
    assert live(cluster, 60) == [("Paused", "50")]
    command(cluster, "resume")
    live(cluster, 60)
    assert stable_uri(cluster) == NEW


def test_unread_it_is_taken_back_where_that_is_asked_for() -> None:
    cluster = begin(rollout=with_analysis(LONG, onUnavailable="Abort"))
    live_until(cluster, "Observing", "50")
    behave(cluster, NEW, mute=True)
    live(cluster, 8)
    assert look(cluster) == ("Observing", "50")
    live_until(cluster, "RolledBack")
    assert cluster.condition(NAME, "Ready")[1] == "MetricsUnavailable"
    assert stable_uri(cluster) == OLD


def test_unread_it_is_not_held_where_that_is_not_asked_for() -> None:
    cluster = begin(rollout=with_analysis({"steps": [lasts(50, 60)]}, onUnavailable="Proceed"))
    live_until(cluster, "Observing", "50")
    behave(cluster, NEW, mute=True)
    seen = live(cluster, 100)
    assert {state for state, _ in seen} & {"Held", "Paused"} == set()
    assert stable_uri(cluster) == NEW


def test_more_requests_than_the_route_says_hold_it() -> None:
    """A gateway that does not honour weights gives a revision on trial too much."""
    cluster = begin(rollout={"steps": [weigh(5, minSeconds=400)]})
    live_until(cluster, "Observing", "5")
    live(cluster, 20)
    canary = cluster.status(NAME)["canaryRevision"]
    pod = cluster.objects["Pod", f"{NAME}-r{canary}-0"]
    for _ in range(10):
        cluster.counted[pod["metadata"]["uid"]] += 180
        pass_by(cluster)
    assert look(cluster) == ("Held", "5")
    words = cluster.condition(NAME, "Ready")[2]
    assert "The new revision got" in words
    assert "where 5 % were asked for." in words


def test_evidence_is_written_once_a_minute_and_with_each_decision() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    live(cluster, 120)
    times, verdicts = set(), set()
    before = cluster.writes
    for _ in range(60):
        pass_by(cluster)
        analysis = cluster.status(NAME)["analysis"]
        times.add(analysis["at"])
        verdicts.add(analysis["verdict"])
    assert (len(times), verdicts) == (3, {"Pass"})
    assert cluster.writes - before == 2
    behave(cluster, NEW, errors=0.05)
    at = analysis["at"]
    live_until(cluster, "RolledBack")
    assert cluster.status(NAME)["analysis"]["at"] > at
    assert cluster.status(NAME)["analysis"]["verdict"] == "Fail"


def test_the_observed_share_is_told_with_the_evidence() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    live(cluster, 120)
    weights = cluster.status(NAME)["rollout"]["weights"]
    assert (weights["desired"], weights["programmed"]) == (MILLION // 2, MILLION // 2)
    assert weights["observed"] == pytest.approx(MILLION / 2, abs=10_000)


def test_a_restart_goes_on_from_what_was_written_and_counts_nothing_twice() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    for _ in range(4):
        live(cluster, 90)
        cluster.ledger = None
    canary = cluster.status(NAME)["canaryRevision"]
    pod = cluster.objects["Pod", f"{NAME}-r{canary}-0"]
    served = cluster.counted[pod["metadata"]["uid"]]
    # What was counted since it was last written is lost, at most a minute of it.
    assert 4 * 30 * 50 <= count(cluster) <= served - 3 * 20 * 50


def test_restarted_with_every_look_it_still_stops_a_bad_one() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    live(cluster, 60)
    behave(cluster, NEW, errors=0.05)
    for _ in range(200):
        pass_by(cluster)
        if cluster.now.second < 4:
            cluster.ledger = None
    assert look(cluster)[0] == "RolledBack"


def test_a_restart_between_two_steps_takes_no_evidence_along() -> None:
    """What passed the step before is written with the step that it led to."""
    steps = {"steps": [weigh(20, minSeconds=30), weigh(50, minSeconds=0, maxSeconds=60)]}
    cluster = begin(rollout=steps)
    while cluster.status(NAME).get("rollout", {}).get("stepIndex", 0) == 0:
        pass_by(cluster)
    cluster.ledger = None
    seen = live(cluster, 40, per_second=1)
    assert seen[-1] == ("Observing", "50")


def test_a_restart_at_the_end_of_a_step_does_not_forget_that_there_were_requests() -> None:
    cluster = begin(rollout={"steps": [weigh(50, minSeconds=10, maxSeconds=200)]})
    live_until(cluster, "Observing", "50", per_second=1)
    live(cluster, 190, per_second=1)
    cluster.ledger = None
    live(cluster, 20, per_second=0)
    assert look(cluster) == ("Paused", "50")


def test_what_another_version_wrote_begins_anew() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    live(cluster, 120)
    analysis = cluster.status(NAME)["analysis"]
    before = count(cluster)
    analysis["metrics"][0]["cursor"] = "?"
    del analysis["metrics"][1]["cursor"]
    cluster.ledger = None
    live(cluster, 70)
    assert count(cluster) < before < count(cluster, "violations")
    assert look(cluster)[0] == "Observing"


def test_metrics_that_only_warn_stop_nothing_and_are_told() -> None:
    metric = {
        "name": "errors",
        "type": "ErrorRate",
        "action": "Warn",
        "errorRate": {"tolerated": "0.01"},
    }
    ill = Behaviour(digest=DIGESTS[NEW], errors=0.1)
    cluster = begin(new=ill, rollout=with_analysis(SHORT, metrics=[metric]))
    live_until(cluster, "Observing")
    live_until(cluster, "Draining")
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME)["analysis"]["metrics"][0]["verdict"] == "Fail"


def test_a_wrong_clock_does_not_shorten_a_step() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    live(cluster, 30)
    cluster.wait(-3600)
    live(cluster, 60)
    assert look(cluster) == ("Observing", "50")


def test_an_invalid_spec_holds_everything_as_it_is() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "50")
    ask(cluster, NEW, LONG, replicas=-1)
    before = list(cluster.route_log)
    live(cluster, 30)
    assert cluster.route_log[len(before) :] == []
    assert look(cluster) == ("Observing", "50")
    ask(cluster, NEW, LONG)
    live_until(cluster, "Promoting")
