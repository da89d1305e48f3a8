"""From a file in a registry to an answer through the Gateway, on a real cluster."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest

from cluster_access import Cluster, Namespace, Object
from cluster_installation import (
    REGISTRY_HOST,
    Images,
    give_credentials,
    load_images,
    start_registry,
    trained,
)
from cluster_operator import Operator, install_account, running_operator
from store_push import push
from store_servers import Store

GATEWAY = {"name": "slipway", "namespace": "envoy-gateway-system"}
DOMAIN = "models.example"


@pytest.fixture(scope="module")
def images() -> Images:
    return load_images()


@pytest.fixture(scope="module")
def registry(cluster: Cluster) -> Store:
    install_account(cluster)
    return start_registry(cluster)


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    images: Images,
    registry: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    config: dict[str, Any] = {
        "artifactStore": f"oci+http://{REGISTRY_HOST}/models",
        "images": {"build": images.native, "onnx": images.runtime, "native": images.native},
        "domain": DOMAIN,
        "fetchAllow": [REGISTRY_HOST],
    }
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config) as running:
        yield running


def model_of(registry: Store, folder: Path, name: str) -> Object:
    """A ModelDeployment of an example that was pushed into the registry."""
    file = next(path for path in sorted(folder.glob("model*")) if path.is_file())
    pushed = push(registry, file, f"sources/{name}:1", samples=folder / "samples.csv")
    uri = pushed.replace(registry.address, REGISTRY_HOST)
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {
                "uri": uri,
                "samples": {"uri": uri},
                "access": {"secretRef": {"name": "slipway-registry"}},
            },
            "traffic": {"gateway": GATEWAY},
            "serving": {"resources": {"requests": {"cpu": "50m"}}},
        },
    }


def wait_up_to_date(namespace: Namespace, name: str) -> Object:
    def look() -> Object | None:
        found = namespace.get("md", name)
        conditions = (found.get("status") or {}).get("conditions", ())
        up = [one for one in conditions if one["type"] == "UpToDate" and one["status"] == "True"]
        return found if up else None

    def story() -> str:
        return f"{namespace.kubectl('describe', 'md', name)}\n{namespace.story()}"

    return namespace.cluster.wait(f"{name} is up to date", look, story=story)


def ask(url: str, rows: pd.DataFrame, **headers: str) -> list[Any]:
    body = json.loads(rows.to_json(orient="records"))
    answer = httpx.post(f"{url}/predict", json=body, headers=headers, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["predictions"])


def gateway_url(cluster: Cluster) -> str:
    address = cluster.kubectl(
        "get", "gateway", "-n", GATEWAY["namespace"], GATEWAY["name"],
        "-o", "jsonpath={.status.addresses[0].value}",
    )  # fmt: skip
    return f"http://{address}"


@pytest.mark.parametrize(
    ("name", "runtime"), [("penguins", "ONNX"), ("custom", "Native")], ids=["onnx", "native"]
)
def test_a_model_is_built_served_and_answers_like_the_original(
    operator: Operator, registry: Store, namespace: Namespace, name: str, runtime: str
) -> None:
    give_credentials(namespace)
    folder = trained(name)
    namespace.apply(model_of(registry, folder, name))
    found = wait_up_to_date(namespace, name)
    status = found["status"]
    assert status["runtime"] == runtime
    host = f"{name}.{namespace.name}.{DOMAIN}"
    assert status["url"] == f"http://{host}"
    assert status["addresses"]["inCluster"] == f"http://{name}.{namespace.name}.svc"

    rows = pd.read_csv(folder / "rows.csv")
    wanted = joblib.load(folder / "model.joblib").predict_proba(rows)
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
    kinds = "serviceaccounts,networkpolicies,jobs,deployments,services,httproutes,pods"
    namespace.wait("everything is gone", lambda: not namespace.list(kinds, "-l", "slipway.dev/uid"))
