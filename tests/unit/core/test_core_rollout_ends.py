"""Other models, and the one before, in the middle of a rollout."""

from typing import Any

from core_cluster import Behaviour, Cluster
from core_rollouts import (
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
    look,
    stable_uri,
    weigh,
)
from slipway_operator.state.slots import MILLION

LONG: dict[str, Any] = {"steps": [weigh(30, minSeconds=60)], "scaleDownDelaySeconds": 10}
QUEUE: dict[str, Any] = LONG | {"onNewRevision": "Queue"}


def list_outcomes(cluster: Cluster) -> list[tuple[str, str]]:
    """Newest first, without that of the first revision."""
    return [
        (entry["outcome"], entry.get("reason", "")) for entry in cluster.status(NAME)["history"]
    ][:-1]


def list_events(cluster: Cluster, reason: str) -> list[str]:
    return [words for told, words in cluster.events if told == reason]


def test_another_model_takes_the_place_of_one_on_its_way() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    first = cluster.status(NAME)["canaryRevision"]
    ask(cluster, OTHER, LONG)
    live_until(cluster, "Observing", "30")
    assert cluster.status(NAME)["canaryRevision"] != first
    assert list_outcomes(cluster) == [("Superseded", "")]
    assert len(list_events(cluster, "Superseded")) == 1
    live(cluster, 200)
    assert stable_uri(cluster) == OTHER
    assert list_outcomes(cluster)[0] == ("Promoted", "")
    assert find_revision(cluster, NEW) == {}


def test_another_revision_of_the_same_model_does_so_without_a_build() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    first = cluster.status(NAME)["canaryRevision"]
    ask(cluster, NEW, LONG, serving={"timeoutSeconds": 5})
    live_until(cluster, "Superseding")
    second = cluster.status(NAME)["canaryRevision"]
    assert second != first
    behave(cluster, NEW, pod="silent")
    live_until(cluster, "Preparing", "0")
    behave(cluster, NEW)
    live_until(cluster, "Observing", "30")
    assert list_outcomes(cluster) == [("Superseded", "")]
    assert list_events(cluster, "Superseded") == [f"Revision {first[:4]} gave way to {second[:4]}."]


def test_a_queue_lets_the_one_on_its_way_go_on() -> None:
    cluster = begin(rollout=QUEUE)
    live_until(cluster, "Observing", "30")
    ask(cluster, OTHER, QUEUE)
    assert {state for state, _ in live(cluster, 30)} == {"Observing"}
    assert find_revision(cluster, OTHER).get("desired", 0) == 0
    live_until(cluster, "Promoting")
    assert cluster.status(NAME)["history"][0]["outcome"] == "Promoted"
    live(cluster, 200)
    assert stable_uri(cluster) == OTHER
    assert [outcome for outcome, _ in list_outcomes(cluster)] == ["Promoted", "Promoted"]


def test_a_build_that_fails_disturbs_no_queue() -> None:
    cluster = begin(rollout=QUEUE)
    behave(cluster, OTHER, fails="fetch")
    live_until(cluster, "Observing", "30")
    ask(cluster, OTHER, QUEUE)
    live(cluster, 200)
    assert stable_uri(cluster) == NEW


def test_one_that_fails_makes_room_for_the_queue_and_is_remembered() -> None:
    cluster = begin(rollout=QUEUE)
    live_until(cluster, "Observing", "30")
    ask(cluster, OTHER, QUEUE)
    live(cluster, 20)
    behave(cluster, NEW, errors=0.5)
    live_until(cluster, "Promoting")
    assert list_outcomes(cluster)[-1][0] == "Aborted"
    assert list_outcomes(cluster)[-1][1] in ("GuardrailBroken", "AnalysisFailed")
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    live(cluster, 60)
    assert stable_uri(cluster) == OTHER


def test_one_that_fails_while_the_next_is_built_is_remembered_as_well() -> None:
    cluster = begin(rollout=QUEUE)
    live_until(cluster, "Observing", "30")
    ask(cluster, OTHER, QUEUE)
    command(cluster, "abort")
    live(cluster, 6)
    live_until(cluster, "Observing", "30")
    assert list_outcomes(cluster) == [("Aborted", "RolloutAborted")]


def test_what_is_rejected_in_a_queue_is_not_begun() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    ask(cluster, OTHER, QUEUE)
    live_until(cluster, "Observing", "30")
    ask(cluster, NEW, QUEUE)
    live(cluster, 200)
    assert stable_uri(cluster) == OTHER
    assert look(cluster)[0] == "RolledBack"


def test_one_that_was_aborted_stays_its_time_whatever_is_asked_for_meanwhile() -> None:
    rollout = LONG | {"abortScaleDownDelaySeconds": 200}
    cluster = begin(rollout=rollout)
    live_until(cluster, "Observing", "30")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    ask(cluster, OTHER, rollout)
    live(cluster, 160)
    assert count_pods(cluster, NEW) == 1
    live(cluster, 60)
    assert count_pods(cluster, NEW) == 0


