"""Measure: what the operator takes with 50 and with 1,000 models, and how soon it acts.

On the test cluster, with an operator beside it: a process of this machine with its own rights and
no more. The models serve one artifact and have no pods (`replicas: 0`), so that it is not the node
that decides how many there can be.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from kubernetes import client, config
from table import Row, render, row_of

import behaviour_models as models
from cluster_access import Cluster, Namespace, Object, find_cluster
from cluster_audit import read_writes
from cluster_copies import apply_copies
from cluster_installation import (
    MODELS_DOMAIN,
    give_credentials,
    load_images,
    operator_config,
    start_registry,
)
from cluster_models import model_of, wait_up_to_date
from cluster_operator import SYSTEM, Operator, install_account, running_operator
from rig.places import find_places

COUNTS = (50, 1_000)
STARTS = 5
CHANGES, CHANGES_A_SECOND = 200, 5
# Three lists of everything, and a third of the looks that each model gets in ten minutes anyway.
IDLE_SECONDS = 180
_BATCH = 100
_MIB = 2**20
_HANG_SECONDS = 900.0


def measure(number: int, *, idle_seconds: float) -> list[Row]:
    """The rows of so many models."""
    cluster = find_cluster()
    install_account(cluster)
    registry, images = start_registry(cluster), load_images()
    with tempfile.TemporaryDirectory() as scratch, cluster.namespace() as namespace:
        folder = Path(scratch)
        give_credentials(namespace)
        document = model_of(registry, models.classifier(folder / "m.joblib"), "copy-0")
        document["spec"]["replicas"] = 0
        with running_operator(cluster, folder, **operator_config(images)) as operator:
            namespace.apply(document)
            built = wait_up_to_date(namespace, "copy-0")
            operator.stop()
            _make_copies(namespace, built, number)
            first = _start(operator, number)
            starts = []
            for _ in range(STARTS):
                operator.stop()
                starts.append(_start(operator, number))
            waits = _change(cluster, namespace, operator, number)
            percent, memory, most = _idle(operator, idle_seconds)
    named = f"{number} models"
    p50, p99 = statistics.median(waits), statistics.quantiles(waits, n=100)[98]
    return [
        row_of(f"{named}: memory (RSS) when idle", "MiB", memory),
        row_of(f"{named}: memory, the most", "MiB", [most]),
        row_of(f"{named}: CPU when idle, of a core", "%", [percent]),
        row_of(f"{named}: start to all looked at", "s", starts),
        row_of(f"{named}: start to all made", "s", [first]),
        Row(what=f"{named}: change to first write, p50", unit="ms", runs=len(waits),
            median=p50 * 1e3, low=min(waits) * 1e3, high=max(waits) * 1e3),
        Row(what=f"{named}: change to first write, p99", unit="ms", runs=len(waits),
            median=p99 * 1e3, low=min(waits) * 1e3, high=max(waits) * 1e3),
    ]  # fmt: skip


def _make_copies(namespace: Namespace, built: Object, number: int) -> None:
    names = [f"copy-{each}" for each in range(1, number)]
    for begin in range(0, len(names), _BATCH):
        apply_copies(namespace, built, names[begin : begin + _BATCH])


def _start(operator: Operator, number: int) -> float:
    """Seconds from the start of the process until it has looked at everything."""
    began = time.perf_counter()
    operator.start()
    deadline = time.monotonic() + _HANG_SECONDS
    while not _has_looked(operator, number):
        assert time.monotonic() < deadline, operator.log[-2_000:]
        time.sleep(0.1)
    return time.perf_counter() - began


def _has_looked(operator: Operator, number: int) -> bool:
    looks = operator.metric("slipway_operator_reconcile_seconds_count") or 0
    return looks >= number and operator.metric("slipway_operator_queue_depth") == 0


def _change(cluster: Cluster, namespace: Namespace, operator: Operator, number: int) -> list[float]:
    """Seconds from a change of the spec to the operator's first write about it, a status.

    A model names its own host, or no longer: the gateway, which shares these cores, is left alone.
    """
    before, asked = find_places().audit.stat().st_size, {}
    with _models(cluster) as api:
        for turn in range(CHANGES):
            name = f"copy-{1 + turn % (number - 1)}"
            due = time.monotonic() + 1 / CHANGES_A_SECOND
            is_named = turn // (number - 1) % 2 == 0
            own = [f"{name}.{namespace.name}.{MODELS_DOMAIN}"] if is_named else []
            patch = {"spec": {"traffic": {"hostnames": own}}}
            asked[f"{namespace.name}/{name}", turn] = datetime.now(UTC)
            api.patch_namespaced_custom_object(
                "slipway.dev", "v1alpha1", namespace.name, "modeldeployments", name, patch
            )
            time.sleep(max(0.0, due - time.monotonic()))
    cluster.wait("all are written", lambda: operator.metric("slipway_operator_queue_depth") == 0)
    time.sleep(3)
    writes = read_writes(find_places().audit, SYSTEM, after=before)
    return [
        min(
            (w.asked_at - at).total_seconds()
            for w in writes
            if w.place == place and w.asked_at > at
        )
        for (place, _), at in asked.items()
    ]


@contextmanager
def _models(cluster: Cluster) -> Iterator[client.CustomObjectsApi]:
    config.load_kube_config(str(cluster.kubeconfig))
    with client.ApiClient() as connection:
        yield client.CustomObjectsApi(connection)


def _idle(operator: Operator, seconds: float) -> tuple[float, list[float], float]:
    """Percent of a core, the memory at ten moments, and the most it ever was; in MiB."""
    assert operator.process is not None
    process = psutil.Process(operator.process.pid)
    before, began, memory = sum(process.cpu_times()[:2]), time.monotonic(), []
    for _ in range(10):
        time.sleep(seconds / 10)
        memory.append(process.memory_info().rss / _MIB)
    spent, passed = sum(process.cpu_times()[:2]) - before, time.monotonic() - began
    status = Path(f"/proc/{process.pid}/status").read_text()
    most = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return 100 * spent / passed, memory, most


if __name__ == "__main__":
    for count in COUNTS:
        print(render(measure(count, idle_seconds=IDLE_SECONDS)), flush=True)
