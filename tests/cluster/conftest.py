"""Fixtures of the tests on a real Kubernetes."""

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