def test_a_try_that_is_tried_again_before_it_is_out_has_ended_all_the_same() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    command(cluster, "abort")
    live_until(cluster, "Aborting")
    command(cluster, "retry", revision="")
    live_until(cluster, "Observing", "30")
    assert list_outcomes(cluster) == [("Aborted", "RolloutAborted")]
    ask(cluster, OLD, LONG)
    live_until(cluster, "Aborting")
    ask(cluster, NEW, LONG)
    live_until(cluster, "Observing", "30")
    assert list_outcomes(cluster) == [("RolledBack", ""), ("Aborted", "RolloutAborted")]


def test_back_to_the_former_model_everything_is_at_once() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    canary = cluster.status(NAME)["canaryRevision"]
    ask(cluster, OLD, LONG)
    cluster.reconcile(NAME)
    weights = dict(cluster.route_log[-1])
    assert weights[f"{NAME}-r{canary}"] == 1
    live(cluster, 40)
    assert list_outcomes(cluster) == [("RolledBack", "")]
    assert look(cluster) == ("Stable", "")
    assert "rejectedDigests" not in cluster.status(NAME)
    assert len(list_events(cluster, "RolledBack")) == 1
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")


def test_asked_for_again_it_begins_at_the_first_step() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    attempt = cluster.status(NAME)["rollout"]["attempt"]
    ask(cluster, OLD, LONG)
    live(cluster, 40)
    ask(cluster, NEW, LONG)
    live_until(cluster, "Observing", "30")
    assert cluster.status(NAME)["rollout"]["attempt"] == attempt + 1


def promote_two(rollout: dict[str, Any]) -> Cluster:
    """NEW serves, and OLD did before."""
    cluster = begin(rollout=rollout)
    live(cluster, 200)
    assert stable_uri(cluster) == NEW
    return cluster


def test_what_served_not_long_ago_comes_back_without_analysis() -> None:
    cluster = promote_two(LONG)
    ask(cluster, OLD, LONG)
    seen = live(cluster, 60)
    assert {state for state, _ in seen} & {"Shifting", "Observing"} == set()
    assert stable_uri(cluster) == OLD
    assert list_outcomes(cluster)[0] == ("FastPromoted", "")
    assert len(list_events(cluster, "FastPromoted")) == 1


def test_what_served_too_long_ago_is_judged_again() -> None:
    rollout = LONG | {"rollbackWindow": {"maxAgeSeconds": 100}}
    cluster = promote_two(rollout)
    ask(cluster, OLD, rollout)
    live_until(cluster, "Observing", "30")
    live(cluster, 200)
    assert list_outcomes(cluster)[0] == ("Promoted", "")


def test_what_served_too_many_revisions_ago_is_judged_again() -> None:
    rollout = LONG | {"rollbackWindow": {"revisions": 1}}
    cluster = promote_two(rollout)
    ask(cluster, OTHER, rollout)
    live(cluster, 200)
    ask(cluster, OLD, rollout)
    live_until(cluster, "Observing", "30")


def test_what_was_aborted_is_none_that_served() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "30")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    command(cluster, "retry", revision=find_revision(cluster, NEW)["hash"])
    live_until(cluster, "Observing", "30")


def test_with_the_status_lost_it_begins_anew_and_never_gets_everything() -> None:
    cluster = begin(rollout={"steps": [weigh(10, minSeconds=10), weigh(40, minSeconds=60)]})
    live_until(cluster, "Observing", "40")
    canary = cluster.status(NAME)["canaryRevision"]
    del cluster.objects["ModelDeployment", NAME]["status"]
    cluster.ledger = None
    written = len(cluster.route_log)
    live_until(cluster, "Observing", "10")
    shares = [dict(slots)[f"{NAME}-r{canary}"] for slots in cluster.route_log[written:]]
    assert max(shares) <= 400_000 < MILLION
    assert shares[-1] == 100_000
    live(cluster, 200)
    assert stable_uri(cluster) == NEW


def test_what_was_rejected_earlier_is_not_told_the_reason_of_another() -> None:
    cluster = begin(new=Behaviour(digest=DIGESTS[NEW], errors=0.05), rollout=LONG)
    live_until(cluster, "RolledBack")
    assert cluster.condition(NAME, "Ready")[1] == "AnalysisFailed"
    ask(cluster, OTHER, LONG)
    live_until(cluster, "Observing")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    assert cluster.condition(NAME, "Ready")[1] == "RolloutAborted"
    ask(cluster, NEW, LONG)
    live(cluster, 30)
    assert cluster.condition(NAME, "Ready")[1] == "RevisionRejected"


def test_another_edit_of_the_model_that_failed_is_told_why_it_failed() -> None:
    cluster = begin(new=Behaviour(digest=DIGESTS[NEW], errors=0.05), rollout=LONG)
    live_until(cluster, "RolledBack")
    ask(cluster, NEW, LONG, serving={"timeoutSeconds": 7})
    live(cluster, 30)
    assert cluster.condition(NAME, "Ready")[1] == "AnalysisFailed"
