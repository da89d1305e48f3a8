"""What a model that is built and served shows of itself: no secret, and pods that may do little."""

import json
from collections import deque
from collections.abc import Iterator

import pytest

import behaviour_models as models
from cluster_access import Cluster, Namespace, Object, Refused
from cluster_canary import find_leaks, read_logs
from cluster_installation import PASSWORD, give_credentials
from cluster_inventory import list_everything
from cluster_looks import NOWHERE, condition
from cluster_models import ask, model_of, wait_up_to_date
from cluster_operator import SYSTEM, Operator
from rig.places import find_places
from store_servers import Store

STORE_KEY = "planted-store-8086"  # beside what is needed to fetch
WRONG = "planted-wrong-6502"


@pytest.fixture(scope="module")
def namespaces(cluster: Cluster) -> Iterator[deque[Namespace]]:
    """One that refuses nothing, for all tests."""
    with cluster.namespace(level="privileged") as made:
        yield deque([made])


@pytest.fixture(scope="module")
def served(
    namespaces: deque[Namespace],
    operator: Operator,
    registry: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> Namespace:
    """A namespace that refuses nothing, with one model that answered and one that was denied."""
    file = models.classifier(tmp_path_factory.mktemp("models") / "m.joblib")
    (namespace,) = namespaces
    give_credentials(namespace)
    give(namespace, "store", username="slipway", password=PASSWORD, token=STORE_KEY)
    give(namespace, "wrong", username="slipway", password=WRONG)
    for name, secret in (("churn", "store"), ("denied", "wrong")):
        document = model_of(registry, file, name)
        document["spec"]["model"]["access"]["secretRef"]["name"] = secret
        namespace.apply(document)
    wait_up_to_date(namespace, "churn")
    address = namespace.get("service", "churn")["spec"]["clusterIP"]
    assert ask(f"http://{address}", models.table(2))
    namespace.wait(
        "the other one is denied",
        lambda: condition(namespace, "Ready", "denied").get("reason") == "ModelAccessDenied",
    )
    return namespace


def give(namespace: Namespace, name: str, **values: str) -> None:
    metadata = {"name": name}
    namespace.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
    )


def test_a_secret_is_in_no_object_event_or_log(
    operator: Operator, served: Namespace, cluster: Cluster
) -> None:
    everything = list_everything(served)
    told: dict[str, list[Object]] = {"secrets": [], "objects": []}
    for obj in everything:
        told["secrets" if obj["kind"] == "Secret" else "objects"].append(obj)
    assert {"Event", "Pod", "Job", "Deployment", "HTTPRoute", "ModelDeployment"} <= {
        obj["kind"] for obj in told["objects"]
    }
    secrets = {"secrets": json.dumps(told["secrets"])}
    logs = read_logs(served)
    steps = {name.rpartition("/")[2] for name in logs}
    assert {"fetch", "convert", "publish", "pull", "serve"} <= steps
    texts = {
        "objects": json.dumps(told["objects"]),
        "operator": operator.log,
        "audit": find_places().audit.read_text(),
        **logs,
        **read_logs(Namespace(cluster=cluster, name=SYSTEM)),
    }
    for secret in (PASSWORD, STORE_KEY, WRONG):
        assert find_leaks(secret, secrets), "it is found where it is"
        assert find_leaks(secret, texts) == {}


def test_every_pod_passes_restricted(served: Namespace) -> None:
    """In the API server's own judgement of the pods that are there."""
    made = {pod["metadata"]["labels"]["slipway.dev/component"] for pod in served.list("pods")}
    assert made == {"build", "serve"}
    enforce(served, "restricted")
    careless = {"containers": [{"name": "main", "image": NOWHERE}]}
    served.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "careless"}, "spec": careless}
    )
    with pytest.raises(Refused, match="careless"):
        enforce(served, "restricted")


def enforce(namespace: Namespace, level: str) -> None:
    """Ask what would be, were the level enforced.

    Raises:
        Refused: with the pods that violate it.
    """
    namespace.cluster.kubectl(
        "label", "namespace", namespace.name, "--overwrite", "--dry-run=server",
        "--warnings-as-errors", f"pod-security.kubernetes.io/enforce={level}",
    )  # fmt: skip
