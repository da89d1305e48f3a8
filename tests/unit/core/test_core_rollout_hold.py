"""A spec that cannot be read, in the middle of a rollout."""

from typing import Any

import pytest

from core_cluster import Cluster
from core_rollouts import (
    NAME,
    NEW,
    OLD,
    ask,
    begin,
    behave,
    command,
    find_revision,
    live,
    live_until,
    pass_by,
    stable_uri,
    weigh,
)

LONG: dict[str, Any] = {"steps": [weigh(20, minSeconds=600)], "progressDeadlineSeconds": 120}


def spoil(cluster: Cluster) -> None:
    """Somebody applies nonsense."""
    ask(cluster, NEW, LONG | {"steps": [weigh(0.001)]})


def share(cluster: Cluster, uri: str) -> int:
    name = f"{NAME}-r{find_revision(cluster, uri)['hash']}"
    return sum(weight for backend, weight in cluster.route_log[-1] if backend == name)


def begin_observing() -> Cluster:
    cluster = begin(rollout=LONG)
    live_until(cluster, "Observing", "20")
    spoil(cluster)
    return cluster


def test_the_shares_stay_as_they_are() -> None:
    cluster = begin_observing()
    live(cluster, 60)
    assert cluster.condition(NAME, "Ready")[1] == "InvalidSpec"
    assert share(cluster, NEW) == 200_000


@pytest.mark.parametrize("pod", ["silent", "crash"])
def test_what_is_dead_gets_no_requests(pod: str) -> None:
    cluster = begin_observing()
    live(cluster, 6)
    behave(cluster, NEW, pod=pod)
    cluster.tick()
    pass_by(cluster)
    assert (share(cluster, NEW), share(cluster, OLD)) == (1, 999_999)
    assert cluster.status(NAME)["display"]["weightPercent"] == "0"
    written = len(cluster.route_log)
    live(cluster, 20)
    assert len(cluster.route_log) == written
    # It stays so until the spec says again how it is judged.
    behave(cluster, NEW)
    live(cluster, 20)
    assert share(cluster, NEW) == 1
    ask(cluster, NEW, LONG)
    live_until(cluster, "Observing", "20")
    assert share(cluster, NEW) == 200_000


def test_what_is_dead_still_is_taken_back_with_the_spec() -> None:
    cluster = begin_observing()
    behave(cluster, NEW, pod="crash")
    live(cluster, 40)
    ask(cluster, NEW, LONG)
    live(cluster, 20)
    assert stable_uri(cluster) == OLD
    assert cluster.status(NAME)["rollout"]["state"] == "RolledBack"


def test_a_command_is_refused_until_it_can_be_read() -> None:
    cluster = begin_observing()
    live(cluster, 4)
    command(cluster, "abort", given_id="one")
    live(cluster, 4)
    told = cluster.status(NAME)["lastCommand"]
    assert (told["id"], told["result"]) == ("one", "Refused")
    assert told["message"].startswith("The spec cannot be read. Mend it")
    ask(cluster, NEW, LONG)
    live(cluster, 10)
    assert cluster.status(NAME)["lastCommand"] == told
    assert share(cluster, NEW) == 200_000


def test_where_the_stable_one_is_dead_as_well_nothing_moves() -> None:
    cluster = begin_observing()
    for uri in (OLD, NEW):
        behave(cluster, uri, pod="silent")
    live(cluster, 20)
    assert share(cluster, NEW) == 200_000


def test_what_has_vanished_gets_no_requests() -> None:
    cluster = begin_observing()
    live(cluster, 4)
    name = f"{NAME}-r{find_revision(cluster, NEW)['hash']}"
    for kind in ("Deployment", "Service"):
        del cluster.objects[kind, name]
    pods = [pod for pod in cluster.names("Pod") if pod.startswith(name)]
    for pod in pods:
        del cluster.objects["Pod", pod]
    route = cluster.of_kind("HTTPRoute")[0]
    cluster.plan(NAME)
    plan = cluster.plan(NAME)
    written = [action.object for action in plan.actions if action.object["kind"] == "HTTPRoute"]
    weights = {ref["name"]: ref["weight"] for ref in written[0]["spec"]["rules"][1]["backendRefs"]}
    assert weights[name] == 1
    assert written[0]["spec"]["parentRefs"] == route["spec"]["parentRefs"]


@pytest.mark.parametrize("slots", ["none", "strangers", "one"])
def test_a_route_that_somebody_edited_is_left_alone(slots: str) -> None:
    cluster = begin_observing()
    live(cluster, 4)
    route = cluster.of_kind("HTTPRoute")[0]
    backends = route["spec"]["rules"][1]["backendRefs"]
    new = f"{NAME}-r{find_revision(cluster, NEW)['hash']}"
    if slots == "none":
        backends.pop()
    else:
        names = {"strangers": [new, f"{NAME}-r0000000000"], "one": [new, new]}[slots]
        for backend, name in zip(backends, names, strict=True):
            backend["name"] = name
    assert cluster.plan(NAME).actions == ()
