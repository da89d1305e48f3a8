"""Deleted in whatever phase it is, a model leaves nothing behind: no object of any kind."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import behaviour_models as models
from cluster_access import Cluster, Namespace, Object
from cluster_installation import give_credentials
from cluster_inventory import has_only, name_everything
from cluster_looks import condition, model
from cluster_models import model_of, wait_up_to_date
from cluster_operator import Operator, running_operator
from rig.network import HOST_IP
from store_servers import Store

NO_PODS: Object = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "none"},
    "spec": {"hard": {"pods": "0"}},
}
SECONDS = 30


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing: a download from it goes on and on."""
    with socket.create_server((HOST_IP, 0)) as server:
        yield f"{HOST_IP}:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    settings: dict[str, Any],
    silent: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    config = {**settings, "fetchAllow": [*settings["fetchAllow"], silent]}
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where a phase is to be reached: the namespace, and where a model's file may come from."""

    namespace: Namespace
    folder: Path
    registry: Store
    silent: str

    def apply(self, file: Path) -> None:
        self.namespace.apply(model_of(self.registry, file, "churn"))

    def apply_classifier(self, *, flip: bool = False) -> None:
        self.apply(models.classifier(self.folder / f"{flip}.joblib", flip=flip))

    def wait_step(self, step: str) -> None:
        """Until a step of the build runs."""
        self.namespace.wait(f"{step} runs", lambda: step in self._list_running())

    def _list_running(self) -> set[str]:
        return {
            container["name"]
            for pod in self.namespace.list("pods", selector="slipway.dev/component=build")
            for container in pod["status"].get("initContainerStatuses", ())
            if "running" in container["state"]
        }


def reach_applied(stage: Stage) -> None:
    stage.apply_classifier()


def reach_pending(stage: Stage) -> None:
    stage.namespace.apply(NO_PODS)
    stage.apply_classifier()
    stage.namespace.wait("there is a Job", lambda: stage.namespace.list("jobs"))
    assert stage.namespace.list("pods") == []


def reach_resolving(stage: Stage) -> None:
    stage.namespace.apply(model(model={"uri": f"https://{stage.silent}/model.joblib"}))
    stage.wait_step("fetch")


def reach_converting(stage: Stage) -> None:
    stage.apply_classifier()
    stage.wait_step("convert")


def reach_starting(stage: Stage) -> None:
    stage.apply_classifier()
    serving = "slipway.dev/component=serve"
    stage.namespace.wait("a pod starts", lambda: stage.namespace.list("pods", selector=serving))
    assert condition(stage.namespace, "Ready")["status"] == "False"


def reach_changing(stage: Stage) -> None:
    stage.apply_classifier()
    wait_up_to_date(stage.namespace, "churn")
    stage.apply_classifier(flip=True)
    stage.wait_step("convert")
    assert condition(stage.namespace, "Ready")["status"] == "True"


def reach_failed(stage: Stage) -> None:
    broken = stage.folder / "broken.joblib"
    broken.write_bytes(b"no model at all")
    stage.apply(broken)
    stage.namespace.wait(
        "it failed", lambda: condition(stage.namespace, "Stalled").get("status") == "True"
    )


@pytest.fixture
def stage(
    operator: Operator, registry: Store, silent: str, namespace: Namespace, tmp_path: Path
) -> Stage:
    give_credentials(namespace)
    return Stage(namespace=namespace, folder=tmp_path, registry=registry, silent=silent)


@pytest.mark.parametrize(
    "reach",
    [
        reach_applied,
        reach_pending,
        reach_resolving,
        reach_converting,
        reach_starting,
        reach_changing,
        reach_failed,
    ],
    ids=lambda reach: reach.__name__.removeprefix("reach_"),
)
def test_deleted_in_any_phase_it_leaves_nothing(
    stage: Stage, reach: Callable[[Stage], None]
) -> None:
    before = name_everything(stage.namespace)
    reach(stage)
    delete(stage.namespace, before | {("ResourceQuota", "none")})


def test_deleted_while_no_operator_runs_it_leaves_nothing(operator: Operator, stage: Stage) -> None:
    before = name_everything(stage.namespace)
    stage.apply_classifier()
    wait_up_to_date(stage.namespace, "churn")
    operator.stop()
    try:
        delete(stage.namespace, before)
    finally:
        operator.start().wait_leading()
    assert name_everything(stage.namespace) == before, "it makes nothing for what is gone"


def delete(namespace: Namespace, kept: set[tuple[str, str]]) -> None:
    """Delete the model and wait until there is nothing but what is kept."""
    began = time.monotonic()
    namespace.kubectl("delete", "md", "churn")
    namespace.wait("nothing is left", lambda: has_only(namespace, kept))
    assert time.monotonic() - began < SECONDS
