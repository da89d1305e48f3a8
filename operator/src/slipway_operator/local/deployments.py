"""Deployments: so many pods of the newest template; old ones go as new ones are ready.

A pod's name holds its ordinal and the template's hash, so a crash between any two steps makes no
pod twice. Writes the deployment's status. Processes are ``pods``' business.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from slipway_operator.edges.clock import parse_time, utc_now
from slipway_operator.local.kinds import DEPLOYMENT, POD
from slipway_operator.local.objects import (
    child_name,
    find_condition,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    set_condition,
    short_hash,
    uid_of,
)
from slipway_operator.local.pod_owner import PodOwner, build_pod
from slipway_operator.local.store import Store

Object = dict[str, Any]
HASH_LABEL: Final = "pod-template-hash"


class DeploymentController(PodOwner):
    """Makes pods for deployments and writes deployments' statuses."""

    def __init__(self, *, store: Store) -> None:
        super().__init__(kind=DEPLOYMENT, store=store)

    def sync(self, owner: Object, pods: list[Object]) -> float | None:
        """As many pods of the newest template as asked for; old ones go as new ones are ready."""
        wanted = int(owner["spec"].get("replicas", 1))
        template_hash = short_hash(json.dumps(owner["spec"]["template"], sort_keys=True), length=10)
        living = [p for p in pods if not is_deleting(p)]
        new = [p for p in living if labels_of(p).get(HASH_LABEL) == template_hash]
        old = [p for p in living if labels_of(p).get(HASH_LABEL) != template_hash]
        for ordinal in range(wanted):
            pod = build_pod(
                owner,
                name=_pod_name(owner, template_hash, ordinal),
                labels={HASH_LABEL: template_hash},
            )
            leaving = any(name_of(p) == name_of(pod) and is_deleting(p) for p in pods)
            if not leaving and not any(name_of(p) == name_of(pod) for p in new):
                new.append(self._store.apply(pod, manager="slipway-deployments"))
        surplus = [p for p in new if not _is_ordinal_within(p, owner, template_hash, wanted)]
        ready = [p for p in new if _is_ready(p)]
        if len(ready) >= wanted:
            surplus += old
        elif old:
            # never fewer able to serve than asked for: an old pod goes for each new ready one
            unready_old = [p for p in old if not _is_ready(p)]
            ready_old = [p for p in old if _is_ready(p)]
            surplus += unready_old if ready_old else []
            surplus += ready_old[: max(0, len(ready) + len(ready_old) - wanted)]
        for pod in surplus:
            self._store.delete(POD, namespace_of(pod), name_of(pod), uid=uid_of(pod))
        return self._write_status(owner, living, new, wanted)

    def _write_status(
        self, deployment: Object, living: list[Object], new: list[Object], wanted: int
    ) -> float | None:
        now = utc_now()
        settle = timedelta(seconds=float(deployment["spec"].get("minReadySeconds", 0)))
        ready = [p for p in living if _is_ready(p)]
        since = [parse_time(condition["lastTransitionTime"])
                 for p in ready if (condition := find_condition(p, "Ready"))]  # fmt: skip
        available = sum(moment + settle <= now for moment in since)
        conditions = list((deployment.get("status") or {}).get("conditions") or ())
        conditions = set_condition(
            conditions,
            type_="Available",
            status=available >= wanted,
            reason="MinimumReplicasAvailable" if available >= wanted
            else "MinimumReplicasUnavailable",
            message=f"Deployment has {available} of {wanted} replicas available.",
            now=now,
        )  # fmt: skip
        wait: float | None = None
        complete = available >= wanted and len(new) >= wanted and len(living) == len(new)
        progressing, reason, message = True, "NewReplicaSetAvailable", "All replicas are available."
        if not complete:
            wait = self._compute_progress_left(deployment, new)
            progressing = wait is None or wait > 0
            reason = "ReplicaSetUpdated" if progressing else "ProgressDeadlineExceeded"
            message = (
                "Waiting for replicas to become available."
                if progressing
                else "Replicas did not become available within progressDeadlineSeconds."
            )
        conditions = set_condition(
            conditions, type_="Progressing", status=progressing, reason=reason, message=message,
            now=now,
        )  # fmt: skip
        status: Object = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(living),
            "updatedReplicas": len(new),
            "readyReplicas": len(ready),
            "availableReplicas": available,
            "unavailableReplicas": max(0, wanted - available),
            "conditions": conditions,
        }
        self._store.set_status(
            DEPLOYMENT, namespace_of(deployment), name_of(deployment), uid_of(deployment), status
        )
        pending = [(moment + settle - now).total_seconds() for moment in since]
        waits = [w for w in (*pending, wait or 0.0) if w > 0]
        return min(waits) if waits else None

    def _compute_progress_left(self, deployment: Object, new: list[Object]) -> float | None:
        """Seconds until the deployment has made no progress for too long; None without pods."""
        if not new:
            return None
        limit = timedelta(seconds=float(deployment["spec"].get("progressDeadlineSeconds", 600)))
        newest = max(parse_time(p["metadata"]["creationTimestamp"]) for p in new)
        return (newest + limit - utc_now()).total_seconds()


def _is_ready(pod: Mapping[str, Any]) -> bool:
    condition = find_condition(pod, "Ready")
    return condition is not None and condition["status"] == "True" and not is_deleting(pod)


def _pod_name(deployment: Mapping[str, Any], template_hash: str, ordinal: int) -> str:
    suffix = f"{template_hash[:6]}-{short_hash(uid_of(deployment), str(ordinal), length=5)}"
    return child_name(name_of(deployment), suffix)


def _is_ordinal_within(
    pod: Mapping[str, Any], deployment: Mapping[str, Any], template_hash: str, wanted: int
) -> bool:
    return any(name_of(pod) == _pod_name(deployment, template_hash, n) for n in range(wanted))
