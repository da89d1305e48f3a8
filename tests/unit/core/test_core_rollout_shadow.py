"""Shadow and BlueGreen: copies before users, and all users at once."""

from typing import Any

import pytest

from core_cluster import Behaviour, Cluster, list_copied
from core_rollouts import (
    APPROVAL,
    DIGESTS,
    NAME,
    NEW,
    OLD,
    OTHER,
    ask,
    begin,
    behave,
    command,
    count_pods,
    find_revision,
    live,
    live_until,
    pass_by,
    stable_uri,
    weigh,
)


def copies(cluster: Cluster) -> list[tuple[str, int]]:
    return list_copied(cluster.objects["HTTPRoute", NAME])


def shadow(percent: float | str = 100, **more: Any) -> dict[str, Any]:
    return {"type": "Shadow", "shadow": {"percent": percent} | more}


def test_copies_come_first_then_the_weights() -> None:
    cluster = begin(rollout={"steps": [shadow(), weigh(50), weigh(100)]})
    states = live(cluster, 300)
    assert [state for state in states if state[0] in ("Shadowing", "Observing")] == [
        ("Shadowing", "0"),
        ("Observing", "50"),
        ("Observing", "100"),
    ]
    assert stable_uri(cluster) == NEW
    assert copies(cluster) == []


def test_while_it_gets_copies_no_user_is_sent_there() -> None:
    cluster = begin(rollout={"steps": [shadow(30), weigh(100)]})
    live_until(cluster, "Shadowing")
    name = f"{NAME}-r{find_revision(cluster, NEW)['hash']}"
    assert copies(cluster) == [(name, 300_000)]
    assert {slot for slot, _ in cluster.route_log[-1]} == {
        f"{NAME}-r{find_revision(cluster, OLD)['hash']}"
    }
    status = cluster.status(NAME)
    assert status["rollout"]["shadow"] == 300_000
    assert status["display"]["step"] == "1/2"
    ready = next(one for one in status["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "ShadowRunning")
    assert "copies of 30 %" in ready["message"]
    assert [reason for reason, _ in cluster.events].count("ShadowRunning") == 1


def test_the_usual_shadow_asks_before_the_first_user_sees_it() -> None:
    cluster = begin(rollout={"strategy": "Shadow"})
    live_until(cluster, "Paused")
    rollout = cluster.status(NAME)["rollout"]
    assert (rollout["paused"], rollout["shadow"]) == ("ApprovalNeeded", 1_000_000)
    assert copies(cluster), "whoever is asked can go on comparing"
    live(cluster, 3600)
    assert cluster.status(NAME)["rollout"]["state"] == "Paused"
    command(cluster, "promote")
    live_until(cluster, "Observing", "5")
    assert copies(cluster) == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"errors": 0.05}, "AnalysisFailed"),
        ({"errors": 0.6}, "GuardrailBroken"),
        ({"slow": 0.2}, "AnalysisFailed"),
        ({"violations": 0.2}, "AnalysisFailed"),
    ],
)
def test_what_fails_with_copies_is_never_shown_to_users(how: dict[str, Any], reason: str) -> None:
    new = Behaviour(digest=DIGESTS[NEW], **how)
    cluster = begin(new=new, rollout={"steps": [shadow(), weigh(100)]})
    live_until(cluster, "RolledBack")
    assert cluster.status(NAME)["rollout"]["reason"] == reason
    assert len({slot for slots in cluster.route_log for slot, _ in slots}) == 1
    assert copies(cluster) == []
    assert cluster.status(NAME)["history"][0]["outcome"] == "Aborted"
    assert stable_uri(cluster) == OLD


def test_dead_pods_end_it_though_no_user_was_there() -> None:
    cluster = begin(rollout={"steps": [shadow(minSeconds=600), weigh(100)]})
    live_until(cluster, "Shadowing")
    behave(cluster, NEW, pod="crash")
    live_until(cluster, "RolledBack")
    assert cluster.status(NAME)["rollout"]["reason"] == "CrashLoop"


def test_unread_pods_hold_it_and_copies_go_on() -> None:
    cluster = begin(rollout={"steps": [shadow(), weigh(100)]})
    live_until(cluster, "Shadowing")
    behave(cluster, NEW, mute=True)
    live_until(cluster, "Held")
    assert copies(cluster)
    behave(cluster, NEW)
    live_until(cluster, "Observing", "100")


def test_nobody_asks_and_the_step_goes_by() -> None:
    cluster = begin(rollout={"steps": [shadow(maxSeconds=60), weigh(100, maxSeconds=60)]})
    for _ in range(200):
        pass_by(cluster, per_second=0)
    assert stable_uri(cluster) == NEW


