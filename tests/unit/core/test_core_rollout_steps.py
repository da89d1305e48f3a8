"""The steps of a rollout: their length, approvals, pauses, and other steps on the way."""

from typing import Any

import pytest

from core_cluster import Behaviour
from core_rollouts import (
    APPROVAL,
    DIGESTS,
    NAME,
    NEW,
    OLD,
    ask,
    begin,
    behave,
    command,
    count_pods,
    find_revision,
    lasts,
    live,
    live_until,
    look,
    pass_by,
    stable_uri,
    weigh,
)

SHORT: dict[str, Any] = {"steps": [weigh(20, minSeconds=10), weigh(50, minSeconds=10)]}


def test_a_step_of_a_time_lasts_as_long_whatever_the_evidence_says() -> None:
    cluster = begin(rollout={"steps": [lasts(10, 40), lasts("33.5", 20)]})
    live_until(cluster, "Observing", "10")
    began = cluster.now
    live_until(cluster, "Shifting")
    assert 36 <= (cluster.now - began).total_seconds() <= 42
    live_until(cluster, "Observing", "33.5")
    began = cluster.now
    live_until(cluster, "Promoting")
    assert 16 <= (cluster.now - began).total_seconds() <= 22
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_a_step_lasts_at_least_as_long_as_it_is_told_though_all_is_well() -> None:
    cluster = begin(rollout={"steps": [weigh(50, minSeconds=200)]})
    live_until(cluster, "Observing", "50")
    began = cluster.now
    live(cluster, 60)
    assert cluster.condition(NAME, "AnalysisHealthy")[:2] == ("True", "AnalysisPassed")
    live_until(cluster, "Promoting")
    assert 196 <= (cluster.now - began).total_seconds() <= 202


def test_a_last_step_of_less_than_all_is_followed_by_all() -> None:
    cluster = begin(rollout=SHORT)
    seen = live(cluster, 200)
    assert [weight for state, weight in seen if state == "Observing"] == ["20", "50"]
    assert stable_uri(cluster) == NEW


def test_an_approval_at_first_keeps_every_request_from_it() -> None:
    cluster = begin(rollout={"steps": [APPROVAL, weigh(50, minSeconds=10)]})
    live_until(cluster, "Paused")
    assert live(cluster, 60) == [("Paused", "0")]
    assert count_pods(cluster, NEW) == 1
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "ApprovalNeeded")
    command(cluster, "promote")
    live_until(cluster, "Observing", "50")
    assert cluster.status(NAME)["lastCommand"]["result"] == "Accepted"
    live(cluster, 100)
    assert stable_uri(cluster) == NEW


def test_an_approval_between_keeps_the_weight() -> None:
    cluster = begin(rollout={"steps": [lasts(20, 10), APPROVAL, lasts(60, 10)]})
    live_until(cluster, "Paused")
    assert live(cluster, 60) == [("Paused", "20")]
    assert "waits for approval" in cluster.condition(NAME, "Ready")[2]
    assert cluster.status(NAME)["display"]["step"] == "2/3"
    command(cluster, "resume")
    assert live(cluster, 10) == [("Paused", "20")]
    assert cluster.status(NAME)["lastCommand"]["message"] == ("It waits for approval. Use promote.")
    cluster.wait(1)
    command(cluster, "promote")
    live_until(cluster, "Observing", "60")
    live(cluster, 40)
    assert stable_uri(cluster) == NEW


def test_an_approval_given_while_a_pod_is_missing_counts() -> None:
    cluster = begin(rollout={"steps": [APPROVAL, lasts(50, 10)]})
    live_until(cluster, "Paused")
    behave(cluster, NEW, pod="silent")
    live(cluster, 4)
    command(cluster, "promote")
    assert live(cluster, 10) == [("Preparing", "0")]
    behave(cluster, NEW)
    live_until(cluster, "Observing", "50")


def test_nothing_but_approvals_is_two_approvals() -> None:
    cluster = begin(rollout={"steps": [APPROVAL, APPROVAL]})
    live_until(cluster, "Paused")
    command(cluster, "promote")
    assert live(cluster, 20)[-1] == ("Paused", "0")
    assert cluster.status(NAME)["display"]["step"] == "2/2"
    command(cluster, "promote", given_id="again")
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_paused_by_the_spec_it_stays_until_the_spec_lets_it_go() -> None:
    cluster = begin(rollout=SHORT)
    live_until(cluster, "Observing", "20")
    ask(cluster, NEW, SHORT | {"paused": True})
    assert live(cluster, 100) == [("Paused", "20")]
    assert cluster.condition(NAME, "Ready")[1] == "PausedBySpec"
    ask(cluster, NEW, SHORT)
    began = cluster.now
    live_until(cluster, "Observing", "20")
    live_until(cluster, "Shifting")
    assert (cluster.now - began).total_seconds() >= 10
    live(cluster, 60)
    assert stable_uri(cluster) == NEW


