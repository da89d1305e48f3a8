"""What only a whole plan shows: strangers, spoiled children, lost pointers, clusters, history."""

import json
from typing import Any

import pytest

from core_cluster import IMMEDIATE, Behaviour, Cluster, laptop_settings
from core_golden import SETTINGS
from slipway_operator.lookups import list_hosts_to_check, list_secrets
from slipway_operator.plan import Apply, Plan, make_plan
from slipway_operator.state.identity import ChildKind, Owner
from slipway_operator.state.observed import Observed, Refusal, observe_children

NAME = "penguins"
V1, V2, V3 = (f"file:///models/v{number}.joblib" for number in (1, 2, 3))


def serving(uri: str = V1) -> Cluster:
    cluster = Cluster(
        settings=laptop_settings(),
        behaviours={
            uri: Behaviour(digest="sha256:" + letter * 64)
            for uri, letter in ((V1, "1"), (V2, "2"), (V3, "3"))
        },
    )
    cluster.submit(NAME, {"model": {"uri": uri}, "rollout": IMMEDIATE})
    cluster.settle(NAME)
    return cluster


def go(cluster: Cluster, passes: int) -> None:
    for _ in range(passes):
        cluster.reconcile(NAME)
        cluster.tick()
        cluster.wait(1)


def test_children_are_listed_in_one_order() -> None:
    objects = serving().of_kind("NetworkPolicy")
    owner = Owner(name=NAME, namespace="default", uid="md-0001")
    listed = [
        observe_children(owner, Observed(objects=order)).list(ChildKind.NETWORK_POLICY)
        for order in (tuple(objects), tuple(reversed(objects)))
    ]
    assert len(listed[0]) == 2
    assert listed[0] == listed[1]


def list_writes(plan: Plan) -> list[tuple[str, str, str]]:
    return [
        ("apply", action.object["kind"], action.object["metadata"]["name"])
        if isinstance(action, Apply)
        else ("delete", action.kind, action.name)
        for action in plan.actions
    ]


def test_the_secrets_to_look_up_are_named() -> None:
    model = {"uri": "s3://m/m.joblib", "access": {"secretRef": {"name": "keys"}}}
    metadata = {"name": NAME, "namespace": "default"}
    assert list_secrets({"metadata": metadata, "spec": {"model": model}}) == ("keys",)
    assert (
        list_secrets(
            {"metadata": metadata, "spec": {"model": {"uri": "s3://m/m"}, "rollout": IMMEDIATE}}
        )
        == ()
    )
    assert list_secrets({"metadata": metadata, "spec": {}}) == ()


def test_an_edge_is_told_which_hosts_to_look_up() -> None:
    def list_hosts(spec: dict[str, Any]) -> tuple[str, ...]:
        asked = {"metadata": {"name": "churn", "namespace": "n"}, "spec": spec}
        return list_hosts_to_check(asked, settings=SETTINGS["cluster"])

    model, hosts = {"uri": "s3://m/m"}, ["churn.n.models.example.com", "a.example.com"]
    assert list_hosts({"model": model, "traffic": {"hostnames": hosts}}) == ("a.example.com",)
    assert list_hosts({"model": model}) == ()
    assert list_hosts({}) == ()


def test_a_file_is_refused_on_a_cluster() -> None:
    cluster = Cluster(settings=SETTINGS["cluster"])
    cluster.submit(NAME, {"model": {"uri": V1}, "rollout": IMMEDIATE})
    cluster.reconcile(NAME)
    status, reason, message = cluster.condition(NAME, "Ready")
    assert (status, reason) == ("False", "InvalidSpec")
    assert "spec.model.uri" in message
    assert cluster.writes == 1


@pytest.mark.parametrize("kind", ["Deployment", "Service", "HTTPRoute"])
def test_a_strangers_object_is_never_written(kind: str) -> None:
    cluster = serving()
    name = next(iter(cluster.names(kind)))
    theirs = cluster.objects[(kind, name)]
    theirs["metadata"]["ownerReferences"] = [{"uid": "else", "kind": "Pool", "controller": True}]
    plan = cluster.plan(NAME)
    assert ("apply", kind, name) not in list_writes(plan)
    assert ("delete", kind, name) not in list_writes(plan)
    cluster.execute(NAME, plan)
    assert cluster.condition(NAME, "Ready")[:2] == ("False", "NameConflict")


def test_what_is_left_of_an_earlier_model_is_waited_for() -> None:
    cluster = serving()
    # Deleted and made again with the same name; the collector has not come by yet.
    cluster.objects[("ModelDeployment", NAME)]["metadata"]["uid"] = "md-new"
    cluster.objects[("ModelDeployment", NAME)].pop("status")
    plan = cluster.plan(NAME)
    assert ("apply", "ServiceAccount", NAME) not in list_writes(plan)
    assert plan.requeue_after_seconds == 2
    assert "NameConflict" not in json.dumps(plan.status)


