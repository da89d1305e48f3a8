"""What a cluster does to a rollout: counts that cannot be read, a dead operator, pods that go."""

from pathlib import Path

import behaviour_models as models
from behaviour_cluster import METRICS_FROM_OUTSIDE, OnCluster
from behaviour_rollouts import FOUR, ORDINARY, Story, canary, is_promoted, state_of
from behaviour_terminal import condition, has_reason
from cluster_operator import Operator
from slipway_operator.state.identity import LABEL_REVISION


def test_counts_that_cannot_be_read_hold_a_rollout_and_an_operator_that_dies_ends_none(
    user: OnCluster, operator: Operator, tmp_path: Path
) -> None:
    story = Story(user, "held", models.of_countries(tmp_path / "a", FOUR), canary(10, 60))
    policy = ("networkpolicy", "metrics-from-outside")
    with story.load(ORDINARY, per_second=100) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        story.wait_for_state("Observing")
        user.namespace.kubectl("delete", *policy)
        found = user.wait("held", has_reason("Held"))
        assert condition(found, "MetricsAvailable")["status"] == "False"
        assert found["status"]["display"]["weightPercent"] in ("10", "60")
        attempt = found["status"]["rollout"]["attempt"]
        operator.kill()
        operator.start().wait_leading()
        user.namespace.apply(METRICS_FROM_OUTSIDE)
        found = user.wait("held", is_promoted(story.old))
    assert load.failed == []
    assert found["status"]["rollout"]["attempt"] == attempt
    assert [one["outcome"] for one in found["status"]["history"]] == ["Promoted", "Promoted"]


def test_a_new_revision_without_pods_loses_its_share_and_gets_it_back(
    user: OnCluster, tmp_path: Path
) -> None:
    long = {"type": "Weight", "weight": {"percent": 50, "minSeconds": 1000, "maxSeconds": 2000}}
    rollout = canary() | {"steps": [long]}
    story = Story(user, "frail", models.of_countries(tmp_path / "a", FOUR), rollout)
    with story.load(ORDINARY, per_second=100) as load:
        story.ask(models.of_countries(tmp_path / "b", FOUR + " SE"))
        found = story.wait_for_state("Observing")
        new = found["status"]["canaryRevision"]
        user.namespace.kubectl("delete", "pods", "-l", f"{LABEL_REVISION}={new}", "--wait=false")
        user.wait(
            "frail",
            lambda found: (
                state_of(found) == "Scaling" and found["status"]["display"]["weightPercent"] == "0"
            ),
        )
        lost = len(load.answers)
        story.wait_for_state("Observing")
        load.wait_for(50)
    # It was let go of, so what was under way was answered; the rest went to the stable revision.
    assert len(load.failed) < lost * 0.5
    assert {revision for _, revision in load.answers[-50:]} == {story.old, new}
    assert user.run("abort", "frail").code == 0
    found = story.wait_for_state("RolledBack")
    assert found["status"]["stableRevision"] == story.old
