"""Fixtures of the tests on a real Kubernetes."""

from collections.abc import Iterator

import pytest

from cluster_access import Cluster, Namespace, find_cluster


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster; it stays up for the next run (`make cluster-down` ends it)."""
    return find_cluster()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A new namespace under Pod Security `restricted`."""
    with cluster.namespace() as made:
        yield made
