"""Commands to a rollout, and what they do to it."""

from typing import Any

import pytest

from core_cluster import Behaviour, Cluster, WriteFailedError
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

LONG: dict[str, Any] = {"steps": [weigh(20, minSeconds=600), weigh(60, minSeconds=600)]}


def answer(cluster: Cluster) -> tuple[str, str]:
    told = cluster.status(NAME)["lastCommand"]
    return told["result"], told["message"]


def reach(state: str) -> Cluster:
    """A rollout in this state, for long."""
    starts: dict[str, dict[str, Any]] = {
        "Paused": {"steps": [APPROVAL, *LONG["steps"]]},
        "Preparing": {},
    }
    cluster = begin(rollout=starts.get(state, LONG))
    if state == "Preparing":
        behave(cluster, NEW, pod="silent")
        live_until(cluster, "Preparing", "0")
    elif state == "Held":
        live_until(cluster, "Observing")
        behave(cluster, NEW, mute=True)
        live_until(cluster, "Held")
    else:
        live_until(cluster, state)
    return cluster


def test_a_pause_holds_it_until_it_is_resumed() -> None:
    cluster = begin(rollout={"steps": [lasts(20, 30), lasts(60, 30)]})
    live_until(cluster, "Observing", "20")
    command(cluster, "pause")
    assert live(cluster, 100) == [("Paused", "20")]
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Paused")
    assert cluster.condition(NAME, "UpToDate")[:2] == ("False", "Paused")
    command(cluster, "resume")
    began = cluster.now
    assert pass_by(cluster) == ("Observing", "20")
    live_until(cluster, "Shifting")
    assert 28 <= (cluster.now - began).total_seconds() <= 34


def test_a_pause_before_it_has_a_weight_gives_it_none() -> None:
    cluster = reach("Preparing")
    command(cluster, "pause")
    live(cluster, 4)
    behave(cluster, NEW)
    assert live(cluster, 30)[-1] == ("Paused", "0")
    behave(cluster, NEW, pod="silent")
    live(cluster, 4)
    command(cluster, "resume")
    assert live(cluster, 10)[-1] == ("Preparing", "0")
    behave(cluster, NEW)
    live_until(cluster, "Observing", "5")


def test_a_pause_holds_also_what_has_no_steps() -> None:
    cluster = begin(
        new=Behaviour(digest=DIGESTS[NEW], pod="silent"), rollout={"strategy": "Immediate"}
    )
    live_until(cluster, "Preparing")
    command(cluster, "pause")
    behave(cluster, NEW)
    assert live(cluster, 30)[-1] == ("Paused", "0")
    command(cluster, "resume")
    live_until(cluster, "Draining")
    assert stable_uri(cluster) == NEW


def test_a_promotion_of_one_that_is_paused_before_its_first_step_begins_it() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Preparing")
    command(cluster, "pause")
    live_until(cluster, "Paused")
    command(cluster, "promote")
    live_until(cluster, "Observing", "20")


def test_paused_while_it_is_held_it_tells_of_the_pause() -> None:
    cluster = reach("Held")
    command(cluster, "pause")
    live(cluster, 10)
    assert look(cluster) == ("Paused", "20")
    assert cluster.condition(NAME, "Ready")[1:] == (
        "Paused",
        f"The rollout of revision {cluster.status(NAME)['canaryRevision'][:4]} is paused.",
    )


@pytest.mark.parametrize("state", ["Observing", "Held", "Shifting"])
def test_a_promotion_goes_on_to_the_next_step(state: str) -> None:
    cluster = reach(state)
    command(cluster, "promote")
    assert pass_by(cluster)[0] in ("Shifting", "Verifying")
    assert answer(cluster)[0] == "Accepted"
    rollout = cluster.status(NAME)["rollout"]
    assert (rollout["stepIndex"], rollout["weights"]["desired"]) == (1, 600_000)
    assert "heldSince" not in rollout
    behave(cluster, NEW)
    live_until(cluster, "Observing", "60")
    assert live(cluster, 100) == [("Observing", "60")]


def test_a_promotion_ends_a_pause() -> None:
    cluster = reach("Observing")
    command(cluster, "pause")
    live_until(cluster, "Paused")
    command(cluster, "promote")
    live_until(cluster, "Observing", "60")


@pytest.mark.parametrize("state", ["Preparing", "Shifting", "Observing", "Held", "Paused"])
def test_all_requests_are_given_at_once(state: str) -> None:
    cluster = reach(state)
    command(cluster, "promote-full")
    pass_by(cluster)
    assert answer(cluster)[0] == "Accepted"
    behave(cluster, NEW)
    live(cluster, 20)
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME)["history"][0]["outcome"] == "Promoted"


def test_what_the_spec_holds_no_command_moves() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "20")
    ask(cluster, NEW, LONG | {"paused": True})
    for verb in ("promote", "promote-full", "resume"):
        command(cluster, verb)
        assert live(cluster, 10) == [("Paused", "20")]
        assert answer(cluster) == (
            "Refused",
            "It is paused by spec.rollout.paused. Set that to false.",
        )
    command(cluster, "abort")
    live_until(cluster, "RolledBack")


@pytest.mark.parametrize("state", ["Preparing", "Shifting", "Observing", "Held", "Paused"])
def test_an_abort_takes_everything_back(state: str) -> None:
    cluster = reach(state)
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    newest = cluster.status(NAME)["history"][0]
    assert (newest["outcome"], newest["reason"]) == ("Aborted", "RolloutAborted")
    status, reason, words = cluster.condition(NAME, "Ready")
    assert (status, reason) == ("False", "RolloutAborted")
    assert words.endswith("was aborted by command.")
    assert cluster.condition(NAME, "Available")[0] == "True"


