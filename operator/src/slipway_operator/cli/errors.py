"""What a command says when it cannot do what was asked, and the exit codes scripts can use."""

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
TIMEOUT: Final = 4
INTERRUPTED: Final = 130


class CliError(Exception):
    """A user's mistake or a failure they can act on: one sentence, what to do, an exit code.

    `message` is `<what failed> <kind> "<name>": <why>.`; `todo` is the next step, or None.
    """

    def __init__(self, message: str, *, todo: str | None = None, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.todo = todo
        self.code = code
