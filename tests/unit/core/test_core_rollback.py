"""Back to a revision that served before, by command."""

from typing import Any

import pytest

from core_cluster import Cluster, WriteFailedError
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
    lasts,
    live,
    live_until,
    look,
    pass_by,
    stable_uri,
    weigh,
)
from slipway_operator.decide.rollout.aiming import choose_aim

BRIEF: dict[str, Any] = {"steps": [lasts(50, 4)], "scaleDownDelaySeconds": 10}
LONG: dict[str, Any] = {"steps": [weigh(20, minSeconds=600)], "scaleDownDelaySeconds": 10}
IMMEDIATE: dict[str, Any] = {"strategy": "Immediate", "scaleDownDelaySeconds": 10}


def answer(cluster: Cluster) -> tuple[str, str]:
    told = cluster.status(NAME)["lastCommand"]
    return told["result"], told["message"]


def promote(rollout: dict[str, Any] = BRIEF, *uris: str) -> Cluster:
    """NEW serves, and OLD did before; then each of `uris`."""
    cluster = begin(rollout=rollout)
    live(cluster, 60)
    assert stable_uri(cluster) == NEW
    for uri in uris:
        ask(cluster, uri, rollout)
        live(cluster, 60)
        assert stable_uri(cluster) == uri
    return cluster


def roll_back(cluster: Cluster, target: str = "", **more: Any) -> None:
    """Give the command as the terminal does."""
    status = cluster.status(NAME)
    seen = status.get("canaryRevision") or status["stableRevision"]
    command(cluster, "rollback", **({"revision": seen} | more), target=target)


def name_of(cluster: Cluster, uri: str) -> str:
    return f"{NAME}-r{find_revision(cluster, uri)['hash']}"


# ── what is kept ─────────────────────────────────────────────────────────────────────────────
def test_what_served_is_kept_without_pods_and_named_by_the_status() -> None:
    cluster = promote()
    row = find_revision(cluster, OLD)
    assert (row["role"], row.get("desired", 0), row.get("ready", 0)) == ("Previous", 0, 0)
    assert row["servedUntil"] <= row["retiredAt"]
    old = name_of(cluster, OLD)
    deployment = cluster.objects["Deployment", old]
    assert deployment["spec"]["replicas"] == 0
    assert deployment["metadata"]["annotations"]["slipway.dev/served-until"] == row["servedUntil"]
    assert ("Service", old) in cluster.objects
    assert old not in cluster.names("PodDisruptionBudget")
    assert count_pods(cluster, OLD) == 0
    assert look(cluster) == ("Stable", "")


def test_beyond_the_window_it_goes() -> None:
    rollout = BRIEF | {"rollbackWindow": {"revisions": 1, "maxAgeSeconds": 300}}
    cluster = promote(rollout, OTHER)
    assert find_revision(cluster, OLD) == {}
    assert find_revision(cluster, NEW)["servedUntil"]
    plan = cluster.reconcile(NAME)
    assert plan.requeue_after_seconds is not None
    assert 0 < plan.requeue_after_seconds < 300
    live(cluster, 300)
    assert find_revision(cluster, NEW) == {}
    assert cluster.names("Deployment") == {name_of(cluster, OTHER)}


def test_with_a_window_of_none_it_goes_as_soon_as_it_may() -> None:
    cluster = promote(BRIEF | {"rollbackWindow": {"revisions": 0}})
    assert find_revision(cluster, OLD) == {}
    roll_back(cluster)
    live(cluster, 4)
    assert answer(cluster) == (
        "Refused",
        "No revision that served before is kept: spec.rollout.rollbackWindow says how many are "
        "kept, and for how long.",
    )


def test_what_never_served_is_not_kept() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing")
    ask(cluster, OTHER, LONG)
    live(cluster, 60)
    assert find_revision(cluster, NEW) == {}


def test_an_edit_of_what_is_kept_is_put_back() -> None:
    cluster = promote()
    old = name_of(cluster, OLD)
    del cluster.objects["Service", old]
    cluster.objects["Deployment", old]["spec"]["template"]["spec"]["containers"][0]["image"] = "x"
    live(cluster, 4)
    assert ("Service", old) in cluster.objects
    assert cluster.objects["Deployment", old]["spec"]["replicas"] == 0
    del cluster.objects["Deployment", old]
    live(cluster, 4)
    assert cluster.objects["Deployment", old]["spec"]["replicas"] == 0


