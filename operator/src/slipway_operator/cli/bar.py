"""A line on the terminal while something takes long: a bar, the time, what is going on."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

WIDTH = 20


class Bar:
    """Shown on a terminal only, and gone at the end. `steps` None: nobody knows how many."""

    def __init__(self, console: Console, text: str, *, steps: int | None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=WIDTH),
            TimeElapsedColumn(),
            TextColumn(
                "{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")
            ),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(escape(text), total=steps)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def advance(self, steps: int, text: str) -> None:
        """Go on by so many steps, and say what is going on."""
        self._progress.update(self._task, advance=steps, description=escape(text))
