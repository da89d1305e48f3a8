"""What pods say about themselves: which container stopped, why, and its last words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from slipway_operator.state.instants import read_instant

Json = Mapping[str, Any]

MAX_WORDS: Final = 1024  # characters of a container's last message that are shown
PULL_TROUBLE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_NORMAL_WAITING: Final = frozenset({"", "PodInitializing", "ContainerCreating"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What keeps a pod from running.

    `kind` is `OutOfMemory`, `Crash`, `ImagePull`, `Unschedulable` or `Waiting`; `message` is one
    sentence.
    """

    kind: str
    message: str
    restarts: int = 0


def list_container_statuses(pod: Json) -> tuple[Json, ...]:
    """Statuses of the init containers, then of the containers, in the order of the pod."""
    status = pod.get("status", {})
    return (
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    )


def read_terminated(container: Json) -> Json | None:
    """How a container ended: now, or before its latest restart; None: it never did."""
    return (container.get("state") or {}).get("terminated") or (
        container.get("lastState") or {}
    ).get("terminated")


def describe_exit(terminated: Json) -> str:
    """An exit in words: reason, code or signal, and the container's last message.

    >>> describe_exit({"exitCode": 1, "reason": "Error", "message": "no such file"})
    'exit code 1, "no such file"'
    """
    if signal := terminated.get("signal"):
        how = f"signal {signal}"
    else:
        how = f"exit code {terminated.get('exitCode', 'unknown')}"
    if (reason := terminated.get("reason")) not in {None, "", "Error", "Completed"}:
        how = f"{reason}, {how}"
    # A process that was killed for its memory had no say in it.
    words = "" if reason == "OOMKilled" else str(terminated.get("message") or "").strip()
    return f'{how}, "{words[-MAX_WORDS:]}"' if words else how


def assess_pod(pod: Json) -> Trouble | None:
    """The first thing that keeps a pod from running; None: nothing does, as far as it says."""
    name = pod.get("metadata", {}).get("name", "")
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = condition.get("message") or condition.get("reason") or "no node fits"
            return Trouble(
                kind="Unschedulable", message=f'Pod "{name}" cannot be placed: {message}'
            )
    for container in list_container_statuses(pod):
        trouble = _assess_container(name, container)
        if trouble is not None:
            return trouble
    return None


def assess_pods(pods: Iterable[Json]) -> Trouble | None:
    """The worst trouble of several pods: crashes first, most restarts first, then by name."""
    troubles = [trouble for pod in pods if (trouble := assess_pod(pod)) is not None]
    rank = {"OutOfMemory": 0, "Crash": 0, "ImagePull": 1, "Unschedulable": 2, "Waiting": 3}
    troubles.sort(key=lambda trouble: (rank[trouble.kind], -trouble.restarts, trouble.message))
    return troubles[0] if troubles else None


def find_begun(pods: Iterable[Json]) -> datetime | None:
    """When the first of these pods whose container ran had all that it downloads; None: none ran,
    so nothing is known of the model."""
    begun = [_find_ready_to_run(pod) for pod in pods if _has_run(pod)]
    return min(begun, default=None)


def _has_run(pod: Json) -> bool:
    containers = pod.get("status", {}).get("containerStatuses") or ()
    return any(
        read_terminated(container) or (container.get("state") or {}).get("running") is not None
        for container in containers
    )


def _find_ready_to_run(pod: Json) -> datetime:
    conditions = {one.get("type"): one for one in pod.get("status", {}).get("conditions") or ()}
    at = read_instant((conditions.get("Initialized") or {}).get("lastTransitionTime"))
    created = read_instant(pod.get("metadata", {}).get("creationTimestamp"))
    return at or created or datetime.min.replace(tzinfo=UTC)


def _assess_container(pod: str, container: Json) -> Trouble | None:
    where = f'Container "{container.get("name", "")}" of pod "{pod}"'
    restarts = int(container.get("restartCount") or 0)
    terminated = read_terminated(container)
    if terminated is not None and not container.get("ready") and _failed(terminated):
        return Trouble(
            kind="OutOfMemory" if terminated.get("reason") == "OOMKilled" else "Crash",
            message=f"{where} ended {restarts + 1} times, last with {describe_exit(terminated)}"
            if restarts
            else f"{where} ended with {describe_exit(terminated)}",
            restarts=restarts,
        )
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason in _NORMAL_WAITING:
        return None
    kind = "ImagePull" if reason in PULL_TROUBLE else "Waiting"
    words = str(waiting.get("message") or "no details given").strip()[-MAX_WORDS:]
    return Trouble(kind=kind, message=f"{where} waits, {reason}: {words}", restarts=restarts)


def _failed(terminated: Json) -> bool:
    return bool(terminated.get("exitCode") or terminated.get("signal"))
