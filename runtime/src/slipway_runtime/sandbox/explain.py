"""Turn the end of a sandboxed process into the closed reason that a person can act on."""

import re
import signal

from slipway_runtime.contract import BUILD_REASONS
from slipway_runtime.errors import BuildError
from slipway_runtime.sandbox.parent import SandboxExit
from slipway_runtime.sandbox.policy import SandboxPolicy
from slipway_runtime.sandbox.usage import MAX_THREADS

_OUT_OF_MEMORY = re.compile(r"bad_alloc|Cannot allocate memory|MemoryError|out of memory", re.I)
_MESSAGE_CHARACTERS = 1000


def explain_exit(
    ended: SandboxExit, *, policy: SandboxPolicy, wall_seconds: float, doing: str
) -> BuildError | None:
    """Explain why the child did not finish; None when it did.

    Args:
        doing: what it was doing, as the start of a sentence ("Converting the model").
    """
    if ended.stopped == "deadline":
        return BuildError(
            "DeadlineExceeded",
            f"{doing} took longer than {wall_seconds:g} s; "
            "use a smaller model or raise the build's time limit.",
        )
    if ended.stopped == "disk":
        return BuildError(
            "DiskFull",
            f"{doing} wrote more than the build's scratch limit; "
            "use a smaller model or raise the limit.",
        )
    if ended.stopped == "threads":
        return BuildError(
            "ModelUnsafe",
            f"{doing} started more than {MAX_THREADS} threads; a model needs a few.",
        )
    if ended.problem is not None:
        return _checked(ended, doing)
    if ended.code < 0:
        return _explain_signal(ended, policy=policy, doing=doing)
    if ended.code != 0 or not ended.finished:
        return BuildError(
            "ModelRejected",
            f"{doing} ended without a result (exit code {ended.code}): "
            "the model's code ended its own process.",
        )
    return None


def _checked(ended: SandboxExit, doing: str) -> BuildError:
    """The child's own words, cut and cleaned: its code may have been taken over."""
    problem = ended.problem
    assert problem is not None  # noqa: S101  asked by the caller
    if problem.reason not in BUILD_REASONS:
        return BuildError("ModelRejected", f"{doing} ended with a reason that does not exist.")
    message = "".join(sign if sign.isprintable() else " " for sign in problem.message)
    return BuildError(problem.reason, message[:_MESSAGE_CHARACTERS], retryable=problem.retryable)


def _explain_signal(ended: SandboxExit, *, policy: SandboxPolicy, doing: str) -> BuildError:
    number = -ended.code
    cpu_spent = policy.cpu_seconds is not None and ended.cpu_seconds >= policy.cpu_seconds
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_spent):
        return BuildError(
            "DeadlineExceeded",
            f"{doing} used more than {policy.cpu_seconds} s of processor time; "
            "use a smaller model or raise the build's limit.",
        )
    if number == signal.SIGXFSZ:
        return BuildError(
            "DiskFull",
            f"{doing} wrote a file larger than {policy.file_bytes} bytes; "
            "use a smaller model or raise the build's scratch limit.",
        )
    if number == signal.SIGKILL or _OUT_OF_MEMORY.search(ended.tail):
        return BuildError(
            "OutOfMemory",
            f"{doing} needs more memory than it may take ({policy.memory_bytes} bytes); "
            "raise the build's memory limit or make the model smaller.",
        )
    return BuildError(
        "ModelRejected",
        f"{doing} crashed native code: RuntimeCrash(signal {number}). "
        "The file is damaged, or made to crash its reader.",
    )
