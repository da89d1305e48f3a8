"""What keeps a built model's pods from answering: told in the cluster's words, then healed.

Each is a model that was really built; what keeps a build from its pod is in `test_troubles.py`.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import behaviour_models as models
from cluster_access import Cluster, Namespace, Object
from cluster_installation import Images, give_credentials
from cluster_looks import condition
from cluster_models import model_of, wait_up_to_date
from cluster_operator import Operator, running_operator
from rig.node import containerd_command
from rig.places import find_places
from store_servers import Store

MEMORY = "6Gi"  # more than any container of a build has


@pytest.fixture(scope="module")
def late(images: Images) -> str:
    """A name for the native image that the node does not have."""
    return f"localhost/slipway/late@{images.native.partition('@')[2]}"


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    settings: dict[str, Any],
    late: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    config = {**settings, "images": {**settings["images"], "native": late}}
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config) as running:
        yield running


@pytest.fixture
def asked(operator: Operator, registry: Store, namespace: Namespace, tmp_path: Path) -> Object:
    """A small model, not yet applied."""
    give_credentials(namespace)
    return model_of(registry, models.classifier(tmp_path / "model.joblib"), "churn")


def wait_told(namespace: Namespace, reason: str, words: str) -> Object:
    """Until the model is not ready for this reason, in these words."""

    def look() -> Object | None:
        found = condition(namespace, "Ready")
        right = found.get("reason") == reason and words in found.get("message", "")
        return found if right else None

    def story() -> str:
        return f"{namespace.kubectl('describe', 'md', 'churn')}\n{namespace.story()}"

    told = namespace.cluster.wait(f"{reason} is told", look, story=story)
    assert told["status"] == "False"
    assert reason in namespace.kubectl("get", "md", "churn")
    assert reason in namespace.kubectl("get", "events")
    assert condition(namespace, "ModelReady")["status"] == "True"
    return told


def wait_healed(namespace: Namespace) -> None:
    wait_up_to_date(namespace, "churn")
    namespace.kubectl("wait", "--for=condition=Ready", "md/churn", "--timeout=100s")


def patch(namespace: Namespace, **serving: Any) -> None:
    change = json.dumps({"spec": {"serving": serving}})
    namespace.kubectl("patch", "md", "churn", "--type=merge", "-p", change)


QUOTA: Object = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "small"},
    "spec": {"hard": {"limits.memory": "5Gi"}},
}
LIMITS: Object = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "small"},
    "spec": {"limits": [{"type": "Container", "max": {"memory": "5Gi"}}]},
}


@pytest.mark.parametrize(
    ("document", "reason", "words"),
    [
        (QUOTA, "QuotaExceeded", "exceeded quota: small"),
        (LIMITS, "PodRejected", "maximum memory usage per Container is 5Gi"),
    ],
    ids=["quota", "limit-range"],
)
def test_a_revision_that_gets_no_pod_says_why(
    namespace: Namespace,
    asked: Object,
    document: Object,
    reason: str,
    words: str,
) -> None:
    asked["spec"]["serving"]["resources"]["limits"] = {"memory": MEMORY}
    namespace.apply(document)
    namespace.apply(asked)
    wait_told(namespace, reason, words)
    namespace.kubectl("delete", document["kind"], "small")
    wait_healed(namespace)


def test_a_pod_that_fits_on_no_node_says_why(namespace: Namespace, asked: Object) -> None:
    asked["spec"]["serving"]["podTemplate"] = {"nodeSelector": {"disk": "none"}}
    namespace.apply(asked)
    wait_told(namespace, "Unschedulable", "didn't match Pod's node affinity/selector")
    patch(namespace, podTemplate=None)
    wait_healed(namespace)


def test_an_image_that_the_node_cannot_get_is_named(
    namespace: Namespace, asked: Object, images: Images, late: str
) -> None:
    asked["spec"]["model"]["runtime"] = "Native"
    namespace.apply(asked)
    wait_told(namespace, "ImagePullFailed", late)
    tag = [*containerd_command(find_places()), "images"]
    subprocess.run([*tag, "tag", images.native, late], check=True, capture_output=True)
    try:
        wait_healed(namespace)
    finally:
        subprocess.run([*tag, "rm", late], check=True, capture_output=True)


def test_a_pod_that_has_too_little_memory_says_so(namespace: Namespace, asked: Object) -> None:
    asked["spec"]["serving"]["resources"]["limits"] = {"memory": "24Mi"}
    namespace.apply(asked)
    told = wait_told(namespace, "OutOfMemory", "OOMKilled")
    assert "churn" in told["message"]
    patch(namespace, resources={"limits": {"memory": "512Mi"}})
    wait_healed(namespace)


def test_a_pod_that_ends_again_and_again_says_its_last_words(
    operator: Operator, namespace: Namespace, asked: Object
) -> None:
    namespace.apply(asked)
    wait_up_to_date(namespace, "churn")
    # nobody may read the artifact any more, and the pod is lost
    give_credentials(namespace, password="planted-wrong-2953")
    serving = ("pods", "-l", "slipway.dev/revision")
    namespace.kubectl("delete", *serving, "--wait=false")
    told = wait_told(namespace, "CrashLoop", "exit code")
    assert "pull" in told["message"]
    assert "planted" not in namespace.kubectl("get", "md,pods,events", "-o", "yaml")
    assert "planted" not in operator.log
    give_credentials(namespace)
    # another pod at once, instead of the next try of this one
    namespace.kubectl("delete", *serving, "--wait=false")
    wait_healed(namespace)
