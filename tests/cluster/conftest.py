"""Fixtures of the tests on a real Kubernetes."""

from cluster_fixtures import cluster, images, namespace, operator, registry

__all__ = ["cluster", "images", "namespace", "operator", "registry"]
