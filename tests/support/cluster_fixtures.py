"""Fixtures of whatever is tested on a real Kubernetes."""

from collections.abc import Iterator

import pytest

from cluster_access import Cluster, Namespace, find_cluster
from cluster_installation import Images, load_images, operator_config, start_registry
from cluster_operator import Operator, install_account, running_operator
from store_servers import Store


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster; it stays up for the next run (`make cluster-down` ends it)."""
    return find_cluster()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A new namespace under Pod Security `restricted`."""
    with cluster.namespace() as made:
        yield made


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
def operator(
    cluster: Cluster,
    images: Images,
    registry: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """An operator whose builds build and whose pods serve; a module may have another."""
    config = operator_config(images)
    with running_operator(cluster, tmp_path_factory.mktemp("operator"), **config) as running:
        yield running