def test_a_child_on_its_way_out_is_waited_for_and_made_again() -> None:
    cluster = serving()
    cluster.objects[("Service", NAME)]["metadata"]["deletionTimestamp"] = cluster.instant()
    assert cluster.plan(NAME).actions == ()
    assert cluster.plan(NAME).requeue_after_seconds == 2
    del cluster.objects[("Service", NAME)]
    assert list_writes(cluster.plan(NAME)) == [("apply", "Service", NAME)]


@pytest.mark.parametrize("lost", ["status", "status and annotation"])
def test_the_stable_pointer_is_found_again(lost: str) -> None:
    cluster = serving()
    stable = cluster.status(NAME)["stableRevision"]
    cluster.objects[("ModelDeployment", NAME)].pop("status")
    if lost != "status":
        notes = cluster.of_kind("HTTPRoute")[0]["metadata"]["annotations"]
        del notes["slipway.dev/stable"]
    cluster.settle(NAME)
    assert cluster.status(NAME)["stableRevision"] == stable
    # Nothing is started for it, and nothing is told as if it had just happened.
    assert cluster.names("Deployment") == {f"{NAME}-r{stable}"}
    assert "history" not in cluster.status(NAME)


def test_both_copies_of_a_snapshot_spoiled_are_made_whole_by_the_spec() -> None:
    cluster = serving()
    stable = cluster.status(NAME)["stableRevision"]
    for kind in ("Deployment", "Service"):
        notes = cluster.objects[(kind, f"{NAME}-r{stable}")]["metadata"]["annotations"]
        notes["slipway.dev/snapshot"] = "{}"
    assert {write[1] for write in list_writes(cluster.plan(NAME))} == {"Deployment", "Service"}
    cluster.settle(NAME)
    assert cluster.status(NAME)["stableRevision"] == stable


def spoil(cluster: Cluster, revision: str) -> None:
    for kind in ("Deployment", "Service"):
        notes = cluster.objects[(kind, f"{NAME}-r{revision}")]["metadata"]["annotations"]
        notes["slipway.dev/snapshot"] = "{}"


def test_a_retired_revision_without_a_snapshot_goes_as_a_whole() -> None:
    cluster = serving()
    old = cluster.status(NAME)["stableRevision"]
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    go(cluster, 8)
    spoil(cluster, old)
    cluster.wait(70)
    assert list_writes(cluster.plan(NAME)) == [
        ("delete", "Deployment", f"{NAME}-r{old}"),
        ("delete", "Service", f"{NAME}-r{old}"),
    ]


def test_a_spoiled_revision_in_a_slot_is_left_alone_until_it_may_go() -> None:
    cluster = serving()
    old = cluster.status(NAME)["stableRevision"]
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    go(cluster, 5)
    spoil(cluster, old)
    plan = cluster.plan(NAME)
    assert not any(name == f"{NAME}-r{old}" for _, _, name in list_writes(plan))
    cluster.settle(NAME)
    assert cluster.status(NAME)["stableRevision"] != old


def test_an_unreadable_spec_leaves_a_spoiled_revision_as_it_is() -> None:
    cluster = serving()
    spoil(cluster, cluster.status(NAME)["stableRevision"])
    cluster.submit(NAME, {"model": {"uri": V1}, "rollout": IMMEDIATE, "replicas": -1})
    cluster.reconcile(NAME)
    assert cluster.condition(NAME, "Available")[:2] == ("True", "Serving")
    assert cluster.plan(NAME).actions == ()


def test_an_unreadable_spec_survives_the_loss_of_every_child() -> None:
    cluster = serving()
    stable = f"{NAME}-r{cluster.status(NAME)['stableRevision']}"
    for kind in ("Deployment", "Service"):
        cluster._delete((kind, stable))
    cluster.submit(NAME, {"model": {"uri": V1}, "rollout": IMMEDIATE, "replicas": -1})
    cluster.reconcile(NAME)
    assert cluster.condition(NAME, "Ready")[:2] == ("False", "InvalidSpec")
    assert cluster.condition(NAME, "Available")[:2] == ("False", "NoRevision")


def test_an_unreadable_spec_in_the_middle_of_a_rollout_moves_nothing() -> None:
    cluster = serving()
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    go(cluster, 6)
    before = cluster.status(NAME)
    slots = cluster.route_log[-1]
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE, "replicas": -1})
    go(cluster, 3)
    after = cluster.status(NAME)
    assert cluster.route_log[-1] == slots
    assert after["canaryRevision"] == before["canaryRevision"]
    assert after["history"] == before["history"]
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    cluster.settle(NAME)
    assert cluster.status(NAME)["stableRevision"] == before["canaryRevision"]


def outcomes(cluster: Cluster) -> list[str]:
    return [entry["outcome"] for entry in cluster.status(NAME)["history"]]


def test_history_tells_how_each_rollout_ended() -> None:
    cluster = serving()
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    go(cluster, 6)
    cluster.submit(NAME, {"model": {"uri": V1}, "rollout": IMMEDIATE})
    cluster.settle(NAME)
    assert outcomes(cluster) == ["RolledBack", "Promoted"]
    # Its pods are still there, so the second try enters at once; a third model takes its place.
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    go(cluster, 2)
    cluster.submit(NAME, {"model": {"uri": V3}, "rollout": IMMEDIATE})
    cluster.settle(NAME)
    assert outcomes(cluster) == ["Promoted", "Superseded", "RolledBack", "Promoted"]


