"""Kubernetes Events: one object for the same thing said again, with a count."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from slipway_operator.edges.clock import parse_time, render_time, utc_now
from slipway_operator.local.kinds import EVENT, Kind
from slipway_operator.local.objects import (
    build_reference,
    child_name,
    name_of,
    namespace_of,
    short_hash,
    uid_of,
)
from slipway_operator.local.store import Store

KEPT: Final = timedelta(hours=1)
SOURCE: Final = "slipway"


def record_event(
    store: Store,
    kind: Kind,
    about: Mapping[str, Any],
    *,
    type_: str,
    reason: str,
    message: str,
    now: datetime,
) -> None:
    """Say something about an object; ``type_`` is ``Normal`` or ``Warning``."""
    namespace = namespace_of(about)
    mark = short_hash(uid_of(about), type_, reason, message, length=16)
    name = child_name(name_of(about), mark)
    before = store.find(EVENT, namespace, name)
    store.apply(
        {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": build_reference(kind, about),
            "type": type_,
            "reason": reason,
            "message": message,
            "count": int(before["count"]) + 1 if before else 1,
            "firstTimestamp": before["firstTimestamp"] if before else render_time(now),
            "lastTimestamp": render_time(now),
            "reportingComponent": SOURCE,
            "source": {"component": SOURCE},
        },
        manager=SOURCE,
    )


def forget_old_events(store: Store) -> None:
    """Drop the events that nobody repeated for an hour."""
    limit = utc_now() - KEPT
    for event in store.list(EVENT):
        if parse_time(event["lastTimestamp"]) < limit:
            store.delete(EVENT, namespace_of(event), name_of(event), uid=uid_of(event))
