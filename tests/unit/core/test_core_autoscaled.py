"""The number of pods of a Deployment that an autoscaler counts is left to it."""

import pytest

from core_cluster import IMMEDIATE, Behaviour, Cluster, Json, laptop_settings
from slipway_operator.plan import Apply, Plan

NAME = "penguins"
URI = "file:///models/v1.joblib"
OTHER = "file:///models/v2.joblib"
AUTOSCALER = "kube-controller-manager"


@pytest.fixture
def cluster() -> Cluster:
    behaviours = {URI: Behaviour(), OTHER: Behaviour(digest="sha256:" + "b" * 64)}
    cluster = Cluster(settings=laptop_settings(), behaviours=behaviours)
    cluster.submit(NAME, {"model": {"uri": URI}, "rollout": IMMEDIATE})
    cluster.settle(NAME)
    return cluster


def deployments(cluster: Cluster) -> dict[str, int]:
    return {
        one["metadata"]["name"]: one["spec"]["replicas"] for one in cluster.of_kind("Deployment")
    }


def only(cluster: Cluster) -> str:
    (name,) = deployments(cluster)
    return name


def told(cluster: Cluster) -> Json:
    status: Json = cluster.objects[("ModelDeployment", NAME)]["status"]
    return status


def applied(plan: Plan) -> list[Json]:
    return [
        dict(action.object)
        for action in plan.actions
        if isinstance(action, Apply) and action.object["kind"] == "Deployment"
    ]


def test_an_autoscalers_number_stays_and_is_told(cluster: Cluster) -> None:
    name = only(cluster)
    cluster.scale(name, 3, manager=AUTOSCALER)
    cluster.settle(NAME)
    assert deployments(cluster) == {name: 3}
    assert "DriftCorrected" not in [reason for reason, _ in cluster.events]
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")
    assert told(cluster)["revisions"][0]["desired"] == 3
    # and another number later is no reason to write at all
    cluster.scale(name, 4, manager=AUTOSCALER)
    assert applied(cluster.plan(NAME)) == []


def test_an_edit_by_hand_is_put_back_beside_an_autoscalers_number(cluster: Cluster) -> None:
    name = only(cluster)
    cluster.scale(name, 3, manager=AUTOSCALER)
    cluster.settle(NAME)
    cluster.objects[("Deployment", name)]["spec"]["progressDeadlineSeconds"] = 1
    (put_back,) = applied(cluster.plan(NAME))
    assert "replicas" not in put_back["spec"], "a number of a moment ago would be forced on it"
    cluster.settle(NAME)
    assert cluster.objects[("Deployment", name)]["spec"]["progressDeadlineSeconds"] == 600
    assert deployments(cluster) == {name: 3}


def test_a_hand_that_scales_is_put_back(cluster: Cluster) -> None:
    name = only(cluster)
    cluster.scale(name, 3, manager="kubectl")
    cluster.settle(NAME)
    assert deployments(cluster) == {name: 1}
    assert "DriftCorrected" in [reason for reason, _ in cluster.events]


def test_a_number_in_the_spec_takes_it_back(cluster: Cluster) -> None:
    name = only(cluster)
    cluster.scale(name, 3, manager=AUTOSCALER)
    cluster.settle(NAME)
    cluster.submit(NAME, {"model": {"uri": URI}, "rollout": IMMEDIATE, "replicas": 2})
    cluster.settle(NAME)
    assert deployments(cluster) == {name: 2}


def test_a_revision_without_traffic_is_stopped_whoever_counted_its_pods(cluster: Cluster) -> None:
    old = only(cluster)
    cluster.scale(old, 3, manager=AUTOSCALER)
    cluster.submit(NAME, {"model": {"uri": OTHER}, "rollout": IMMEDIATE})
    cluster.settle(NAME)
    counted = deployments(cluster)
    (new,) = counted.keys() - {old}
    assert counted[new] == 1
    cluster.wait(3600)
    cluster.settle(NAME)
    assert deployments(cluster).get(old, 0) == 0


def test_a_spec_that_cannot_be_read_leaves_an_autoscalers_number(cluster: Cluster) -> None:
    name = only(cluster)
    cluster.scale(name, 3, manager=AUTOSCALER)
    cluster.submit(NAME, {"model": {"uri": URI}, "rollout": IMMEDIATE, "replicas": "many"})
    cluster.settle(NAME)
    assert cluster.condition(NAME, "Ready")[:2] == ("False", "InvalidSpec")
    assert deployments(cluster) == {name: 3}