def test_every_step_of_the_route_waits_for_its_confirmation() -> None:
    cluster = serving()
    cluster.submit(NAME, {"model": {"uri": V2}, "rollout": IMMEDIATE})
    go(cluster, 5)
    shown = len(cluster.route_log)
    for _ in range(3):
        cluster.reconcile(NAME)
        cluster.reconcile(NAME)
        assert len(cluster.route_log) == shown + 1
        shown += 1
        cluster.tick()


def test_a_route_lost_for_good_is_made_again_at_once() -> None:
    cluster = serving()
    cluster._delete(("HTTPRoute", NAME))
    assert list_writes(cluster.plan(NAME)) == [("apply", "HTTPRoute", NAME)]


def test_a_service_lost_in_a_slot_is_made_before_anything_else() -> None:
    cluster = serving()
    stable = f"{NAME}-r{cluster.status(NAME)['stableRevision']}"
    cluster._delete(("Service", stable))
    cluster.tick()
    assert list_writes(cluster.plan(NAME)) == [("apply", "Service", stable)]
    cluster.settle(NAME)
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")


def test_addresses_are_told_when_something_answers() -> None:
    cluster = Cluster(settings=SETTINGS["cluster"])
    cluster.submit(NAME, {"model": {"uri": "s3://m/m.joblib"}, "rollout": IMMEDIATE})
    cluster.reconcile(NAME)
    assert "url" not in cluster.status(NAME)
    cluster.settle(NAME)
    assert cluster.status(NAME)["url"] == "http://penguins.default.models.example.com"
    assert cluster.status(NAME)["addresses"]["inCluster"] == "http://penguins.default.svc"


def test_nothing_is_ready_before_the_gateway_took_the_first_route() -> None:
    cluster = serving()
    # As on a first apply, just after the route was made: nobody has answered for it.
    cluster.objects["ModelDeployment", NAME]["status"] = {}
    route = cluster.objects["HTTPRoute", NAME]
    route["status"], route["metadata"]["annotations"] = {}, {}
    for _ in range(2):
        cluster.reconcile(NAME)
        assert cluster.condition(NAME, "Ready")[:2] == ("False", "RoutePending")
        assert "url" not in cluster.status(NAME)
    cluster.tick()
    cluster.reconcile(NAME)
    assert cluster.condition(NAME, "Ready")[0] == "True"
    assert cluster.status(NAME)["url"] == "http://127.0.0.1:8080"


def test_an_artifact_in_the_store_saves_the_build() -> None:
    cluster = serving()
    digest = "sha256:" + "1" * 64
    asked: dict[str, Any] = {
        "metadata": {"name": NAME, "namespace": "default", "uid": "md-9", "generation": 1},
        "spec": {"model": {"uri": V1, "digest": digest}, "rollout": IMMEDIATE},
    }

    def plan(artifacts: dict[str, Any]) -> Plan:
        return make_plan(
            asked=asked,
            observed=Observed(artifacts=artifacts),
            settings=cluster.settings,
            now=cluster.now,
        )

    build = plan({}).status["build"]["hash"]
    facts = {
        "artifact": f"oci-layout:///store@{digest}",
        "modelDigest": digest,
        "runtime": "ONNX",
        "format": "SKLearn",
    }
    kinds = [kind for _, kind, _ in list_writes(plan({build: facts}))]
    assert "Job" not in kinds
    assert "Deployment" in kinds


def test_replicas_zero_serves_nobody_and_says_so() -> None:
    cluster = serving()
    cluster.submit(NAME, {"model": {"uri": V1}, "rollout": IMMEDIATE, "replicas": 0})
    cluster.settle(NAME)
    assert cluster.condition(NAME, "Ready")[:2] == ("False", "ScaledToZero")
    assert cluster.condition(NAME, "UpToDate")[:2] == ("True", "UpToDate")
    cluster.submit(NAME, {"model": {"uri": V1}, "rollout": IMMEDIATE, "replicas": 2})
    cluster.settle(NAME)
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")


def test_a_write_that_was_refused_is_told_until_it_is_not() -> None:
    cluster = Cluster(settings=SETTINGS["cluster"])
    cluster.submit(
        NAME, {"model": {"uri": "https://models.example.com/m.joblib"}, "rollout": IMMEDIATE}
    )
    refusal = Refusal(reason="OperatorForbidden", message="The operator may not patch jobs.batch.")
    plan = cluster.plan(NAME, observed=Observed(refusal=refusal))
    assert plan.status is not None
    conditions = {each["type"]: each for each in plan.status["conditions"]}
    for kind in ("Ready", "Stalled"):
        assert conditions[kind]["reason"] == refusal.reason
        assert conditions[kind]["message"] == refusal.message
    assert [event.reason for event in plan.events] == [refusal.reason]
    kinds = {action.object["kind"] for action in plan.actions if isinstance(action, Apply)}
    assert "Job" in kinds, "it is tried again"
