"""Copies, a rollback and the override in one rollout: each of them alone is tested elsewhere."""

from typing import Any

import pytest

from core_cluster import Cluster, list_copied
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
    lasts,
    live,
    live_until,
    look,
    pass_by,
    stable_uri,
    weigh,
)

TOKEN = "0123456789abcdef" * 3
BRIEF: dict[str, Any] = {"steps": [lasts(50, 4)], "scaleDownDelaySeconds": 10}
SHADOW = {"type": "Shadow", "shadow": {"percent": 40, "minSeconds": 600, "maxSeconds": 900}}
SHADOWED: dict[str, Any] = {"steps": [SHADOW, weigh(50, minSeconds=600)]}
BLUE_GREEN: dict[str, Any] = {"strategy": "BlueGreen"}
NONSENSE: dict[str, Any] = {"steps": [weigh(0.001)]}
OVERRIDE: dict[str, Any] = {"revisionOverride": "Token"}


def name_of(cluster: Cluster, uri: str) -> str:
    return f"{NAME}-r{find_revision(cluster, uri)['hash']}"


def route_of(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.objects["HTTPRoute", NAME]
    return found


def copies(cluster: Cluster) -> list[str]:
    return [name for name, _ in list_copied(route_of(cluster))]


def chosen(cluster: Cluster) -> str:
    return str(route_of(cluster)["spec"]["rules"][0]["backendRefs"][0]["name"])


def weight(cluster: Cluster, uri: str) -> int:
    name = name_of(cluster, uri)
    return sum(share for backend, share in cluster.route_log[-1] if backend == name)


def roll_back(cluster: Cluster, target: str = "") -> None:
    status = cluster.status(NAME)
    seen = status.get("canaryRevision") or status["stableRevision"]
    command(cluster, "rollback", revision=seen, target=target)


def answer(cluster: Cluster) -> str:
    return str(cluster.status(NAME)["lastCommand"]["result"])


def begin_shadowing(**spec: Any) -> Cluster:
    cluster = begin(rollout=SHADOWED)
    if spec:
        cluster.override_token = TOKEN
        ask(cluster, NEW, SHADOWED, **spec)
    live_until(cluster, "Shadowing")
    return cluster


def promote(*uris: str, rollout: dict[str, Any] = BRIEF) -> Cluster:
    """OLD serves, then NEW, then each of `uris`."""
    cluster = begin(rollout=rollout)
    live(cluster, 60)
    for uri in uris:
        ask(cluster, uri, rollout)
        live(cluster, 60)
        assert stable_uri(cluster) == uri
    return cluster


# ── a rollback while copies are sent, or nearly all requests have moved ──────────────────────
def test_a_rollback_ends_the_copies_at_once() -> None:
    cluster = begin_shadowing()
    roll_back(cluster)
    pass_by(cluster)
    assert answer(cluster) == "Accepted"
    assert copies(cluster) == []
    live_until(cluster, "RolledBack")
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    live(cluster, 60)
    assert (stable_uri(cluster), copies(cluster)) == (OLD, [])


def test_a_rollback_to_one_further_back_ends_the_copies_of_another() -> None:
    cluster = promote()
    ask(cluster, OTHER, SHADOWED)
    live_until(cluster, "Shadowing")
    assert copies(cluster) == [name_of(cluster, OTHER)]
    roll_back(cluster, find_revision(cluster, OLD)["hash"][:6])
    pass_by(cluster)
    assert copies(cluster) == []
    live(cluster, 40)
    assert stable_uri(cluster) == OLD
    assert set(cluster.status(NAME)["rejectedDigests"]) == {DIGESTS[NEW], DIGESTS[OTHER]}
    assert look(cluster)[0] == "RolledBack"


def test_from_all_of_blue_green_a_rollback_needs_no_second_pass() -> None:
    cluster = begin(rollout=BLUE_GREEN)
    live_until(cluster, "Observing", "100")
    assert weight(cluster, NEW) == 999_999
    roll_back(cluster)
    pass_by(cluster)
    assert (weight(cluster, NEW), weight(cluster, OLD)) == (1, 999_999)
    live(cluster, 20)
    assert weight(cluster, OLD) == 1_000_000
    assert look(cluster)[0] == "RolledBack"


# ── what ends a rollback ─────────────────────────────────────────────────────────────────────
def begin_rollback(**rollout: Any) -> Cluster:
    """NEW serves and OLD cannot come back yet."""
    cluster = promote()
    ask(cluster, NEW, BRIEF | rollout)
    live(cluster, 4)
    behave(cluster, OLD, pod="silent")
    roll_back(cluster)
    live(cluster, 4)
    assert cluster.status(NAME)["rollout"]["target"] == find_revision(cluster, OLD)["hash"]
    return cluster


def test_an_aborted_rollback_does_not_begin_again_where_the_spec_asks_for_the_same() -> None:
    cluster = begin_rollback()
    ask(cluster, OLD, BRIEF)
    live(cluster, 4)
    command(cluster, "abort")
    live(cluster, 4)
    assert answer(cluster) == "Accepted"
    behave(cluster, OLD)
    live(cluster, 60)
    assert stable_uri(cluster) == NEW
    assert cluster.status(NAME)["rollout"].get("target") is None


def test_to_abort_a_rollback_takes_nothing_from_what_waits_behind_it() -> None:
    cluster = begin_rollback()
    ask(cluster, OTHER, BRIEF)
    live(cluster, 8)
    assert cluster.status(NAME)["rollout"]["target"] == find_revision(cluster, OLD)["hash"]
    command(cluster, "abort")
    live(cluster, 60)
    assert cluster.status(NAME).get("rejectedDigests", []) == []
    assert stable_uri(cluster) == OTHER


@pytest.mark.parametrize("verb", ["abort", "retry"])
def test_what_queues_goes_on_when_a_rollback_was_called_off(verb: str) -> None:
    """NEW was taken back, then OLD is to be as well."""
    queue = {"onNewRevision": "Queue"}
    cluster = promote(OTHER)
    ask(cluster, OTHER, BRIEF | queue)
    roll_back(cluster)
    live(cluster, 40)
    assert stable_uri(cluster) == NEW
    behave(cluster, OLD, pod="silent")
    roll_back(cluster)
    live(cluster, 4)
    old = find_revision(cluster, OLD)["hash"]
    assert cluster.status(NAME)["rollout"]["target"] == old
    revision = find_revision(cluster, OTHER)["hash"] if verb == "retry" else old
    command(cluster, verb, revision=revision)
    live(cluster, 60)
    assert answer(cluster) == "Accepted"
    assert DIGESTS[OLD] not in cluster.status(NAME).get("rejectedDigests", [])
    assert stable_uri(cluster) == {"abort": NEW, "retry": OTHER}[verb]


@pytest.mark.parametrize("verb", ["promote-full", "pause"])
def test_a_command_for_one_does_nothing_to_the_newer_one_that_takes_its_place(verb: str) -> None:
    """With other clothes alone it is on its way in the very pass that hears the command."""
    cluster = begin_shadowing()
    command(cluster, verb)
    ask(cluster, NEW, SHADOWED, serving={"timeoutSeconds": 7})
    live(cluster, 24)
    assert answer(cluster) == "Accepted"
    assert look(cluster)[0] == "Shadowing"
    assert stable_uri(cluster) == OLD


def test_an_aborted_model_is_not_tried_in_the_other_clothes_that_came_with_the_abort() -> None:
    cluster = begin_shadowing()
    command(cluster, "abort")
    ask(cluster, NEW, SHADOWED, serving={"timeoutSeconds": 7})
    live(cluster, 24)
    assert (answer(cluster), look(cluster)[0]) == ("Accepted", "RolledBack")
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]
    assert cluster.status(NAME)["history"][0]["outcome"] == "Aborted"


