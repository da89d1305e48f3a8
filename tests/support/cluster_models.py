"""A model on the cluster as a test makes it, waits for it and asks it."""

import json
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from cluster_access import Cluster, Namespace, Object
from cluster_installation import GATEWAY, REGISTRY_HOST
from store_push import push
from store_servers import Store


def model_of(registry: Store, file: Path, name: str, *, samples: Path | None = None) -> Object:
    """A ModelDeployment of a file that was pushed into the registry."""
    pushed = push(registry, file, f"sources/{name}:1", samples=samples)
    uri = pushed.replace(registry.address, REGISTRY_HOST)
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "model": {
                "uri": uri,
                **({"samples": {"uri": uri}} if samples else {}),
                "access": {"secretRef": {"name": "slipway-registry"}},
            },
            "rollout": {"strategy": "Immediate"},
            "serving": {"resources": {"requests": {"cpu": "50m"}}},
        },
    }


def wait_up_to_date(namespace: Namespace, name: str) -> Object:
    """Until the newest generation serves."""

    def look() -> Object | None:
        found = namespace.get("md", name)
        if (found.get("status") or {}).get("observedGeneration") != found["metadata"]["generation"]:
            return None
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
