"""Where fetched bytes go: counted, hashed, and a whole file or none.

A sink is used once. Leaving it without `commit` removes what was written.
"""

import hashlib
import os
import time
from pathlib import Path
from types import TracebackType

from slipway_runtime.errors import BuildError


class FetchDeadline:
    """A total time for all that a build fetches, and a longest silence."""

    def __init__(self, total_seconds: float, stall_seconds: float = 30.0) -> None:
        self._end = time.monotonic() + total_seconds
        self.total_seconds = total_seconds
        self.stall_seconds = stall_seconds

    def left(self) -> float:
        """Seconds left until the end, never negative."""
        return max(0.0, self._end - time.monotonic())

    def next_wait(self) -> float:
        """How long the next bytes may take, in seconds."""
        return min(self.stall_seconds, self.left())

    def error(self, what: str, *, doing: str = "fetch") -> BuildError:
        """Why the wait was given up."""
        if self.left() > 0:
            why = f"nothing came for {self.stall_seconds:g} s"
        else:
            why = f"not done after {self.total_seconds:g} s"
        return BuildError(
            "FetchTimeout",
            f"Cannot {doing} {what}: {why}; check the source, or raise the build's fetch time.",
            retryable=True,
        )


class FileSink:
    """A context manager that takes bytes for one file at `target`.

    Args:
        too_large: the reason for more than `limit_bytes` (`ModelTooLarge`, `SamplesInvalid`).
    """

    def __init__(
        self,
        target: Path,
        *,
        what: str,
        limit_bytes: int,
        too_large: str,
        deadline: FetchDeadline,
    ) -> None:
        self._target = target
        self._partial = target.with_name(f".{target.name}.partial")
        self._what = what
        self._limit_bytes = limit_bytes
        self._too_large = too_large
        self._deadline = deadline
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def __enter__(self) -> "FileSink":
        """Open a fresh partial file."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._partial.open("wb")
        return self

    def expect(self, size_bytes: int) -> None:
        """Refuse early a source that says it is larger than the limit.

        Raises:
            BuildError: the `too_large` reason.
        """
        if size_bytes > self._limit_bytes:
            raise BuildError(
                self._too_large,
                f"Cannot fetch {self._what}: {size_bytes} bytes > limit {self._limit_bytes}; "
                "use a smaller file, or raise the build's limit.",
            )

    def write(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            BuildError: the `too_large` reason, or `FetchTimeout` past the total time.
            OSError: the disk is full, or cannot be written.
        """
        self.size_bytes += len(chunk)
        self.expect(self.size_bytes)
        if self._deadline.left() <= 0:
            raise self._deadline.error(self._what)
        self._hash.update(chunk)
        self._stream.write(chunk)

    def restart(self) -> None:
        """Forget what came so far: the file begins anew.

        Raises:
            OSError: the file cannot be written.
        """
        self._stream.seek(0)
        self._stream.truncate()
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    @property
    def digest(self) -> str:
        """The digest of what came so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def commit(self, digest: str | None) -> str:
        """Compare with the wanted digest, put the file in its place, and return its digest.

        Raises:
            BuildError: `DigestMismatch`, showing both.
        """
        actual = check_digest(self.digest, digest, what=self._what)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._partial.replace(self._target)
        return actual

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave no half file."""
        self._stream.close()
        self._partial.unlink(missing_ok=True)


def check_digest(actual: str, wanted: str | None, *, what: str) -> str:
    """Compare with the wanted digest, if there is one; returns the actual.

    Raises:
        BuildError: `DigestMismatch`, showing both.
    """
    if wanted is not None and wanted != actual:
        raise BuildError(
            "DigestMismatch",
            f"Will not use {what}: its digest is {actual}, asked for was {wanted}; "
            "the file changed, or the digest in the spec is another file's.",
        )
    return actual
