"""How long each step of a build took, as its pod tells. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slipway_operator.shown.words import format_seconds, read_time

Object = Mapping[str, Any]
LABEL_BUILD = "slipway.dev/build"


def list_steps(pods: Sequence[Object], *, build: str | None) -> list[list[str]]:
    """Step, start, duration and result of the last pod of this build (its whole hash)."""
    ours = [
        pod
        for pod in pods
        if build and build.startswith((pod["metadata"].get("labels") or {}).get(LABEL_BUILD, "-"))
    ]
    ours.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
    return [_row(container) for container in _containers(ours[-1])] if ours else []


def _containers(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _row(container: Object) -> list[str]:
    state = container.get("state") or {}
    ended, running = state.get("terminated"), state.get("running")
    if not ended:
        return [
            str(container.get("name")),
            str((running or {}).get("startedAt") or ""),
            "",
            _now(state),
        ]
    start, end = read_time(ended.get("startedAt")), read_time(ended.get("finishedAt"))
    took = format_seconds((end - start).total_seconds()) if start and end else ""
    code = ended.get("exitCode")
    result = "done" if code == 0 else f"{ended.get('reason') or 'failed'} (exit code {code})"
    return [str(container.get("name")), str(ended.get("startedAt") or ""), took, result]


def _now(state: Object) -> str:
    if "running" in state:
        return "running"
    return str((state.get("waiting") or {}).get("reason") or "waiting")
