"""What a person sees: colour on a terminal only, kubectl-like tables, clean JSON and YAML."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from rich.console import Console
from rich.text import Text

from slipway_operator.cli.errors import READER_GONE

GAP = "   "
GOOD = frozenset({"True", "Verified", "Normal", "Running", "Succeeded"})
BAD = frozenset({"False", "Exceeded", "Warning", "Failed"})


class _Output(Console):
    """Ends quietly when its reader is gone (`slipway get | head -1`)."""

    def on_broken_pipe(self) -> NoReturn:
        leave()


def leave() -> NoReturn:
    """End the program because nobody reads its output any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # what Python still holds is flushed into nothing
    raise SystemExit(READER_GONE)


def write(text: str) -> None:
    """Text on standard output as it is."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        leave()


def standard_output() -> Console:
    """The console for results. Rich turns colour off without a terminal and for NO_COLOR."""
    return _Output(highlight=False, soft_wrap=True, markup=False, emoji=False)


def standard_error() -> Console:
    """The console for progress and errors, so that results can be piped."""
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_error(console: Console, message: str, todo: str | None) -> None:
    """What failed and why, in red; what to do about it."""
    console.print(f"Error: {message}", style="red")
    if todo:
        console.print(f"What to do: {todo}")


def measure(rows: Sequence[Sequence[str]], widths: Sequence[int] = ()) -> list[int]:
    """The width of each column, at least as wide as before."""
    found = [max((len(row[i]) for row in rows), default=0) for i in range(len(rows[0]))]
    return [max(pair) for pair in zip(found, widths or found, strict=True)]


def table_line(cells: Sequence[str], widths: Sequence[int]) -> Text:
    """One line of a table; True and False are green and red on a terminal."""
    line = Text()
    last = len(cells) - 1
    for position, cell in enumerate(cells):
        style = "green" if cell in GOOD else "red" if cell in BAD else ""
        line.append(cell, style=style)
        if position < last:
            line.append(" " * (widths[position] - len(cell)) + GAP)
    line.rstrip()
    return line


def print_table(
    console: Console, header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = ""
) -> None:
    """A table without borders, as kubectl draws it; it never cuts a cell."""
    widths = measure([header, *rows])
    console.print(Text(indent) + Text(str(table_line(header, widths)), style="bold"))
    for row in rows:
        console.print(Text(indent) + table_line(row, widths))


def print_json(value: Any) -> None:
    """JSON on standard output, for programs."""
    write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_yaml(value: Any) -> None:
    """YAML on standard output, keys in the order they came."""
    import yaml

    write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))