def test_paused_by_the_spec_from_the_start_it_gets_no_request() -> None:
    cluster = begin()
    ask(cluster, NEW, {"paused": True})
    assert live(cluster, 60)[-1] == ("Paused", "0")
    assert count_pods(cluster, NEW) == 1
    ask(cluster, NEW)
    live_until(cluster, "Observing", "5")


def test_a_pause_on_the_way_to_a_weight_stops_where_it_is() -> None:
    cluster = begin(rollout=SHORT)
    live_until(cluster, "Shifting")
    ask(cluster, NEW, SHORT | {"paused": True})
    assert live(cluster, 30)[-1] == ("Paused", "0")
    ask(cluster, NEW, SHORT)
    live_until(cluster, "Observing", "20")


def test_while_it_is_paused_a_bad_one_is_still_taken_back() -> None:
    cluster = begin(rollout=SHORT)
    live_until(cluster, "Observing", "20")
    ask(cluster, NEW, SHORT | {"paused": True})
    live(cluster, 30)
    behave(cluster, NEW, errors=0.9)
    live_until(cluster, "RolledBack")
    assert stable_uri(cluster) == OLD


def test_other_steps_are_followed_from_where_it_stands() -> None:
    cluster = begin(rollout={"steps": [lasts(20, 10), weigh(40, minSeconds=500)]})
    live_until(cluster, "Observing", "40")
    attempt = cluster.status(NAME)["rollout"]["attempt"]
    ask(cluster, NEW, {"steps": [lasts(10, 10), lasts(30, 10), lasts(45, 30), lasts(80, 10)]})
    seen = live(cluster, 120)
    assert [weight for state, weight in seen if state == "Observing"] == ["45", "80"]
    assert cluster.status(NAME)["rollout"]["attempt"] == attempt
    assert stable_uri(cluster) == NEW
    assert len(cluster.status(NAME)["history"]) == 2


def test_other_steps_while_it_gets_everything_change_nothing() -> None:
    cluster = begin(rollout={"steps": [lasts(50, 4)]})
    live_until(cluster, "Promoting")
    ask(cluster, NEW, {"steps": [lasts(10, 300)]})
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_steps_taken_away_while_it_is_held_let_it_go_at_once() -> None:
    cluster = begin(rollout={"steps": [weigh(20, minSeconds=500)]})
    live_until(cluster, "Observing", "20")
    behave(cluster, NEW, mute=True)
    live_until(cluster, "Held")
    ask(cluster, NEW, {"strategy": "Immediate"})
    assert pass_by(cluster)[0] == "Promoting"
    assert "heldSince" not in cluster.status(NAME)["rollout"]
    live(cluster, 20)
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME)["history"][0]["outcome"] == "Promoted"


def test_with_another_strategy_its_pause_is_over() -> None:
    cluster = begin(rollout={"steps": [APPROVAL]})
    live_until(cluster, "Paused")
    ask(cluster, NEW, {"strategy": "Immediate"})
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_a_former_immediate_one_takes_no_weight_back() -> None:
    """At all requests already, it has no step left."""
    cluster = begin(rollout={"strategy": "Immediate"})
    live_until(cluster, "Promoting")
    ask(cluster, NEW)
    live(cluster, 100)
    assert stable_uri(cluster) == NEW
    assert {weight for _, weight in live(cluster, 4)} == {""}


def test_dead_pods_lose_the_requests_and_get_them_back() -> None:
    cluster = begin(rollout={"steps": [weigh(30, minSeconds=60)]})
    live_until(cluster, "Observing", "30")
    behave(cluster, NEW, pod="silent")
    live_until(cluster, "Scaling", "0")
    assert live(cluster, 20) == [("Scaling", "0")]
    assert cluster.status(NAME)["rollout"]["weights"]["desired"] == 300_000
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Starting")
    behave(cluster, NEW)
    live_until(cluster, "Observing", "30")
    live(cluster, 120)
    assert stable_uri(cluster) == NEW


def test_dead_pods_that_do_not_come_back_in_time_end_it() -> None:
    cluster = begin(rollout={"steps": [weigh(30)], "progressDeadlineSeconds": 60})
    live_until(cluster, "Observing", "30")
    behave(cluster, NEW, pod="silent")
    live(cluster, 50)
    assert look(cluster) == ("Scaling", "0")
    live_until(cluster, "RolledBack")
    assert cluster.condition(NAME, "Ready")[1] == "ReplicasUnavailable"
    assert cluster.status(NAME)["history"][0]["reason"] == "ReplicasUnavailable"


