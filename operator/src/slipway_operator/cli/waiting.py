"""Waiting for an applied ModelDeployment, with a line for each stage as it is reached."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.status import Status

from slipway_operator.cli.client import Client, Object
from slipway_operator.cli.errors import NOT_FOUND, TIMEOUT, CliError
from slipway_operator.cli.kinds import MODEL_DEPLOYMENT
from slipway_operator.cli.story import Outcome, Progress, assess_progress, is_warning
from slipway_operator.cli.words import format_seconds


def wait_for_all(
    client: Client, applied: Sequence[Object], *, timeout_seconds: float, console: Console
) -> list[Object]:
    """Wait until each object's generation is up to date; the objects as they are then.

    Raises CliError when one fails for good (with its reason and what to do), is deleted, or when
    the time is over.
    """
    started = time.monotonic()
    deadline = started + timeout_seconds
    return [
        _wait(client, item, started=started, deadline=deadline, console=console) for item in applied
    ]


def _wait(
    client: Client, applied: Object, *, started: float, deadline: float, console: Console
) -> Object:
    meta = applied["metadata"]
    name, generation = str(meta["name"]), int(meta.get("generation", 1))
    told: tuple[str, ...] = ()
    last = Progress(outcome=Outcome.WORKING, stages=(), reason="", message="", action="")
    with _spinner(console, name) as spinner:
        for change in client.follow(
            MODEL_DEPLOYMENT, namespace=meta["namespace"], name=name, deadline=deadline
        ):
            if change.kind == "DELETED":
                raise CliError(f'modeldeployment "{name}" was deleted meanwhile.', code=NOT_FOUND)
            before, last = last, assess_progress(change.object, generation=generation)
            told = _tell(console, name, last, before=before, told=told, since=started)
            if last.outcome is Outcome.DONE:
                return change.object
            if last.outcome is Outcome.FAILED:
                raise _failure(change.object, last)
            if spinner is not None:
                spinner.update(f"{name}  {last.message or 'waiting for the engine'}")
    raise _timed_out(name, last, deadline - started)


def _tell(
    console: Console,
    name: str,
    now: Progress,
    *,
    before: Progress,
    told: tuple[str, ...],
    since: float,
) -> tuple[str, ...]:
    """Print what is new; the stages told so far."""
    news = tuple(stage for stage in now.stages if stage not in told)
    elapsed = format_seconds(time.monotonic() - since)
    for stage in news:
        console.print(f"{name}  {stage:<9}  {elapsed}", style="green")
    trouble = now.outcome is Outcome.WORKING and is_warning(now.reason)
    if trouble and now.reason != before.reason:
        console.print(f"{name}  {now.reason}: {now.message}", style="yellow")
    return told + news


def _failure(item: Object, progress: Progress) -> CliError:
    name = item["metadata"]["name"]
    message = f'modeldeployment "{name}" failed: {progress.reason}: {progress.message}'
    status: dict[str, Any] = item.get("status") or {}
    if status.get("stableRevision") and status.get("url"):
        message += f"\nThe last good revision keeps answering at {status['url']}."
    return CliError(message, todo=progress.action or f"Look at `slipway describe {name}`.")


def _timed_out(name: str, last: Progress, seconds: float) -> CliError:
    why = f"{last.reason}: {last.message}" if last.reason else "the engine said nothing yet."
    return CliError(
        f'modeldeployment "{name}" is not up to date after {format_seconds(seconds)}: {why}',
        todo=last.action
        or f"It goes on; look with `slipway get {name} -w`, or wait longer with --timeout.",
        code=TIMEOUT,
    )


def _spinner(console: Console, name: str) -> AbstractContextManager[Status | None]:
    if not console.is_terminal:
        return nullcontext(None)
    return console.status(f"{name}  waiting for the engine", spinner="dots")
