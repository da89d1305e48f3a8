"""What a namespace refuses, in the condition, in the API server's words; healed when it may be.

Builds whose image exists nowhere: what is looked at is what comes before it would be pulled.
"""

from collections import deque
from collections.abc import Iterator

import pytest

from cluster_access import Cluster, Namespace, Object
from cluster_fixtures import watching
from cluster_looks import CONFIG, condition, kinds_of, model
from cluster_operator import Operator, running_operator


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, namespaces: deque[Namespace], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    config = {**CONFIG, **watching(*namespaces)}
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config) as running:
        yield running


def quota(**hard: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": hard},
    }


LIMITS: Object = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "small"},
    "spec": {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]},
}


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        (quota(pods="0"), "resourcequota", "exceeded quota: small"),
        (quota(**{"limits.memory": "1Mi"}), "resourcequota", "exceeded quota: small"),
        (LIMITS, "limitrange", "maximum memory usage per Container is 64Mi"),
    ],
    ids=["pods", "memory", "limit-range"],
)
def test_a_build_that_gets_no_pod_says_why(
    operator: Operator, namespace: Namespace, document: Object, kind: str, words: str
) -> None:
    namespace.apply(document)
    namespace.apply(model())
    told = namespace.wait(
        "it is told",
        lambda: (
            found if words in (found := condition(namespace, "Ready")).get("message", "") else None
        ),
    )
    assert (told["status"], told["reason"]) == ("False", "Building")
    assert "waiting for a place to run" in told["message"]
    assert words in namespace.kubectl("describe", "md", "churn")
    assert "Pod" not in kinds_of(namespace)
    before = namespace.get("md", "churn")["metadata"]["resourceVersion"]
    namespace.kubectl("delete", kind, "small")
    namespace.wait("the build gets its pod", lambda: "Pod" in kinds_of(namespace))
    namespace.wait(
        "it is told no more",
        lambda: words not in condition(namespace, "Ready").get("message", ""),
    )
    assert namespace.get("md", "churn")["metadata"]["resourceVersion"] != before