@pytest.mark.parametrize(
    ("guarded", "end"),
    [pytest.param(True, "RolledBack", id="guarded"), pytest.param(False, "Scaling", id="not")],
)
def test_a_crash_loop_of_pods_that_had_requests_ends_it(guarded: bool, end: str) -> None:
    rollout = {
        "steps": [weigh(30, minSeconds=500)],
        "analysis": {"guardrails": {"crashLoop": guarded}},
    }
    cluster = begin(rollout=rollout)
    live_until(cluster, "Observing", "30")
    behave(cluster, NEW, pod="crash")
    live(cluster, 30)
    assert look(cluster)[0] == end
    assert stable_uri(cluster) == OLD
    assert cluster.condition(NAME, "Ready")[1] == "CrashLoop"


@pytest.mark.parametrize(
    ("pod", "reason"), [("crash", "CrashLoop"), ("silent", "ReplicasUnavailable")]
)
def test_pods_that_ran_and_never_became_ready_end_it_at_the_deadline(pod: str, reason: str) -> None:
    rollout = {"progressDeadlineSeconds": 120, "abortScaleDownDelaySeconds": 100}
    cluster = begin(new=Behaviour(digest=DIGESTS[NEW], pod=pod), rollout=rollout)
    live_until(cluster, "Preparing")
    live(cluster, 110)
    assert look(cluster) == ("Preparing", "0")
    plan = cluster.reconcile(NAME)
    assert plan.requeue_after_seconds is not None
    assert 0 < plan.requeue_after_seconds <= 20
    live(cluster, 20)
    status = cluster.status(NAME)
    assert look(cluster)[0] == "RolledBack"
    assert stable_uri(cluster) == OLD
    assert status["rejectedDigests"] == [DIGESTS[NEW]]
    assert (status["history"][0]["outcome"], status["history"][0]["reason"]) == ("Aborted", reason)
    assert cluster.condition(NAME, "Ready")[:2] == ("False", reason)
    # They stay to be looked at, and the same model is not tried again by an edit.
    live(cluster, 80)
    assert count_pods(cluster, NEW) == 1
    ask(cluster, NEW, rollout, serving={"timeoutSeconds": 5})
    behave(cluster, NEW)
    live(cluster, 40)
    assert look(cluster)[0] == "RolledBack"
    command(cluster, "retry", revision="")
    live_until(cluster, "Observing", "5")


@pytest.mark.parametrize(
    ("pod", "reason"), [("unplaced", "Unschedulable"), ("unpulled", "CrashLoop")]
)
def test_what_keeps_pods_from_running_is_no_fault_of_the_model(pod: str, reason: str) -> None:
    cluster = begin(
        new=Behaviour(digest=DIGESTS[NEW], pod=pod), rollout={"progressDeadlineSeconds": 60}
    )
    live(cluster, 200)
    assert look(cluster) == ("Preparing", "0")
    assert cluster.condition(NAME, "Ready")[:2] == ("False", reason)
    assert "rejectedDigests" not in cluster.status(NAME)
    behave(cluster, NEW)
    live_until(cluster, "Observing", "5")


def test_without_steps_pods_that_never_become_ready_are_told_and_waited_for() -> None:
    rollout = {"strategy": "Immediate", "progressDeadlineSeconds": 60}
    cluster = begin(new=Behaviour(digest=DIGESTS[NEW], pod="silent"), rollout=rollout)
    live(cluster, 200)
    assert cluster.condition(NAME, "Ready")[:2] == ("False", "ReplicasUnavailable")
    behave(cluster, NEW)
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_pods_that_are_not_ready_yet_are_no_failed_rollout() -> None:
    cluster = begin(new=Behaviour(digest=DIGESTS[NEW], pod="crash"))
    live(cluster, 60)
    assert look(cluster) == ("Preparing", "0")
    assert cluster.condition(NAME, "Ready")[1] == "CrashLoop"
    assert "rejectedDigests" not in cluster.status(NAME)
    behave(cluster, NEW)
    live_until(cluster, "Observing", "5")


def test_more_weight_waits_for_every_pod() -> None:
    cluster = begin(rollout={"steps": [lasts(20, 20), lasts(60, 20)]})
    live_until(cluster, "Observing", "20")
    ask(cluster, NEW, {"steps": [lasts(20, 20), lasts(60, 20)]}, replicas=2)
    cluster.reconcile(NAME)
    deployment = cluster.objects["Deployment", f"{NAME}-r{find_revision(cluster, NEW)['hash']}"]
    for _ in range(20):  # the second pod is not scheduled
        cluster.serve(200)
        cluster.reconcile(NAME)
        cluster.wait(2)
    assert deployment["spec"]["replicas"] == 2
    assert look(cluster) == ("Scaling", "20")
    live_until(cluster, "Observing", "60")


def test_its_steps_are_told_as_events_once_each() -> None:
    cluster = begin(rollout={"steps": [lasts(20, 20), lasts(60, 20)]})
    live(cluster, 120)
    told = [message for reason, message in cluster.events if reason == "CanaryRunning"]
    assert [message.partition(" gets ")[2] for message in told] == [
        "20 % of the requests, step 1/2.",
        "60 % of the requests, step 2/2.",
    ]
