"""The gateway's controller is away: what the route says is not what it does, and nothing goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import behaviour_models as models
from behaviour_cluster import OnCluster
from behaviour_rollouts import FOUR, ORDINARY, Story, canary, state_of
from behaviour_terminal import condition
from cluster_access import Cluster
from slipway_operator.state.identity import LABEL_REVISION

GATEWAY = ("-n", "envoy-gateway-system")


@pytest.fixture
def controller(cluster: Cluster) -> Iterator[Cluster]:
    """Whatever happens it is there again afterwards."""
    yield cluster
    scale(cluster, 1)


def scale(cluster: Cluster, replicas: int) -> None:
    named = "deployment/envoy-gateway"
    cluster.kubectl(*GATEWAY, "scale", named, f"--replicas={replicas}")
    cluster.kubectl(*GATEWAY, "rollout", "status", named, "--timeout=120s")
    if replicas == 0:
        chosen = "app.kubernetes.io/name=gateway-helm,control-plane=envoy-gateway"
        cluster.kubectl(*GATEWAY, "wait", "--for=delete", "pod", "-l", chosen, "--timeout=120s")


def test_an_abort_that_no_gateway_carries_out_keeps_both_revisions(
    user: OnCluster, controller: Cluster, tmp_path: Path
) -> None:
    long = {"type": "Weight", "weight": {"percent": 50, "minSeconds": 1000, "maxSeconds": 2000}}
    at_once = {"scaleDownDelaySeconds": 0, "abortScaleDownDelaySeconds": 0}
    rollout = canary() | {"steps": [long]} | at_once
    story = Story(user, "stuck", models.of_countries(tmp_path / "a", FOUR), rollout)
    with story.load(ORDINARY, per_second=50) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        new = story.wait_for_state("Observing")["status"]["canaryRevision"]
        scale(controller, 0)
        assert user.run("abort", "stuck").code == 0
        story.wait_for_state("Aborting")
        answered = len(load.answers)
        load.wait_for(300)
        # Envoy goes on as it was told last, so both have to be there.
        assert {revision for _, revision in load.answers[answered:]} == {story.old, new}
        found = user.get("stuck")
        assert state_of(found) == "Aborting"
        assert condition(found, "TrafficProgrammed")["status"] != "True"
        for revision in (story.old, new):
            pods = user.namespace.list("pods", selector=f"{LABEL_REVISION}={revision}")
            assert [pod["metadata"].get("deletionTimestamp") for pod in pods] == [None]
        scale(controller, 1)
        found = story.wait_for_state("RolledBack")
        load.wait_for(30)
    assert load.failed == []
    assert {revision for _, revision in load.answers[-20:]} == {story.old}
