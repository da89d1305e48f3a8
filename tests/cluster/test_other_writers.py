"""What others write on a model's children stays theirs; what is ours is put back beside it."""

import json
from pathlib import Path

import pytest

import behaviour_models as models
from cluster_access import Namespace, Object
from cluster_installation import give_credentials
from cluster_models import model_of, wait_up_to_date
from cluster_operator import Operator
from store_servers import Store

SERVING = "slipway.dev/component=serve"
STRAY = '{"spec":{"selector":{"stray":"yes"}}}'


@pytest.fixture
def deployment(operator: Operator, registry: Store, namespace: Namespace, tmp_path: Path) -> str:
    """The Deployment of a small model that serves."""
    give_credentials(namespace)
    namespace.apply(model_of(registry, models.classifier(tmp_path / "m.joblib"), "churn"))
    wait_up_to_date(namespace, "churn")
    (found,) = namespace.list("deployments", selector=SERVING)
    return str(found["metadata"]["name"])


def autoscaler(deployment: str) -> Object:
    """One that wants two pods whatever it measures."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "churn"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 2},
    }


def count_corrections(namespace: Namespace) -> int:
    return sum(
        event.get("count", 1)
        for event in namespace.list("events")
        if event["reason"] == "DriftCorrected"
    )


def test_an_autoscaler_keeps_its_number_and_others_their_marks_while_edits_are_put_back(
    namespace: Namespace, deployment: str
) -> None:
    def look() -> Object:
        return namespace.get("deployment", deployment)

    asked = look()["spec"]
    marked = [("deployment", deployment)]
    marked += [(kind, "churn") for kind in ("service", "serviceaccount", "httproute")]
    # a hand that scales is put back
    namespace.kubectl("scale", "deployment", deployment, "--replicas=3")
    namespace.wait("one pod is asked for again", lambda: look()["spec"]["replicas"] == 1)
    # an autoscaler that scales is not, and the model says what it sees
    namespace.apply(autoscaler(deployment))
    namespace.wait(
        "there are two", lambda: namespace.get("md", "churn")["status"].get("replicas") == 2
    )
    told = count_corrections(namespace)
    # marks of other controllers
    for kind, name in marked:
        theirs = ("--field-manager=other", "other.example/mark=theirs")
        namespace.kubectl("annotate", kind, name, *theirs)
        namespace.kubectl("label", kind, name, *theirs)
    # edits by hand beside them
    namespace.kubectl("set", "image", f"deployment/{deployment}", "serve=example.com/other:1")
    namespace.kubectl("patch", "service", "churn", "--type=merge", "-p", STRAY)
    namespace.kubectl("label", "deployment", deployment, "slipway.dev/uid-")
    namespace.wait(
        "everything of ours is as it was",
        lambda: (
            look()["spec"]["template"]["spec"] == asked["template"]["spec"]
            and "slipway.dev/uid" in look()["metadata"]["labels"]
            and "stray" not in namespace.get("service", "churn")["spec"]["selector"]
        ),
    )
    namespace.wait("it is told", lambda: count_corrections(namespace) > told)
    found = look()
    assert found["spec"]["replicas"] == 2
    assert find_counters(namespace, deployment) == {"kube-controller-manager"}
    for kind, name in marked:
        metadata = namespace.get(kind, name)["metadata"]
        assert metadata["annotations"]["other.example/mark"] == "theirs"
        assert metadata["labels"]["other.example/mark"] == "theirs"
    # the model's own number takes it back
    namespace.kubectl("delete", "hpa", "churn")
    namespace.kubectl("scale", "md", "churn", "--replicas=1")
    namespace.wait("there is one", lambda: look()["spec"]["replicas"] == 1)
    assert namespace.get("md", "churn")["spec"]["replicas"] == 1


def find_counters(namespace: Namespace, deployment: str) -> set[str]:
    """Who owns the number of pods, in the API server's record."""
    told = namespace.kubectl("get", "deployment", deployment, "-o", "json", "--show-managed-fields")
    found = json.loads(told)["metadata"]["managedFields"]
    return {one["manager"] for one in found if "f:replicas" in one["fieldsV1"].get("f:spec", {})}