# ── back ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("rollout", [BRIEF, IMMEDIATE], ids=["Canary", "Immediate"])
def test_the_one_before_takes_over_at_once_and_what_the_spec_asks_for_is_refused(
    rollout: dict[str, Any],
) -> None:
    cluster = promote(rollout)
    old, new = (find_revision(cluster, uri)["hash"] for uri in (OLD, NEW))
    roll_back(cluster)
    pass_by(cluster)
    assert answer(cluster) == (
        "Accepted",
        f"rollback to revision {old[:4]}, in place of {new[:4]}.",
    )
    assert cluster.condition(NAME, "UpToDate")[0] == "False"
    assert cluster.condition(NAME, "Available")[0] == "True"
    states = {state for state, _ in live(cluster, 30)}
    assert states <= {"Preparing", "Promoting", "RolledBack"}
    status = cluster.status(NAME)
    assert stable_uri(cluster) == OLD
    assert status["rejectedDigests"] == [DIGESTS[NEW]]
    assert "target" not in status["rollout"]
    words = f"Revision {old[:4]} answers again: revision {new[:4]} was rolled back by command."
    for kind in ("Ready", "UpToDate"):
        assert cluster.condition(NAME, kind) == ("False", "RolledBack", words)
    assert cluster.condition(NAME, "Available")[0] == "True"
    newest = status["history"][0]
    assert (newest["revision"], newest["outcome"], newest["reason"]) == (
        old,
        "FastPromoted",
        "RolledBack",
    )
    assert [told for reason, told in cluster.events if reason == "RolledBack"] == [words]


def test_while_it_starts_that_is_told() -> None:
    cluster = promote()
    behave(cluster, OLD, pod="silent")
    roll_back(cluster)
    live(cluster, 6)
    old, new = (find_revision(cluster, uri)["hash"][:4] for uri in (OLD, NEW))
    assert look(cluster) == ("Preparing", "0")
    rollout = cluster.status(NAME)["rollout"]
    assert rollout["message"] == f"Revision {old} is on its way back, in place of {new}."
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Starting")
    assert cluster.condition(NAME, "UpToDate")[:2] == ("False", "Starting")
    for verb in ("promote", "promote-full", "pause", "resume"):
        command(cluster, verb)
        live(cluster, 2)
        assert answer(cluster)[0] == "Refused"
        assert "A rollback has no steps" in answer(cluster)[1]
    roll_back(cluster)
    live(cluster, 2)
    assert answer(cluster) == ("Refused", f"Revision {old} is on its way back already.")
    roll_back(cluster, target=old)
    live(cluster, 2)
    assert answer(cluster)[1] == f"Revision {old} is on its way back already."
    behave(cluster, OLD)
    live(cluster, 20)
    assert stable_uri(cluster) == OLD


def test_nothing_holds_it() -> None:
    cluster = promote()
    ask(cluster, NEW, BRIEF | {"paused": True})
    roll_back(cluster)
    live(cluster, 20)
    assert stable_uri(cluster) == OLD


def test_one_further_back_is_named_by_its_first_characters() -> None:
    cluster = promote(BRIEF, OTHER)
    old = find_revision(cluster, OLD)["hash"]
    roll_back(cluster, target=old[:4])
    live(cluster, 30)
    assert stable_uri(cluster) == OLD
    # What it skipped is not refused.
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[OTHER]]
    assert find_revision(cluster, NEW)["servedUntil"]


def test_twice_back_goes_two_back() -> None:
    cluster = promote(BRIEF, OTHER)
    roll_back(cluster)
    live(cluster, 30)
    assert stable_uri(cluster) == NEW
    roll_back(cluster)
    live(cluster, 30)
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[OTHER], DIGESTS[NEW]]
    assert look(cluster)[0] == "RolledBack"
    roll_back(cluster)
    live(cluster, 4)
    assert answer(cluster)[0] == "Refused"


def test_on_the_way_another_one_may_be_named() -> None:
    cluster = promote(BRIEF, OTHER)
    behave(cluster, NEW, pod="silent")
    roll_back(cluster)
    live(cluster, 6)
    roll_back(cluster, target=find_revision(cluster, OLD)["hash"][:6])
    live(cluster, 30)
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[OTHER]]


