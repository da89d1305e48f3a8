"""One place for all stories of a file, each story with names of its own.

Stories that ask for a `user` are told of a laptop and, with SLIPWAY_TEST_PLACE=cluster, of a real
Kubernetes; those that ask for a `laptop` are about what only that has: engine, disk, pages, files.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviour_laptop import Laptop
from behaviour_terminal import Terminal

ON_CLUSTER = os.environ.get("SLIPWAY_TEST_PLACE", "laptop") == "cluster"
if ON_CLUSTER:
    from cluster_fixtures import cluster, images, registry

    __all__ = ["cluster", "images", "registry"]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A running engine; at the end it must go and leave no process behind."""
    engine = Laptop(data=tmp_path_factory.mktemp("data"))
    engine.start()
    yield engine
    engine.stop()
    assert engine.processes() == []


@pytest.fixture(scope="module")
def user(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    """Who deploys models, wherever; on a cluster in a namespace that has an operator of its own."""
    if not ON_CLUSTER:
        yield request.getfixturevalue("laptop")
        return
    from behaviour_cluster import METRICS_FROM_OUTSIDE, OnCluster
    from cluster_fixtures import watching
    from cluster_installation import operator_config
    from cluster_operator import running_operator

    cluster, images, registry = map(request.getfixturevalue, ("cluster", "images", "registry"))
    with cluster.namespace() as made:
        config = {**operator_config(images), **watching(made)}
        with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config):
            place = OnCluster(namespace=made, registry=registry)
            place.start()
            made.apply(METRICS_FROM_OUTSIDE)
            yield place


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a cluster only the stories that are told of both."""
    if not ON_CLUSTER:
        return
    here = Path(__file__).parent
    kept = [
        item
        for item in items
        if here not in item.path.parents
        or (isinstance(item, pytest.Function) and is_of_both(item.fixturenames))
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def is_of_both(fixtures: list[str]) -> bool:
    return "user" in fixtures and "laptop" not in fixtures


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of examples, trained by `make examples`."""
    folder = Path(__file__).resolve().parents[2] / "examples"
    assert (folder / "penguins/model.joblib").exists(), "run `make examples` first"
    return folder
