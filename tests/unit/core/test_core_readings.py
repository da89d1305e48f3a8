"""Which pods are asked what they have counted, and where."""

from typing import Any

import pytest

from core_rollouts import NAME, NEW, ask, begin, live_until
from slipway_operator.lookups import list_pods_to_read
from slipway_operator.state.readings import Reading, list_sources


def pod(name: str = "p-0", **changed: Any) -> dict[str, Any]:
    """A pod that is ready, with other metadata or another status."""
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-04T09:00:00Z"}
    metadata = {"name": name, "uid": f"uid-{name}", "labels": {"slipway.dev/revision": "aaaa"}}
    status = {"phase": "Running", "podIP": "10.1.0.9", "conditions": [condition]}
    return {
        "kind": "Pod",
        "metadata": metadata | changed.get("metadata", {}),
        "status": status | changed.get("status", {}),
    }


def become(status: str, since: str | None = "2026-03-04T09:00:00Z") -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": since}]}


def test_pods_that_are_ready_are_asked_by_name() -> None:
    found = list_sources([pod("p-1"), pod("p-0")])
    assert [(one.pod, one.uid, one.revision, one.address) for one in found] == [
        ("p-0", "uid-p-0", "aaaa", "10.1.0.9:9090"),
        ("p-1", "uid-p-1", "aaaa", "10.1.0.9:9090"),
    ]
    assert found[0].ready_since.isoformat() == "2026-03-04T09:00:00+00:00"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"status": become("False")}, id="not ready"),
        pytest.param({"status": become("Unknown")}, id="its node is lost"),
        pytest.param({"status": become("True", None)}, id="no time"),
        pytest.param({"status": {"conditions": []}}, id="no conditions"),
        pytest.param({"status": {"phase": "Succeeded"}}, id="ended"),
        pytest.param({"status": {"podIP": None}}, id="no address"),
        pytest.param({"status": {"podIP": ""}}, id="an empty address"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-03-04T09:00:00Z"}}, id="terminating"),
    ],
)
def test_others_are_not(changed: dict[str, Any]) -> None:
    assert list_sources([pod(**changed), {"kind": "Pod", "metadata": {"name": "young"}}]) == ()


@pytest.mark.parametrize(
    ("address", "ports", "found"),
    [
        pytest.param("fd00::9", None, "[fd00::9]:9090", id="IPv6"),
        pytest.param("127.0.0.1", '{"metrics": 40123}', "127.0.0.1:40123", id="a laptop"),
        pytest.param("127.0.0.1", '{"http": 40122}', "127.0.0.1:9090", id="another port"),
        pytest.param("10.1.0.9", "no JSON", "10.1.0.9:9090", id="spoiled"),
    ],
)
def test_the_address_is_that_of_the_metrics(address: str, ports: str | None, found: str) -> None:
    annotations = {} if ports is None else {"slipway.dev/ports": ports}
    one = pod(metadata={"annotations": annotations}, status={"podIP": address})
    assert [source.address for source in list_sources([one])] == [found]


def test_a_count_that_went_back_is_another_process() -> None:
    now = Reading(requests=10, rows=20, errors=2)
    assert now.is_after(now)
    assert Reading(requests=11, rows=21, errors=3).is_after(now)
    assert not Reading(requests=9, rows=21, errors=3).is_after(now)
    assert not Reading(requests=11, rows=19, errors=3).is_after(now)
    assert not Reading(requests=11, rows=21, errors=1).is_after(now)


def test_during_a_rollout_the_pods_of_both_revisions_are_asked() -> None:
    cluster = begin()
    asked = cluster.objects["ModelDeployment", NAME]
    assert list_pods_to_read(asked, cluster.of_kind("Pod")) == ()
    live_until(cluster, "Preparing")
    assert list_pods_to_read(asked, cluster.of_kind("Pod")) == ()
    live_until(cluster, "Observing")
    status = cluster.status(NAME)
    both = {status["stableRevision"], status["canaryRevision"]}
    everything = [obj for _, obj in sorted(cluster.objects.items())]
    assert {one.revision for one in list_pods_to_read(asked, everything)} == both
    assert len(list_pods_to_read(asked, everything)) == 2
    for one in cluster.of_kind("Pod"):
        label = one["metadata"]["labels"]
        label["slipway.dev/uid"] = "another"
        if label.get("slipway.dev/revision") == status["canaryRevision"]:
            label |= {"slipway.dev/uid": asked["metadata"]["uid"], "slipway.dev/revision": "old"}
    assert list_pods_to_read(asked, everything) == ()


def test_without_steps_or_with_a_spec_that_cannot_be_read_nobody_is_asked() -> None:
    cluster = begin()
    live_until(cluster, "Observing")
    asked, pods = cluster.objects["ModelDeployment", NAME], cluster.of_kind("Pod")
    assert len(list_pods_to_read(asked, pods)) == 2
    ask(cluster, NEW, {"strategy": "Immediate"})
    assert list_pods_to_read(asked, pods) == ()
    ask(cluster, NEW, {"strategy": "Sometimes"})
    assert list_pods_to_read(asked, pods) == ()
    del asked["status"]
    ask(cluster, NEW)
    assert list_pods_to_read(asked, pods) == ()
