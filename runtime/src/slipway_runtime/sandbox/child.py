"""The first code of a sandboxed process: shut in, say so, then run the target.

Started by `parent.spawn` only. The start message comes on stdin; one JSON line for the walls and
one for the result go back over the status descriptor, which the parent reads as hostile.
"""

import errno
import importlib
import os
import signal
import sys
import tempfile
import traceback

import msgspec

from slipway_runtime.errors import BuildError, lacks_threads
from slipway_runtime.sandbox.enter import enter
from slipway_runtime.sandbox.messages import Problem, Result, Start


def main() -> int:
    """Run one target; the exit code is 0 also when the result is an error that was explained."""
    # The parent decides when this ends; an interrupt in here would be taken for the model's doing.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = msgspec.json.decode(sys.stdin.buffer.read(), type=Start)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    enforcement = enter(start.policy, keep=(start.status, *start.keep))
    if start.policy.die_with_parent and os.getppid() != start.parent:
        return 1  # the parent was gone before the kernel could be asked to tell
    if start.policy.write:  # else it is looked for by writing, which may not be allowed
        tempfile.tempdir = start.policy.write[0]
    _send(start.status, enforcement)
    _send(start.status, _run(start))
    return 0


def _run(start: Start) -> Result:
    module, _, function = start.target.partition(":")
    try:
        value = getattr(importlib.import_module(module), function)(start.argument)
        msgspec.json.encode(value)
    except BuildError as error:
        problem = Problem(reason=error.reason, message=error.message, retryable=error.retryable)
    except BaseException as error:  # the process edge: the model's code may raise anything
        traceback.print_exc()
        problem = explain_exception(error)
    else:
        return Result(result=value)
    return Result(error=problem)


def explain_exception(error: BaseException) -> Problem:
    """Name what an exception that nobody expected means for the person who asked."""
    text = " ".join(str(error).split())[:300] or "no message"
    kind = type(error).__name__
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM or "bad_alloc" in text:
        return Problem(
            reason="OutOfMemory",
            message="The model needs more memory than the build may take; "
            "raise the build's memory limit or make the model smaller.",
        )
    if lacks_threads(error):
        return Problem(
            reason="BuildInterrupted",
            message=f"The machine has no more threads for this build ({text}); it is tried again.",
            retryable=True,
        )
    if number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return Problem(
            reason="DiskFull",
            message=f"Cannot write the build's result: {os.strerror(number)}; "
            "free space or raise the build's scratch limit.",
        )
    if number in (errno.EPERM, errno.EACCES):
        return Problem(
            reason="ModelUnsafe",
            message=f"The model's code tried what the sandbox forbids ({text}); "
            "a model must not use the network, other files or other processes while it is opened.",
        )
    return Problem(
        reason="ModelRejected",
        message=f"The model stopped the build with an unexpected {kind}: {text}.",
    )


def _send(descriptor: int, value: msgspec.Struct) -> None:
    line = msgspec.json.encode(value) + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]


if __name__ == "__main__":
    sys.exit(main())