def test_an_abort_whose_status_was_not_written_is_carried_out_all_the_same() -> None:
    """What the route remembers of a command is for a status that is lost, not for one that is
    late."""
    cluster = reach("Observing")
    command(cluster, "abort")
    plan = cluster.plan(NAME)
    with pytest.raises(WriteFailedError):
        cluster.reconcile(NAME, fail_at=len(plan.actions))
    cluster.tick()
    live_until(cluster, "RolledBack")
    assert answer(cluster)[0] == "Accepted"


def test_a_command_is_carried_out_once() -> None:
    cluster = begin(rollout={"steps": [weigh(share, minSeconds=600) for share in (10, 30, 60)]})
    live_until(cluster, "Observing", "10")
    command(cluster, "promote", given_id="one")
    live_until(cluster, "Observing", "30")
    assert live(cluster, 50) == [("Observing", "30")]
    assert answer(cluster)[0] == "Accepted"


def test_with_the_status_lost_the_route_knows_the_command() -> None:
    cluster = reach("Observing")
    command(cluster, "promote", given_id="one")
    live_until(cluster, "Observing", "60")
    revision = cluster.status(NAME)["canaryRevision"]
    del cluster.objects["ModelDeployment", NAME]["status"]
    command(cluster, "promote", given_id="one", revision=revision)
    live_until(cluster, "Observing", "20")
    answer = cluster.status(NAME)["lastCommand"]
    assert (answer["id"], answer["result"]) == ("one", "Refused")
    assert "The status was lost" in answer["message"]
    assert live(cluster, 20) == [("Observing", "20")]
    command(cluster, "promote", given_id="two")
    live_until(cluster, "Observing", "60")


def test_an_aborted_one_can_be_tried_again() -> None:
    cluster = reach("Observing")
    revision = cluster.status(NAME)["canaryRevision"]
    attempt = cluster.status(NAME)["rollout"]["attempt"]
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    command(cluster, "retry", revision=revision)
    live_until(cluster, "Observing", "20")
    status = cluster.status(NAME)
    assert status["rollout"]["attempt"] == attempt + 1
    assert "rejectedDigests" not in status
    assert "reason" not in status["rollout"]
    command(cluster, "promote-full")
    live(cluster, 30)
    assert stable_uri(cluster) == NEW


def test_what_was_rolled_back_is_not_tried_again_by_another_edit() -> None:
    cluster = reach("Observing")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    ask(cluster, NEW, LONG, serving={"timeoutSeconds": 5})
    assert {state for state, _ in live(cluster, 60)} == {"RolledBack"}
    ask(cluster, OLD, LONG)
    live(cluster, 10)
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")
    ask(cluster, NEW, LONG)
    live(cluster, 20)
    assert live(cluster, 60) == [("RolledBack", "")]
    assert cluster.condition(NAME, "Ready")[1:] == (
        "RevisionRejected",
        f"Model {DIGESTS[NEW]} was rolled back before and is not tried again.",
    )
    assert cluster.condition(NAME, "AnalysisHealthy")[:2] == ("False", "RevisionRejected")


def test_other_clothes_of_a_good_model_are_refused_alone() -> None:
    """The model itself is not what failed."""
    cluster = begin(rollout=LONG)
    ask(cluster, OLD, LONG, serving={"timeoutSeconds": 5})
    live_until(cluster, "Observing", "20")
    revision = cluster.status(NAME)["canaryRevision"]
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    assert cluster.status(NAME)["rejectedDigests"] == [revision]
    ask(cluster, OLD, LONG, serving={"timeoutSeconds": 6})
    live_until(cluster, "Observing", "20")


def test_with_the_status_lost_what_was_rolled_back_stays_so() -> None:
    cluster = reach("Observing")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    del cluster.objects["ModelDeployment", NAME]["status"]
    assert {state for state, _ in live(cluster, 60)} == {"RolledBack"}
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    assert stable_uri(cluster) == OLD
    assert cluster.condition(NAME, "Ready")[1] == "RevisionRejected"


def test_an_aborted_one_is_kept_to_be_looked_at() -> None:
    cluster = begin(rollout=LONG | {"abortScaleDownDelaySeconds": 200})
    live_until(cluster, "Observing")
    command(cluster, "abort")
    live_until(cluster, "RolledBack")
    live(cluster, 180)
    assert count_pods(cluster, NEW) == 1
    live(cluster, 60)
    assert count_pods(cluster, NEW) == 0
    assert find_revision(cluster, NEW).get("desired", 0) == 0
    assert look(cluster)[0] == "RolledBack"


@pytest.mark.parametrize(
    ("verb", "state"), [("abort", "RolledBack"), ("pause", "Paused"), ("promote-full", "Stable")]
)
def test_a_command_is_carried_out_while_the_former_one_is_still_going(
    verb: str, state: str
) -> None:
    cluster = reach("Observing")
    ask(cluster, NEW, LONG, serving={"timeoutSeconds": 5})
    live_until(cluster, "Superseding")
    command(cluster, verb)
    live(cluster, 100)
    assert answer(cluster)[0] == "Accepted"
    assert look(cluster)[0] == state
    assert stable_uri(cluster) == (NEW if verb == "promote-full" else OLD)
