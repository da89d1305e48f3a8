"""An operator with nothing to do writes nothing. `make quiet` watches for longer.

It watches one namespace, so that others may be at work beside it.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import behaviour_models as models
from cluster_access import Cluster, Namespace, Object
from cluster_audit import Write, read_writes
from cluster_copies import apply_copies
from cluster_installation import Images, give_credentials, operator_config
from cluster_models import model_of, wait_up_to_date
from cluster_operator import SYSTEM, Operator, running_operator
from rig.places import find_places
from store_servers import Store

MODELS = int(os.environ.get("SLIPWAY_QUIET_MODELS", "50"))
MINUTES = float(os.environ.get("SLIPWAY_QUIET_MINUTES", "2"))
# so many pods on one node: what they ask for is what such a model takes
SMALL = {"requests": {"cpu": "5m", "memory": "48Mi"}}
LEASE = "slipway-operator"


@pytest.fixture
def operator(
    cluster: Cluster, images: Images, registry: Store, namespace: Namespace, tmp_path: Path
) -> Iterator[Operator]:
    config = {**operator_config(images), "watchNamespaces": [namespace.name]}
    with running_operator(cluster, tmp_path, **config) as running:
        yield running


def test_an_operator_with_ready_models_writes_nothing_but_its_lease(
    operator: Operator, registry: Store, cluster: Cluster, namespace: Namespace, tmp_path: Path
) -> None:
    def list_writes(after: int) -> list[Write]:
        """What the operator wrote, but for its Lease."""
        written = read_writes(find_places().audit, SYSTEM, after=after)
        return [write for write in written if write.place.startswith(f"{namespace.name}/")]

    def is_silent(*, seconds: float) -> bool:
        before = audited()
        time.sleep(seconds)
        return not list_writes(before)

    give_credentials(namespace)
    document = model_of(registry, models.classifier(tmp_path / "m.joblib"), "quiet")
    document["spec"]["serving"]["resources"] = SMALL
    namespace.apply(document)
    built = wait_up_to_date(namespace, "quiet")
    operator.stop()
    apply_copies(namespace, built, [f"quiet-{number}" for number in range(1, MODELS)])
    beginning = audited()
    operator.start().wait_leading()
    wait_ready(cluster, namespace)
    assert len(list_writes(beginning)) > 5 * (MODELS - 1), "writes are seen in the audit log"
    assert len(namespace.list("jobs")) == 1

    cluster.wait(
        "all is told", lambda: is_silent(seconds=3), story=lambda: f"{list_writes(beginning)[-20:]}"
    )
    before = audited()
    time.sleep(MINUTES * 60)
    assert list_writes(before) == []
    written = read_writes(find_places().audit, SYSTEM, after=before)
    renewals = [write for write in written if write.place == f"{SYSTEM}/{LEASE}"]
    assert len(renewals) > MINUTES * 15, "it leads all the time"
    assert len(list_ready(namespace)) == MODELS


def audited() -> int:
    """How long the audit log is."""
    return find_places().audit.stat().st_size


def list_ready(namespace: Namespace) -> Sequence[Object]:
    return [
        found
        for found in namespace.list("md")
        if {"Ready", "UpToDate", "TrafficProgrammed"}
        <= {
            one["type"]
            for one in (found.get("status") or {}).get("conditions", ())
            if one["status"] == "True"
        }
    ]


def wait_ready(cluster: Cluster, namespace: Namespace) -> None:
    """Until all are; as long as some more become so."""
    for wanted in (*range(10, MODELS, 10), MODELS):
        cluster.wait(
            f"{wanted} are ready",
            lambda wanted=wanted: len(list_ready(namespace)) >= wanted,
        )
