"""Kubernetes Events about a model: one object for the same thing said again, with a count."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from slipway_operator.edges.clock import render_time
from slipway_operator.edges.kubernetes.api import KubernetesApi
from slipway_operator.edges.kubernetes.resources import EVENT
from slipway_operator.plan import Event

SOURCE: Final = "slipway"
_MESSAGE_BYTES: Final = 1024  # the API server takes no more
_MARK: Final = 16


def name_event(about: Mapping[str, Any], event: Event) -> str:
    """The name of the object that tells this of this model: the same each time it is told."""
    metadata = about["metadata"]
    told = "\n".join((metadata["uid"], event.type, event.reason, event.message))
    return f"{metadata['name']}.{hashlib.sha256(told.encode()).hexdigest()[:_MARK]}"


async def record_event(
    api: KubernetesApi, about: Mapping[str, Any], event: Event, *, now: datetime
) -> None:
    """Tell it, or count it once more.

    Raises:
        ApiRefused, ApiUnreachable
    """
    metadata = about["metadata"]
    namespace, name = metadata["namespace"], name_event(about, event)
    before = await api.find(EVENT, name, namespace=namespace)
    moment = render_time(now)
    if before is not None:
        count = {"count": int(before.get("count") or 1) + 1, "lastTimestamp": moment}
        await api.merge(EVENT, name, namespace, count)
        return
    await api.create(
        EVENT,
        {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": namespace,
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion"),
            },
            "type": event.type,
            "reason": event.reason,
            "message": _cut(event.message),
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "reportingComponent": SOURCE,
            "reportingInstance": SOURCE,
            "source": {"component": SOURCE},
        },
    )


def _cut(message: str) -> str:
    return message.encode()[:_MESSAGE_BYTES].decode(errors="ignore")