def test_a_pause_keeps_the_copies_and_promote_leaves_the_step() -> None:
    cluster = begin(rollout={"steps": [shadow(minSeconds=600), weigh(100)]})
    live_until(cluster, "Shadowing")
    command(cluster, "pause")
    live_until(cluster, "Paused")
    assert copies(cluster)
    command(cluster, "promote")
    live_until(cluster, "Observing", "100")


def test_a_newer_model_takes_over_the_copies() -> None:
    cluster = begin(rollout={"steps": [shadow(minSeconds=600), weigh(100)]})
    live_until(cluster, "Shadowing")
    ask(cluster, OTHER, {"steps": [shadow(minSeconds=600), weigh(100)]})
    live(cluster, 60)
    name = f"{NAME}-r{find_revision(cluster, OTHER)['hash']}"
    assert copies(cluster) == [(name, 1_000_000)]
    assert cluster.status(NAME)["history"][0]["outcome"] == "Superseded"
    live(cluster, 200)
    assert count_pods(cluster, NEW) == 0


def test_the_spec_goes_back_and_so_do_the_copies() -> None:
    cluster = begin(rollout={"steps": [shadow(minSeconds=600), weigh(100)]})
    live_until(cluster, "Shadowing")
    ask(cluster, OLD, {"steps": [shadow(minSeconds=600), weigh(100)]})
    cluster.settle(NAME, rounds=120)
    assert copies(cluster) == []
    assert cluster.status(NAME)["history"][0]["outcome"] == "RolledBack"


def test_copies_end_where_their_step_is_taken_out() -> None:
    cluster = begin(rollout={"steps": [shadow(minSeconds=600), weigh(100)]})
    live_until(cluster, "Shadowing")
    ask(cluster, NEW, {"steps": [weigh(25, minSeconds=600), weigh(100)]})
    live_until(cluster, "Observing", "25")
    assert copies(cluster) == []


def test_a_filter_that_somebody_else_wrote_is_taken_away() -> None:
    cluster = begin(rollout={"steps": [weigh(25, minSeconds=600)]})
    live_until(cluster, "Observing", "25")
    route = cluster.objects["HTTPRoute", NAME]
    backend = {"group": "", "kind": "Service", "name": "elsewhere", "port": 80}
    route["spec"]["rules"][1]["filters"] = [
        {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": 5}}
    ]
    live(cluster, 10)
    assert copies(cluster) == []
    assert "DriftCorrected" in [reason for reason, _ in cluster.events]


def test_the_operator_was_away_while_copies_began() -> None:
    cluster = begin(rollout={"steps": [shadow(minSeconds=600), weigh(100)]})
    live_until(cluster, "Shadowing")
    cluster.objects["ModelDeployment", NAME].pop("status")
    cluster.ledger = None
    live_until(cluster, "Shadowing")
    assert stable_uri(cluster) == OLD
    assert copies(cluster)


def test_blue_green_moves_all_requests_at_once() -> None:
    cluster = begin(rollout={"strategy": "BlueGreen"})
    states = live(cluster, 200)
    assert {weight for state, weight in states if state == "Observing"} == {"100"}
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME)["history"][0]["outcome"] == "Promoted"


@pytest.mark.parametrize("how", [{"errors": 0.05}, {"slow": 0.2}, {"violations": 0.2}])
def test_blue_green_goes_back_where_it_does_badly(how: dict[str, Any]) -> None:
    new = Behaviour(digest=DIGESTS[NEW], **how)
    cluster = begin(new=new, rollout={"strategy": "BlueGreen"})
    live_until(cluster, "Observing", "100")
    assert count_pods(cluster, OLD) == 1, "it stays until the other one is trusted"
    live_until(cluster, "RolledBack")
    assert stable_uri(cluster) == OLD


def test_blue_green_asks_no_more_of_the_new_one_than_of_the_old() -> None:
    bad = {"errors": 0.04, "violations": 0.1}
    old = Behaviour(digest=DIGESTS[OLD], **bad)
    new = Behaviour(digest=DIGESTS[NEW], **bad)
    cluster = begin(old=old, new=new, rollout={"strategy": "BlueGreen"})
    cluster.serve(5000)  # what it has answered so far tells how it usually does
    live(cluster, 1000)
    assert stable_uri(cluster) == NEW


def test_blue_green_may_begin_with_copies_and_an_approval() -> None:
    cluster = begin(rollout={"strategy": "BlueGreen", "steps": [shadow(), APPROVAL]})
    live_until(cluster, "Shadowing")
    live_until(cluster, "Paused")
    command(cluster, "promote")
    live_until(cluster, "Observing", "100")
    live(cluster, 200)
    assert stable_uri(cluster) == NEW