def test_an_abort_takes_nothing_from_the_model_that_takes_the_place() -> None:
    cluster = begin_shadowing()
    command(cluster, "abort")
    ask(cluster, OTHER, SHADOWED)
    live(cluster, 40)
    assert (answer(cluster), look(cluster)[0]) == ("Accepted", "Shadowing")
    assert copies(cluster) == [name_of(cluster, OTHER)]
    assert cluster.status(NAME)["rejectedDigests"] == [DIGESTS[NEW]]


def test_what_cannot_come_back_gives_way_to_what_queues() -> None:
    cluster = begin_rollback(onNewRevision="Queue", progressDeadlineSeconds=60)
    behave(cluster, OLD, pod="crash")
    ask(cluster, OTHER, BRIEF | {"onNewRevision": "Queue"})
    live(cluster, 80)
    assert stable_uri(cluster) == OTHER


# ── a spec that cannot be read ───────────────────────────────────────────────────────────────
def test_copies_go_on_while_the_spec_cannot_be_read() -> None:
    cluster = begin_shadowing(traffic=OVERRIDE)
    new = name_of(cluster, NEW)
    assert (copies(cluster), chosen(cluster)) == ([new], new)
    ask(cluster, NEW, NONSENSE)
    live(cluster, 60)
    assert cluster.condition(NAME, "Ready")[1] == "InvalidSpec"
    assert (copies(cluster), chosen(cluster)) == ([new], new)
    assert count_pods(cluster, NEW) == 1
    assert find_revision(cluster, NEW).get("retiredAt") is None
    del cluster.objects["Service", new]
    cluster.reconcile(NAME)
    assert ("Service", new) in cluster.objects
    ask(cluster, NEW, SHADOWED, traffic=OVERRIDE)
    live_until(cluster, "Shadowing")