def test_other_clothes_of_the_same_model_are_refused_alone() -> None:
    cluster = begin(rollout=BRIEF)
    ask(cluster, OLD, BRIEF, serving={"timeoutSeconds": 5})
    live(cluster, 60)
    dressed = cluster.status(NAME)["stableRevision"]
    roll_back(cluster)
    live(cluster, 30)
    assert cluster.status(NAME)["stableRevision"] != dressed
    assert cluster.status(NAME)["rejectedDigests"] == [dressed]


# ── a rollout on its way ─────────────────────────────────────────────────────────────────────
def test_while_a_rollout_runs_it_is_an_abort() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing")
    canary, stable = (cluster.status(NAME)[f"{one}Revision"][:4] for one in ("canary", "stable"))
    roll_back(cluster)
    live_until(cluster, "RolledBack")
    assert answer(cluster) == (
        "Accepted",
        f"abort of revision {canary}; revision {stable} goes on serving.",
    )
    assert cluster.status(NAME)["history"][0]["outcome"] == "Aborted"


def test_to_the_stable_one_it_is_an_abort_as_well() -> None:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing")
    roll_back(cluster, target=cluster.status(NAME)["stableRevision"][:4])
    live_until(cluster, "RolledBack")
    assert stable_uri(cluster) == OLD


def test_to_one_that_is_named_both_give_way() -> None:
    cluster = promote()
    ask(cluster, OTHER, LONG)
    live_until(cluster, "Observing")
    roll_back(cluster, target=find_revision(cluster, OLD)["hash"][:4])
    live(cluster, 30)
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW], DIGESTS[OTHER]]
    outcomes = [entry["outcome"] for entry in cluster.status(NAME)["history"]]
    assert outcomes[:2] == ["FastPromoted", "Aborted"]
    assert look(cluster)[0] == "RolledBack"


def test_to_the_one_that_is_on_its_way_it_takes_everything() -> None:
    cluster = promote()
    behave(cluster, OLD, pod="silent")
    ask(cluster, OLD, BRIEF)
    live_until(cluster, "Preparing")
    roll_back(cluster, target=find_revision(cluster, OLD)["hash"][:4])
    behave(cluster, OLD)
    live(cluster, 40)
    assert stable_uri(cluster) == OLD
    assert cluster.condition(NAME, "UpToDate")[0] == "True"
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    assert len([told for reason, told in cluster.events if reason == "RolledBack"]) == 1


# ── what comes after ─────────────────────────────────────────────────────────────────────────
def test_applied_again_the_same_spec_changes_nothing() -> None:
    cluster = promote()
    roll_back(cluster)
    live(cluster, 30)
    ask(cluster, NEW, BRIEF)
    ask(cluster, NEW, BRIEF, serving={"timeoutSeconds": 5})
    assert live(cluster, 40) == [("RolledBack", "")]
    assert stable_uri(cluster) == OLD


def test_a_retry_brings_it_back_through_its_steps() -> None:
    cluster = promote()
    roll_back(cluster)
    live(cluster, 30)
    command(cluster, "retry", revision="")
    live_until(cluster, "Observing", "50")
    live(cluster, 40)
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME)["history"][0]["outcome"] == "Promoted"
    assert cluster.condition(NAME, "UpToDate")[0] == "True"


@pytest.mark.parametrize(("verb", "rejected"), [("retry", []), ("abort", [])])
def test_before_it_arrives_it_can_be_called_off(verb: str, rejected: list[str]) -> None:
    cluster = promote()
    behave(cluster, OLD, pod="silent")
    roll_back(cluster)
    live(cluster, 6)
    command(cluster, verb, revision="" if verb == "retry" else None)
    live(cluster, 20)
    assert answer(cluster)[0] == "Accepted"
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME).get("rejectedDigests", []) == rejected
    assert cluster.condition(NAME, "UpToDate")[0] == "True"
    assert look(cluster)[0] == "Stable"
    # It did serve well, so it is still there.
    assert find_revision(cluster, OLD)["servedUntil"]


def test_another_model_begins_from_there() -> None:
    cluster = promote()
    roll_back(cluster)
    live(cluster, 30)
    ask(cluster, OTHER, BRIEF)
    live_until(cluster, "Observing", "50")
    assert stable_uri(cluster) == OLD
    live(cluster, 40)
    assert stable_uri(cluster) == OTHER


def test_another_model_waits_until_it_arrived() -> None:
    cluster = promote()
    behave(cluster, OLD, pod="silent")
    roll_back(cluster)
    live(cluster, 4)
    ask(cluster, OTHER, BRIEF)
    live(cluster, 20)
    assert look(cluster) == ("Preparing", "0")
    behave(cluster, OLD)
    live(cluster, 16)
    assert stable_uri(cluster) == OLD
    live(cluster, 60)
    assert stable_uri(cluster) == OTHER


