"""The process edge of every step: signals, exceptions and reports, in one place.

A step's body returns a report or raises; nothing else of it reaches the user. A traceback goes to
the log only for what we did not foresee.
"""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

from slipway_runtime.errors import BuildError
from slipway_runtime.report import Report, report_failed, write_report
from slipway_runtime.settings import StepSettings, read_step_settings

_NICE = 10  # a build, and the model's code in it, steps back behind what serves
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class InterruptedByEngineError(BaseException):
    """SIGTERM or SIGINT came: stop at once, and say so."""


def run_step(step: str, body: Callable[[StepSettings], Report]) -> int:
    """Run one build step of this process; returns its exit code (docs/wire.md)."""
    install_signals()
    os.nice(_NICE)
    try:
        settings = read_step_settings(os.environ)
    except ValueError as error:
        say(str(error))
        return 2
    try:
        report = body(settings)
    except BaseException as error:  # the edge: everything becomes a report
        report = report_failed(step, explain(error, step))
    return _finish(report, settings)


def explain(error: BaseException, step: str) -> BuildError:
    """Give any exception its closed reason; log a traceback for the unforeseen."""
    if isinstance(error, BuildError):
        return error
    if isinstance(error, InterruptedByEngineError | KeyboardInterrupt):
        return BuildError(
            "BuildInterrupted",
            f"Step {step} was stopped before it was done; it will be tried again.",
            retryable=True,
        )
    if isinstance(error, MemoryError):
        return BuildError(
            "OutOfMemory",
            f"Step {step} has not enough memory; give the build more, or make the model smaller.",
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        return BuildError(
            "DiskFull",
            f"Step {step} cannot write: {os.strerror(error.errno or 0)}; free space and try again.",
            retryable=True,
        )
    traceback.print_exception(error)
    if isinstance(error, OSError):
        return BuildError(
            "BuildInterrupted",
            f"Step {step} cannot go on: {error.strerror or error} ({error.filename or 'no file'}).",
            retryable=True,
        )
    return BuildError(
        "BuildInterrupted",
        f"Step {step} stopped on an unexpected {type(error).__name__}; its log has the details. "
        "This is a defect of Slipway.",
        retryable=True,
    )


def install_signals() -> None:
    """Turn the first SIGTERM or SIGINT into an exception; later ones are ignored."""

    def _interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise InterruptedByEngineError

    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)


def say(sentence: str) -> None:
    """One line for the log of this process."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def _finish(report: Report, settings: StepSettings) -> int:
    try:
        write_report(report, work=settings.work, termination_log=settings.termination_log)
    except OSError as error:
        say(f"Cannot write the report of step {report.step}: {error.strerror}.")
        return 1
    if report.ok:
        say(f"Step {report.step} done: {', '.join(report.stages)}.")
        return 0
    say(f"Step {report.step} failed: {report.reason}: {report.message}")
    return 1