def test_what_is_chosen_is_kept_while_the_spec_cannot_be_read() -> None:
    steps = {"steps": [APPROVAL, weigh(50)]}
    cluster = begin(rollout=steps)
    cluster.override_token = TOKEN
    ask(cluster, NEW, steps, traffic=OVERRIDE)
    live_until(cluster, "Paused")
    new = name_of(cluster, NEW)
    assert chosen(cluster) == new
    ask(cluster, NEW, NONSENSE)
    live(cluster, 4)
    del cluster.objects["Service", new]
    cluster.reconcile(NAME)
    assert ("Service", new) in cluster.objects
    assert find_revision(cluster, NEW).get("retiredAt") is None


def test_weights_that_move_while_the_spec_cannot_be_read_leave_the_override() -> None:
    steps = {"steps": [weigh(20, minSeconds=600)]}
    cluster = begin(rollout=steps)
    cluster.override_token = TOKEN
    ask(cluster, NEW, steps, traffic=OVERRIDE)
    live_until(cluster, "Observing", "20")
    header = route_of(cluster)["spec"]["rules"][0]
    ask(cluster, NEW, NONSENSE)
    behave(cluster, NEW, pod="silent")
    live(cluster, 6)
    assert weight(cluster, NEW) == 1
    assert route_of(cluster)["spec"]["rules"][0] == header


# ── the status is lost ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("pod", ["ready", "silent"])
def test_the_status_is_lost_while_copies_are_sent(pod: str) -> None:
    cluster = begin_shadowing()
    behave(cluster, NEW, pod=pod)
    cluster.tick()
    cluster.objects["ModelDeployment", NAME].pop("status")
    cluster.ledger = None
    live(cluster, 10)
    is_there = pod == "ready"
    assert copies(cluster) == ([name_of(cluster, NEW)] if is_there else [])
    assert look(cluster)[0] == ("Shadowing" if is_there else "Preparing")
    ask(cluster, OLD, SHADOWED)
    live(cluster, 10)
    assert copies(cluster) == []


