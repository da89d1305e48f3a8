"""Why a build stopped, as a value: one closed reason and one sentence for the person who asked.

Every step raises `BuildError`; only the process edge (`steps.edge`) turns it into a report.
"""

import errno
import os

from slipway_runtime.contract import BUILD_REASONS

_NO_THREAD = (os.strerror(errno.EAGAIN), "can't start new thread")  # as C++ and Python say it


class BuildError(Exception):
    """A build cannot go on.

    Args:
        reason: one of `contract.BUILD_REASONS`.
        message: one sentence that names the field or file, says why, and what to do.
        retryable: whether the same build may succeed later with nothing changed by the user.

    Raises:
        ValueError: the reason is not in the closed set (a defect of the caller).
    """

    def __init__(self, reason: str, message: str, *, retryable: bool = False) -> None:
        if reason not in BUILD_REASONS:
            raise ValueError(f'Cannot raise BuildError: "{reason}" is not one of BUILD_REASONS.')
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword when the error crosses a process boundary."""
        return _rebuild, (self.reason, self.message, self.retryable)

    def __repr__(self) -> str:
        """Show the reason first: it is what logs are searched for."""
        return f"BuildError({self.reason}: {self.message})"


def lacks_threads(error: BaseException) -> bool:
    """Whether the machine gave no thread: that says nothing against the model."""
    if isinstance(error, OSError) and error.errno == errno.EAGAIN:
        return True
    return any(words in str(error) for words in _NO_THREAD)


def _rebuild(reason: str, message: str, retryable: bool) -> BuildError:
    return BuildError(reason, message, retryable=retryable)
