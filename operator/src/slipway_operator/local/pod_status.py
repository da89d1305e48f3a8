"""What a pod's status says about its processes, in a kubelet's words (pure).

Called by ``pods`` with what it found on disk; decides phase, conditions and container states.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from slipway_operator.contract import MAX_TERMINATION_BYTES
from slipway_operator.edges.clock import render_time
from slipway_operator.local.objects import set_condition
from slipway_operator.local.ports import LOOPBACK
from slipway_operator.local.processes import Exit, RunState

Object = dict[str, Any]

LAST_WORDS_LINES: Final = 3
LAST_WORDS_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """One container as the engine finds it.

    ``state`` is its newest run's; ``exit`` how that ended; ``previous`` how the one before ended.
    ``waiting`` is the reason and message for not running, when there is one.
    """

    name: str
    image: str
    run_id: str
    state: RunState
    restarts: int = 0
    started_at: float = 0.0
    started: bool = False
    ready: bool = False
    exit: Exit | None = None
    exit_message: str = ""
    previous: Exit | None = None
    previous_message: str = ""
    waiting: tuple[str, str] | None = None


def name_exit(exit_: Exit) -> str:
    """The reason a kubelet gives for an end."""
    if exit_.lost:
        return "ContainerStatusUnknown"
    if exit_.out_of_memory:
        return "OOMKilled"
    if exit_.error is not None:
        return "StartError"
    return "Completed" if exit_.code == 0 else "Error"


def read_last_words(log: str) -> str:
    """The last lines of a log that say something, on one line."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " | ".join(lines[-LAST_WORDS_LINES:])[-LAST_WORDS_CHARACTERS:]


def cut_message(text: str) -> str:
    """A termination message within the size that Kubernetes keeps."""
    return text.encode()[:MAX_TERMINATION_BYTES].decode(errors="ignore")


def render_container(view: ContainerView) -> Object:
    """One entry of ``status.containerStatuses``."""
    status: Object = {
        "name": view.name,
        "image": view.image,
        "imageID": "",
        "containerID": view.run_id,
        "restartCount": view.restarts,
        "started": view.started,
        "ready": view.ready,
        "state": _render_state(view),
        "lastState": {},
    }
    if view.previous is not None:
        status["lastState"] = {"terminated": _render_exit(view.previous, view.previous_message)}
    return status


def _render_state(view: ContainerView) -> Object:
    if view.waiting is not None:
        reason, message = view.waiting
        return {"waiting": {"reason": reason, "message": message}}
    if view.exit is not None:
        return {"terminated": _render_exit(view.exit, view.exit_message)}
    if view.state is RunState.RUNNING:
        return {"running": {"startedAt": _render_unix(view.started_at)}}
    return {"waiting": {"reason": "PodInitializing"}}


def _render_exit(exit_: Exit, message: str) -> Object:
    result: Object = {
        "exitCode": exit_.code,
        "reason": name_exit(exit_),
        "startedAt": _render_unix(exit_.started),
        "finishedAt": _render_unix(exit_.finished),
    }
    if exit_.code > 128 and not exit_.lost:
        result["signal"] = exit_.code - 128
    if message:
        result["message"] = message
    return result


def _render_unix(seconds: float) -> str:
    return render_time(datetime.fromtimestamp(seconds, tz=UTC))


def decide_phase(
    restart_policy: str, init: Sequence[ContainerView], main: Sequence[ContainerView]
) -> str:
    """The pod's phase: Pending, Running, Succeeded or Failed."""
    if restart_policy != "Always":
        forgiving = restart_policy == "OnFailure"
        ended = [view for view in (*init, *main) if view.exit is not None]
        if not forgiving and any(view.exit and view.exit.code != 0 for view in ended):
            # a sibling that still runs keeps the pod Running, as on a cluster
            if not any(view.state is RunState.RUNNING for view in main):
                return "Failed"
        elif main and all(view.exit is not None and view.exit.code == 0 for view in main):
            return "Succeeded"
    if any(view.exit is None or view.exit.code != 0 for view in init):
        return "Pending"
    if any(view.state is not RunState.NEW for view in main):
        return "Running"
    return "Pending"


def build_status(
    *,
    pod: Mapping[str, Any],
    init: Sequence[ContainerView],
    main: Sequence[ContainerView],
    now: datetime,
    failure: tuple[str, str] | None = None,
) -> Object:
    """The pod's whole status; ``failure`` is the reason and message of an end by the engine."""
    before = pod.get("status") or {}
    phase = decide_phase(pod["spec"].get("restartPolicy", "Always"), init, main)
    status: Object = {
        "phase": "Failed" if failure else phase,
        "hostIP": LOOPBACK,
        "podIP": LOOPBACK,
        "podIPs": [{"ip": LOOPBACK}],
        "startTime": before.get("startTime") or render_time(now),
        "initContainerStatuses": [render_container(view) for view in init],
        "containerStatuses": [render_container(view) for view in main],
    }
    if failure is not None:
        status["reason"], status["message"] = failure
    initialized = all(view.exit is not None and view.exit.code == 0 for view in init)
    ready = bool(main) and all(view.ready for view in main)
    unready = [view.name for view in main if not view.ready]
    conditions: list[Object] = list(before.get("conditions") or ())
    for type_, value, reason, message in (
        ("PodScheduled", True, "Scheduled", ""),
        ("Initialized", initialized, "" if initialized else "ContainersNotInitialized", ""),
        ("ContainersReady", ready, "" if ready else "ContainersNotReady",
         "" if ready else f"containers with unready status: {', '.join(unready)}"),
        ("Ready", ready, "" if ready else "ContainersNotReady", ""),
    ):  # fmt: skip
        conditions = set_condition(
            conditions, type_=type_, status=value, reason=reason, message=message, now=now
        )
    status["conditions"] = conditions
    return status
