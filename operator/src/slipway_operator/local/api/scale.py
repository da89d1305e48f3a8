"""The subresource ``scale``: the number of replicas, and nothing else of an object."""

from collections.abc import Mapping
from typing import Any

from slipway_operator.local.errors import BadRequest
from slipway_operator.local.kinds import MODEL_DEPLOYMENT, Kind

Object = dict[str, Any]
_NAMES = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def build_scale(kind: Kind, item: Mapping[str, Any]) -> Object:
    """How many replicas an object wants and has, as ``autoscaling/v1 Scale``."""
    spec, status = item["spec"], item.get("status") or {}
    if kind is MODEL_DEPLOYMENT:
        selector = status.get("selector", "")
    else:
        labels = (spec.get("selector") or {}).get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: item["metadata"][name] for name in _NAMES},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {"replicas": status.get("replicas", 0), "selector": selector},
    }


def read_scale(document: Mapping[str, Any]) -> Object:
    """The patch of the object that a Scale, whole or as a merge patch, asks for.

    Raises:
        BadRequest: when it names no number of replicas.
    """
    spec, metadata = document.get("spec"), document.get("metadata")
    replicas = spec.get("replicas") if isinstance(spec, Mapping) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise BadRequest("A Scale needs spec.replicas, a number that is not negative.")
    given = metadata if isinstance(metadata, Mapping) else {}
    kept = {name: given[name] for name in ("uid", "resourceVersion") if given.get(name)}
    return {"metadata": kept, "spec": {"replicas": replicas}}
