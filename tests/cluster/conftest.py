"""Fixtures of the tests on a real Kubernetes."""

import pytest

from behaviour_cluster import METRICS_FROM_OUTSIDE, OnCluster
from cluster_access import Namespace
from cluster_fixtures import (
    cluster,
    images,
    namespace,
    namespaces,
    neighbour,
    operator,
    registry,
    settings,
)
from cluster_operator import Operator
from store_servers import Store

__all__ = [
    "cluster",
    "images",
    "namespace",
    "namespaces",
    "neighbour",
    "operator",
    "registry",
    "settings",
]


@pytest.fixture
def user(operator: Operator, registry: Store, namespace: Namespace) -> OnCluster:
    """Who tells the terminal what to do, with an operator that may read the pods' counts."""
    place = OnCluster(namespace=namespace, registry=registry)
    place.start()
    namespace.apply(METRICS_FROM_OUTSIDE)
    return place
