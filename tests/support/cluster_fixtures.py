"""Fixtures of whatever is tested on a real Kubernetes."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from cluster_access import Cluster, Namespace, find_cluster
from cluster_installation import Images, load_images, operator_config, start_registry
from cluster_operator import Operator, install_account, running_operator
from store_servers import Store


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster; it stays up for the next run (`make cluster-down` ends it)."""
    return find_cluster()


@pytest.fixture(scope="module")
def namespaces(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[deque[Namespace]]:
    """New namespaces under Pod Security `restricted`, one for each time that a test asks for one.

    There before the module's operator, which watches them and no other.
    """
    asking = [item.fixturenames for item in _tests_beside(request)]
    count = sum(("namespace" in names) + ("neighbour" in names) for names in asking)
    made = deque(cluster.make_namespace() for _ in range(count))
    yield made
    for never_asked_for in made:
        never_asked_for.delete()


def _tests_beside(request: pytest.FixtureRequest) -> list[pytest.Function]:
    """All tests of the module that asks."""
    return [
        item
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path
    ]


@pytest.fixture
def namespace(namespaces: deque[Namespace]) -> Iterator[Namespace]:
    """A test's own namespace."""
    mine = namespaces.popleft()
    yield mine
    mine.delete()


@pytest.fixture
def neighbour(namespaces: deque[Namespace]) -> Iterator[Namespace]:
    """Another namespace that the same operator watches."""
    mine = namespaces.popleft()
    yield mine
    mine.delete()


def watching(*namespaces: Namespace) -> dict[str, Any]:
    """The settings of an operator that others may run beside."""
    names = [one.name for one in namespaces]
    return {"watchNamespaces": names, "lease": {"name": names[0]}}


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> Images:
    """This checkout's images, on the node."""
    return load_images()


@pytest.fixture(scope="module")
def registry(cluster: Cluster) -> Store:
    """A registry in the cluster: where models come from, and where they go when they are built."""
    install_account(cluster)
    return start_registry(cluster)


@pytest.fixture(scope="module")
def settings(images: Images, registry: Store, namespaces: deque[Namespace]) -> dict[str, Any]:
    """Those of an operator whose builds build and whose pods serve, in the module's namespaces."""
    return {**operator_config(images), **watching(*namespaces)}


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """An operator that runs; a module may have another."""
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **settings) as running:
        yield running
