"""`traffic.revisionOverride: Token`: who has the token tries the new revision before anybody."""

from typing import Any

from core_cluster import Cluster
from core_rollouts import (
    APPROVAL,
    NAME,
    NEW,
    OLD,
    ask,
    begin,
    command,
    find_revision,
    live,
    live_until,
    stable_uri,
    weigh,
)
from slipway_operator.lookups import name_override_secret
from slipway_operator.routing.gateway_api import build_secret_value
from slipway_operator.state.identity import Owner

TOKEN = "0123456789abcdef" * 3
ROLLOUT = {"steps": [APPROVAL, weigh(60, minSeconds=20)], "abortScaleDownDelaySeconds": 0}
OVERRIDE: dict[str, Any] = {"revisionOverride": "Token"}


def begin_with_token() -> Cluster:
    cluster = begin(rollout=ROLLOUT)
    cluster.override_token = TOKEN
    ask(cluster, NEW, ROLLOUT, traffic=OVERRIDE)
    return cluster


def override_rule(cluster: Cluster) -> tuple[str, str]:
    """The value of the header, and the revision that it leads to."""
    rule = cluster.objects["HTTPRoute", NAME]["spec"]["rules"][0]
    (backend,) = rule["backendRefs"]
    return rule["matches"][0]["headers"][0]["value"], backend["name"].removeprefix(f"{NAME}-r")


def test_the_secret_is_asked_for_where_the_spec_asks_for_it() -> None:
    cluster = begin()
    asked = cluster.objects["ModelDeployment", NAME]
    assert name_override_secret(asked) is None
    ask(cluster, NEW, traffic=OVERRIDE)
    assert name_override_secret(asked) == "penguins-override"
    ask(cluster, NEW, traffic={"revisionOverride": "Sometimes"})
    assert name_override_secret(asked) is None


def test_the_new_revision_is_chosen_before_it_has_a_slot() -> None:
    cluster = begin_with_token()
    live_until(cluster, "Paused")
    assert cluster.condition(NAME, "Ready")[1] == "ApprovalNeeded"
    new, old = find_revision(cluster, NEW)["hash"], find_revision(cluster, OLD)["hash"]
    assert override_rule(cluster) == (TOKEN, new)
    slots = cluster.objects["HTTPRoute", NAME]["spec"]["rules"][1]["backendRefs"]
    assert {backend["name"] for backend in slots} == {f"{NAME}-r{old}"}
    command(cluster, "promote")
    live_until(cluster, "Observing", "60")
    assert override_rule(cluster) == (TOKEN, new)
    live(cluster, 120)
    assert stable_uri(cluster) == NEW
    assert override_rule(cluster) == (TOKEN, new)


def test_what_was_aborted_is_chosen_no_more_and_is_there_until_then() -> None:
    cluster = begin_with_token()
    live_until(cluster, "Paused")
    old = find_revision(cluster, OLD)["hash"]
    command(cluster, "abort")
    for _ in range(30):
        live(cluster, 2)
        chosen = override_rule(cluster)[1]
        assert ("Service", f"{NAME}-r{chosen}") in cluster.objects
    assert override_rule(cluster) == (TOKEN, old)
    assert stable_uri(cluster) == OLD


def test_without_it_nobody_chooses() -> None:
    cluster = begin_with_token()
    live_until(cluster, "Paused")
    ask(cluster, NEW, ROLLOUT)
    live(cluster, 10)
    asked = cluster.objects["ModelDeployment", NAME]
    owner = Owner(name=NAME, namespace="default", uid=asked["metadata"]["uid"])
    assert override_rule(cluster) == (
        build_secret_value(owner), find_revision(cluster, OLD)["hash"],
    )  # fmt: skip
    cluster.override_token = None
    ask(cluster, NEW, ROLLOUT, traffic=OVERRIDE)
    live(cluster, 10)
    assert override_rule(cluster)[0] == build_secret_value(owner)
