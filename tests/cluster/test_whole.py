"""From a file in a registry to an answer through the Gateway, on a real cluster."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from xgboost import XGBClassifier

import behaviour_models as models
from cluster_access import Cluster, Namespace
from cluster_installation import MODELS_DOMAIN, give_credentials, trained
from cluster_inventory import has_only, list_models, name_everything
from cluster_models import ask, gateway_url, model_of, wait_up_to_date
from cluster_operator import Operator
from cluster_pods import SAFE, pod_of
from slipway_operator.resources.restricted import USER_ID
from store_servers import Store


def load_xgboost(file: Path) -> Any:
    model = XGBClassifier(n_jobs=1)
    model.load_model(file)
    return model


# A kernel counts the threads of a user over all pods of its node.
CROWD = """
import threading, time
threading.stack_size(65536)
for _ in range(600):
    threading.Thread(target=time.sleep, args=(3600,)).start()
print("all are there", flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def crowd(cluster: Cluster) -> Iterator[None]:
    """A pod of the same user that runs as many threads as the servers of many models."""
    with cluster.namespace() as elsewhere:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "crowd"}}
        user = {**SAFE, "runAsUser": USER_ID}
        elsewhere.apply({**pod, "spec": pod_of("-c", CROWD, securityContext=user)})
        elsewhere.wait("they run", lambda: "all are there" in elsewhere.kubectl("logs", "crowd"))
        yield


@dataclass(frozen=True, kw_only=True)
class Original:
    """A sample's file, how its own framework opens it, and how it is to be served."""

    file: str
    load: Callable[[Path], Any]
    runtime: str


ORIGINALS = {
    "penguins": Original(file="model.joblib", load=joblib.load, runtime="ONNX"),
    "xgboost": Original(file="model.ubj", load=load_xgboost, runtime="ONNX"),
    "custom": Original(file="model.joblib", load=joblib.load, runtime="Native"),
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_model_is_built_served_and_answers_like_the_original(
    operator: Operator, registry: Store, namespace: Namespace, name: str
) -> None:
    original = ORIGINALS[name]
    give_credentials(namespace)
    before = name_everything(namespace)
    folder = trained(name)
    file = folder / original.file
    namespace.apply(model_of(registry, file, name, samples=folder / "samples.csv"))
    found = wait_up_to_date(namespace, name)
    status = found["status"]
    assert status["runtime"] == original.runtime
    host = f"{name}.{namespace.name}.{MODELS_DOMAIN}"
    assert status["url"] == f"http://{host}"
    assert status["addresses"]["inCluster"] == f"http://{name}.{namespace.name}.svc"

    rows = pd.read_csv(folder / "rows.csv")
    wanted = original.load(file).predict_proba(rows)
    service = namespace.get("service", name)["spec"]["clusterIP"]
    for url, headers in (
        (f"http://{service}", {}),
        (gateway_url(namespace.cluster), {"host": host}),
    ):
        told = [list(one["probabilities"].values()) for one in ask(url, rows, **headers)]
        np.testing.assert_allclose(np.asarray(told), wanted, rtol=1e-4, atol=1e-5)

    line = namespace.kubectl("get", "md", name).splitlines()[1].split()
    assert line[:3] == [name, f"http://{host}", "True"]
    namespace.kubectl("wait", "--for=condition=Ready", f"md/{name}", "--timeout=10s")
    namespace.kubectl("delete", "md", name)
    namespace.wait("everything is gone", lambda: has_only(namespace, before))
    assert name_everything(namespace) == before


def test_a_namespace_that_goes_in_the_middle_of_a_build_is_gone(
    operator: Operator, registry: Store, namespace: Namespace, tmp_path: Path
) -> None:
    give_credentials(namespace)
    namespace.apply(model_of(registry, models.classifier(tmp_path / "m.joblib"), "brief"))
    namespace.wait("it is built", lambda: namespace.list("pods"))
    began = time.monotonic()
    namespace.delete()
    cluster = namespace.cluster
    cluster.wait(
        "the namespace is gone",
        lambda: namespace.name not in cluster.kubectl("get", "namespaces"),
    )
    assert time.monotonic() - began < 60


def test_deleted_and_made_again_at_once_it_is_another(
    operator: Operator, registry: Store, namespace: Namespace, tmp_path: Path
) -> None:
    give_credentials(namespace)
    document = model_of(registry, models.classifier(tmp_path / "m.joblib"), "again")
    namespace.apply(document)
    first = wait_up_to_date(namespace, "again")["metadata"]["uid"]
    namespace.kubectl("delete", "md", "again")
    namespace.apply(document)
    assert first in list_models(namespace), "of the first one much is still there"
    second = wait_up_to_date(namespace, "again")["metadata"]["uid"]
    assert first != second
    namespace.wait("nothing is left of the first", lambda: list_models(namespace) == {second})
    rows = models.table(4)
    address = namespace.get("service", "again")["spec"]["clusterIP"]
    assert len(ask(f"http://{address}", rows)) == len(rows)
    assert list_models(namespace) == {second}
