"""Waiting for applied ModelDeployments, with a line for each stage as it is reached."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.status import Status

from slipway_operator.cli.client import Change, Client, Object
from slipway_operator.cli.errors import NOT_FOUND, TIMEOUT, CliError
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
from slipway_operator.cli.story import Outcome, Progress, assess_progress, is_warning
from slipway_operator.shown.words import format_seconds

_NOTHING = Progress(outcome=Outcome.WORKING, stages=(), reason="", message="", action="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """How it ended: the objects that are up to date, as they are then, and why others are not."""

    done: list[Object]
    failures: list[CliError]

    def raise_failures(self) -> None:
        """One CliError for all that failed, with the exit code of the first."""
        if not self.failures:
            return
        first = self.failures[0]
        if len(self.failures) == 1:
            raise first
        words = [f"{each.message}\n  What to do: {each.todo}" for each in self.failures]
        raise CliError("\n".join(words), code=first.code)


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """One object that is waited for, and what was told of it."""

    name: str
    generation: int
    progress: Progress = _NOTHING
    told: list[str] = field(default_factory=list)


def wait_for_all(
    client: Client, applied: Sequence[Object], *, timeout_seconds: float, console: Console
) -> Waited:
    """Wait until each object's generation is up to date, has failed for good, or time is over."""
    started = time.monotonic()
    deadline = started + timeout_seconds
    pending = {_key(item): _waiting(item) for item in applied}
    namespaces = {item["metadata"]["namespace"] for item in applied}
    width = max((len(each.name) for each in pending.values()), default=0)
    done: dict[tuple[str, str], Object] = {}
    failures: list[CliError] = []
    with _spinner(console) as spinner:
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
            _tell(console, waiting, width=width, elapsed=time.monotonic() - started)
            if failure is not None:
                failures.append(failure)
            elif waiting.progress.outcome is Outcome.DONE:
                done[key] = change.object
            else:
                if spinner is not None:
                    spinner.update(f"{waiting.name}  {waiting.progress.message}")
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


def _waiting(item: Object) -> _Waiting:
    meta = item["metadata"]
    return _Waiting(name=str(meta["name"]), generation=int(meta.get("generation", 1)))


def _look(change: Change, waiting: _Waiting) -> CliError | None:
    """Take in a change; the error if it ends the waiting."""
    if change.kind == "DELETED":
        return CliError(f'modeldeployment "{waiting.name}" was deleted meanwhile.', code=NOT_FOUND)
    waiting.progress = assess_progress(change.object, generation=waiting.generation)
    if waiting.progress.outcome is Outcome.FAILED:
        return _failure(change.object, waiting)
    return None


def _tell(console: Console, waiting: _Waiting, *, width: int, elapsed: float) -> None:
    """Print the stages that are new, and trouble that is new."""
    name, progress = waiting.name.ljust(width), waiting.progress
    for stage in progress.stages:
        if stage not in waiting.told:
            waiting.told.append(stage)
            console.print(f"{name}  {stage:<9}  {format_seconds(elapsed)}", style="green")
    in_trouble = progress.outcome is Outcome.WORKING and is_warning(progress.reason)
    if in_trouble and progress.reason not in waiting.told:
        waiting.told.append(progress.reason)
        console.print(f"{name}  {progress.reason}: {progress.message}", style="yellow")


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


def _spinner(console: Console) -> AbstractContextManager[Status | None]:
    if not console.is_terminal:
        return nullcontext(None)
    return console.status("waiting for the engine", spinner="dots")