def test_with_the_status_lost_copies_wait_until_no_user_is_sent_there() -> None:
    shadow = {"type": "Shadow", "shadow": {"percent": 40, "minSeconds": 2}}
    steps = {"steps": [shadow, weigh(50, minSeconds=600)]}
    cluster = begin(rollout=steps)
    live_until(cluster, "Observing", "50")
    cluster.objects["ModelDeployment", NAME].pop("status")
    for _ in range(10):
        pass_by(cluster)
        slots = {slot for slot, _ in cluster.route_log[-1]}
        assert not slots & set(copies(cluster))
        if copies(cluster):
            return
    raise AssertionError("copies never began again")


# ── commands while copies are sent ───────────────────────────────────────────────────────────
def test_pods_that_die_while_copies_are_sent_are_not_waited_for() -> None:
    cluster = begin_shadowing()
    behave(cluster, NEW, pod="silent")
    live(cluster, 30)
    assert look(cluster)[0] in ("Shadowing", "Held")
    live(cluster, 700)
    assert look(cluster)[0] == "RolledBack"
    assert copies(cluster) == []


def test_blue_green_that_never_gets_ready_is_taken_back() -> None:
    cluster = begin(rollout=BLUE_GREEN | {"progressDeadlineSeconds": 60})
    behave(cluster, NEW, pod="silent")
    live(cluster, 120)
    assert look(cluster)[0] == "RolledBack"
    assert len({slot for slots in cluster.route_log for slot, _ in slots}) == 1


def test_an_abort_ends_the_copies_and_a_retry_begins_them_again() -> None:
    cluster = begin_shadowing()
    command(cluster, "abort")
    pass_by(cluster)
    assert copies(cluster) == []
    live_until(cluster, "RolledBack")
    command(cluster, "retry", revision=find_revision(cluster, NEW)["hash"])
    live_until(cluster, "Shadowing")
    assert copies(cluster) == [name_of(cluster, NEW)]


def test_a_pause_keeps_the_copies_and_to_resume_goes_on_with_them() -> None:
    cluster = begin_shadowing()
    command(cluster, "pause")
    live_until(cluster, "Paused")
    live(cluster, 20)
    assert copies(cluster) == [name_of(cluster, NEW)]
    command(cluster, "resume")
    live_until(cluster, "Shadowing")


def test_all_requests_at_once_while_copies_are_sent() -> None:
    cluster = begin_shadowing()
    command(cluster, "promote-full")
    pass_by(cluster)
    assert (answer(cluster), copies(cluster)) == ("Accepted", [])
    live(cluster, 20)
    assert stable_uri(cluster) == NEW


def test_a_newer_one_queues_behind_copies() -> None:
    queue = SHADOWED | {"onNewRevision": "Queue"}
    cluster = begin(rollout=queue)
    live_until(cluster, "Shadowing")
    ask(cluster, OTHER, queue)
    live(cluster, 30)
    assert look(cluster)[0] == "Shadowing"
    assert copies(cluster) == [name_of(cluster, NEW)]
    command(cluster, "abort")
    live_until(cluster, "Shadowing")
    assert copies(cluster) == [name_of(cluster, OTHER)]


def test_one_that_served_before_needs_no_copies() -> None:
    cluster = promote()
    assert count_pods(cluster, OLD) == 0
    ask(cluster, OLD, SHADOWED)
    for _ in range(20):
        pass_by(cluster)
        assert copies(cluster) == []
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["history"][0]["outcome"] == "FastPromoted"


def test_what_is_chosen_has_its_service_until_nobody_chooses_it() -> None:
    cluster = begin_shadowing(traffic=OVERRIDE)
    new = name_of(cluster, NEW)
    # The gateway hears of nothing for a while.
    roll_back(cluster)
    for _ in range(30):
        cluster.reconcile(NAME)
        cluster.wait(30)
        assert ("Service", new) in cluster.objects
    live(cluster, 700)
    for _ in range(4):
        cluster.wait(700)
        live(cluster, 20)
    assert ("Service", new) not in cluster.objects
    assert chosen(cluster) == name_of(cluster, OLD)
