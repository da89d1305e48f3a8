"""Measure: seconds from `kubectl apply` to Ready and to the first answer, and the writes of it.

On the test cluster with the chart installed. Cold: the artifact has to be built. Made again: the
model was deleted, and its artifact lies in the embedded registry.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import yaml
from table import Row, row_of

import behaviour_models as models
from chart_release import SYSTEM, installed_chart
from cluster_access import Cluster, Namespace, Object, find_cluster
from cluster_audit import Write, read_writes
from cluster_installation import (
    MODELS_DOMAIN,
    chart_values,
    give_credentials,
    load_images,
    start_registry,
)
from cluster_models import gateway_url, model_of, wait_up_to_date
from cluster_operator import install_account
from rig.places import find_places

RUNS = 5
_ROW = b'[{"age": 70.0, "income": 3.0}]'
_QUIET_SECONDS = 5.0  # what is told after Ready belongs to the life
_HANG_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Life:
    """One life: seconds from the apply on, and what the operator wrote."""

    ready: float
    answered: float
    writes: Sequence[Write]


def lead(namespace: Namespace, document: Object) -> Life:
    """Apply, wait until Ready, ask."""
    name = document["metadata"]["name"]
    audit = find_places().audit
    before = audit.stat().st_size
    began = time.perf_counter()
    namespace.apply(document)
    namespace.kubectl("wait", "--for=condition=Ready", f"md/{name}", "--timeout=120s")
    ready = time.perf_counter() - began
    _wait_answered(namespace.cluster, f"{name}.{namespace.name}.{MODELS_DOMAIN}")
    answered = time.perf_counter() - began
    wait_up_to_date(namespace, name)
    time.sleep(_QUIET_SECONDS)
    place = f"{namespace.name}/"
    writes = [one for one in read_writes(audit, SYSTEM, after=before) if place in one.place]
    return Life(ready=ready, answered=answered, writes=writes)


def _wait_answered(cluster: Cluster, host: str) -> None:
    deadline = time.monotonic() + _HANG_SECONDS
    url = f"{gateway_url(cluster)}/predict"
    headers = {"host": host, "content-type": "application/json"}
    while True:
        answer = httpx.post(url, content=_ROW, headers=headers, timeout=10, trust_env=False)
        if answer.status_code == httpx.codes.OK:
            return
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def measure() -> tuple[list[Row], str]:
    """The rows, and what a cold life's writes are."""
    cluster = find_cluster()
    install_account(cluster)
    source, cold, again = start_registry(cluster), [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        values = folder / "values.yaml"
        values.write_text(yaml.safe_dump(chart_values(load_images())))
        file = models.classifier(folder / "m.joblib")
        document = model_of(source, file, "life")
        document["spec"]["model"]["digest"] = f"sha256:{sha256(file.read_bytes()).hexdigest()}"
        with installed_chart(cluster, values):
            for _ in range(RUNS):
                with cluster.namespace() as namespace:
                    give_credentials(namespace)
                    cold.append(lead(namespace, document))
                    namespace.kubectl("delete", "md", "life")
                    namespace.wait("its pods are gone", lambda: not namespace.list("pods"))
                    again.append(lead(namespace, document))
    return [*_rows("cold build", cold), *_rows("made again", again)], _count(cold[-1].writes)


def _rows(what: str, lives: Sequence[Life]) -> list[Row]:
    return [
        row_of(f"{what}: apply to Ready", "s", [one.ready for one in lives]),
        row_of(f"{what}: apply to first answer", "s", [one.answered for one in lives]),
        row_of(f"{what}: writes", "", [len(one.writes) for one in lives]),
    ]


def _count(writes: Sequence[Write]) -> str:
    counts = Counter(f"{one.verb} {one.resource}" for one in writes)
    return ", ".join(f"{often} {what}" for what, often in counts.most_common())


if __name__ == "__main__":
    from table import render

    found, told = measure()
    print(render(found))
    print(f"The writes of a cold build: {told}.")
