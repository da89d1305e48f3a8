"""Waiting for applied ModelDeployments, with a line for each stage as it is reached."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console

from slipway_operator.cli.bar import Bar
from slipway_operator.cli.client import Change, Client, Object
from slipway_operator.cli.errors import NOT_FOUND, TIMEOUT, CliError
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
from slipway_operator.cli.story import Outcome, Progress, assess_progress, is_warning
from slipway_operator.contract import STAGES
from slipway_operator.shown.words import format_seconds

# Where a rollout is: it may take long, or wait for whoever waits here.
_ROLLING: Final = {"CanaryRunning", "ShadowRunning", "Paused", "PausedBySpec", "ApprovalNeeded"}
_NOTHING = Progress(outcome=Outcome.WORKING, stages=(), reason="", message="", action="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """How it ended: the objects that are up to date, as they are then, and why others are not."""

    done: list[Object]
    failures: list[CliError]


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """One object that is waited for, and what was told of it."""

    name: str
    label: str
    generation: int
    progress: Progress = _NOTHING
    told: list[str] = field(default_factory=list)


def wait_for_all(
    client: Client, applied: Sequence[Object], *, timeout_seconds: float, console: Console
) -> Waited:
    """Wait until each object's generation is up to date, has failed for good, or time is over."""
    if not applied:
        return Waited(done=[], failures=[])
    started = time.monotonic()
    deadline = started + timeout_seconds
    namespaces = {item["metadata"]["namespace"] for item in applied}
    pending = {_key(item): _waiting(item, placed=len(namespaces) > 1) for item in applied}
    width = max(len(each.label) for each in pending.values())
    done: dict[tuple[str, str], Object] = {}
    failures: list[CliError] = []
    with Bar(console, "waiting for the engine", steps=len(pending) * len(STAGES)) as bar:
        for change in client.follow(
            MODEL_DEPLOYMENT,
            namespace=namespaces.pop() if len(namespaces) == 1 else None,
            name=next(iter(pending.values())).name if len(pending) == 1 else None,
            deadline=deadline,
        ):
            key = _key(change.object)
            waiting = pending.get(key)
            if waiting is None:
                continue
            failure = _look(change, waiting)
            new = _tell(console, waiting, width=width, elapsed=time.monotonic() - started)
            bar.advance(new, f"{waiting.label}  {waiting.progress.message}")
            if failure is not None:
                failures.append(failure)
            elif waiting.progress.outcome is Outcome.DONE:
                done[key] = change.object
            else:
                continue
            del pending[key]
            if not pending:
                break
    failures += [_timed_out(each, timeout_seconds) for each in pending.values()]
    return Waited(
        done=[done[_key(item)] for item in applied if _key(item) in done], failures=failures
    )


def _key(item: Object) -> tuple[str, str]:
    return str(item["metadata"]["namespace"]), str(item["metadata"]["name"])


def _waiting(item: Object, *, placed: bool) -> _Waiting:
    meta = item["metadata"]
    name = str(meta["name"])
    label = f"{meta['namespace']}/{name}" if placed else name
    return _Waiting(name=name, label=label, generation=int(meta.get("generation", 1)))


def _look(change: Change, waiting: _Waiting) -> CliError | None:
    """Take in a change; the error if it ends the waiting."""
    if change.kind == "DELETED":
        return CliError(f'modeldeployment "{waiting.name}" was deleted meanwhile.', code=NOT_FOUND)
    waiting.progress = assess_progress(change.object, generation=waiting.generation)
    if waiting.progress.outcome is Outcome.FAILED:
        return _failure(change.object, waiting)
    return None


def _tell(console: Console, waiting: _Waiting, *, width: int, elapsed: float) -> int:
    """Print the stages that are new, and trouble that is new; how many stages those were."""
    label, progress = waiting.label.ljust(width), waiting.progress
    new = [stage for stage in progress.stages if stage not in waiting.told]
    for stage in new:
        console.print(f"{label}  {stage:<9}  {format_seconds(elapsed)}", style="green")
    waiting.told += new
    if progress.outcome is Outcome.FAILED:
        console.print(f"{label}  Failed     {format_seconds(elapsed)}", style="red")
    in_trouble = progress.outcome is Outcome.WORKING and is_warning(progress.reason)
    if in_trouble and progress.reason not in waiting.told:
        waiting.told.append(progress.reason)
        console.print(f"{label}  {progress.reason}: {progress.message}", style="yellow")
    is_rolling = progress.outcome is Outcome.WORKING and progress.reason in _ROLLING
    if is_rolling and progress.message not in waiting.told:
        waiting.told.append(progress.message)
        told = f"{label}  {progress.reason}: {progress.message} {progress.action}"
        console.print(told.rstrip(), markup=False, highlight=False)
    return len(new)


def _failure(item: Object, waiting: _Waiting) -> CliError:
    name, progress = waiting.name, waiting.progress
    message = f'modeldeployment "{name}" failed: {progress.reason}: {progress.message}'
    status: dict[str, Any] = item.get("status") or {}
    if status.get("stableRevision") and status.get("url"):
        message += f"\nThe last good revision keeps answering at {status['url']}."
    return CliError(message, todo=progress.action or f"Look at `slipway describe {name}`.")


def _timed_out(waiting: _Waiting, seconds: float) -> CliError:
    name, last = waiting.name, waiting.progress
    why = f"{last.reason}: {last.message}" if last.reason else "the engine said nothing yet."
    return CliError(
        f'modeldeployment "{name}" is not up to date after {format_seconds(seconds)}: {why}',
        todo=last.action
        or f"It goes on; look with `slipway get {name} -w`, or wait longer with --timeout.",
        code=TIMEOUT,
    )