def test_what_cannot_start_is_told_and_gives_way_to_another_model() -> None:
    cluster = promote()
    behave(cluster, OLD, pod="crash")
    roll_back(cluster)
    live(cluster, 20)
    status, reason, words = cluster.condition(NAME, "Ready")
    assert (status, reason) == ("False", "CrashLoop")
    assert "golden rows differ" in words
    assert cluster.condition(NAME, "Available")[0] == "True"
    assert stable_uri(cluster) == NEW
    ask(cluster, OTHER, BRIEF)
    live(cluster, 60)
    assert stable_uri(cluster) == OTHER


# ── what is lost ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("seconds", [2, 4, 6, 8, 30])
def test_with_the_status_lost_nothing_goes_forward(seconds: int) -> None:
    cluster = promote()
    roll_back(cluster)
    live(cluster, seconds)
    del cluster.objects["ModelDeployment", NAME]["status"]
    cluster.ledger = None
    live(cluster, 40)
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    assert look(cluster)[0] == "RolledBack"
    route = cluster.of_kind("HTTPRoute")[0]
    assert route["metadata"]["annotations"]["slipway.dev/rollback-target"] == ""


def test_with_the_status_lost_before_it_what_is_kept_can_come_back() -> None:
    cluster = promote()
    until = find_revision(cluster, OLD)["servedUntil"]
    del cluster.objects["ModelDeployment", NAME]["status"]
    live(cluster, 40)
    assert find_revision(cluster, OLD)["servedUntil"] == until
    roll_back(cluster)
    live(cluster, 30)
    assert stable_uri(cluster) == OLD


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_lost_write_loses_no_rollback(index: int) -> None:
    cluster = promote()
    roll_back(cluster)
    with pytest.raises(WriteFailedError):
        cluster.reconcile(NAME, fail_at=index)
    cluster.tick()
    live(cluster, 30)
    assert stable_uri(cluster) == OLD
    assert answer(cluster)[0] == "Accepted"


def test_what_is_to_come_back_may_vanish() -> None:
    cluster = promote()
    behave(cluster, OLD, pod="silent")
    roll_back(cluster)
    live(cluster, 6)
    old = name_of(cluster, OLD)
    for kind in ("Deployment", "Service"):
        del cluster.objects[kind, old]
    live(cluster, 20)
    assert stable_uri(cluster) == NEW
    assert cluster.condition(NAME, "Available")[0] == "True"


# ── refusals ─────────────────────────────────────────────────────────────────────────────────
def test_what_has_moved_on_is_refused() -> None:
    cluster = promote()
    roll_back(cluster, revision="0123456789")
    live(cluster, 2)
    result, words = answer(cluster)
    new = find_revision(cluster, NEW)["hash"][:4]
    assert result == "Refused"
    assert words.startswith(f"It was meant for revision 0123, but now {new} serves.")


def test_before_anything_serves_there_is_nothing_to_go_back_to() -> None:
    cluster = begin(rollout=BRIEF)
    cluster.remove(NAME)
    ask(cluster, OLD, BRIEF)
    cluster.reconcile(NAME)
    command(cluster, "rollback", revision="")
    cluster.reconcile(NAME)
    assert answer(cluster)[1] == "Nothing serves yet, so there is nothing to go back to."


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("aa", '"aa" is too short. Name at least 4 characters of a revision.'),
        ("aaaa", '"aaaa" may be aaaa111111 or aaaa222222. Name more characters.'),
        ("cccc", "Revision cccc serves already."),
        ("dddd", 'Revision "dddd" cannot come back: it was taken back itself, never answered all'),
        ("eeee", 'There is no revision "eeee". These can come back: aaaa, aaaa.'),
    ],
)
def test_a_wrong_revision_is_refused_with_the_reason(wanted: str, words: str) -> None:
    aim = choose_aim(
        wanted,
        stable="cccc333333",
        returning=None,
        former=("aaaa111111", "aaaa222222"),
        known=("dddd444444",),
    )
    assert aim.revision is None
    assert aim.refusal.startswith(words)


def test_where_none_is_kept_that_is_said() -> None:
    aim = choose_aim("eeee", stable="cccc333333", returning=None, former=(), known=())
    assert aim.refusal == 'There is no revision "eeee". These can come back: none.'
