"""What a command says when it cannot do what was asked, and the exit codes scripts can use."""

from collections.abc import Sequence
from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
TIMEOUT: Final = 4
INTERRUPTED: Final = 130
READER_GONE: Final = 141  # as a shell says of a program that SIGPIPE ended


class CliError(Exception):
    """A user's mistake or a failure they can act on: one sentence, what to do, an exit code.

    `message` is `<what failed> <kind> "<name>": <why>.`; `todo` is the next step, or None.
    """

    def __init__(self, message: str, *, todo: str | None = None, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.todo = todo
        self.code = code


class Refused(CliError):
    """The server took the request and said no: another object may fare better.

    `status` is HTTP's.
    """

    def __init__(
        self, message: str, *, todo: str | None = None, code: int = FAILED, status: int
    ) -> None:
        super().__init__(message, todo=todo, code=code)
        self.status = status


def raise_all(failures: Sequence[CliError]) -> None:
    """One CliError for all of them, with the exit code of the first; nothing when there is none."""
    if not failures:
        return
    if len(failures) == 1:
        raise failures[0]
    words = [
        f"{each.message}\n  What to do: {each.todo}" if each.todo else each.message
        for each in failures
    ]
    raise CliError("\n".join([f"{len(failures)} objects failed.", *words]), code=failures[0].code)
