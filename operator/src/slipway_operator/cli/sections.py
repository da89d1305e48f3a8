"""Titles and labelled lines of what is described to people."""

from rich.console import Console
from rich.text import Text

LABEL_WIDTH = 14


def on_one_line(text: object) -> str:
    return " ".join(str(text or "").split())


def print_title(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}:", style="bold"))


def print_line(console: Console, title: str, value: object) -> None:
    """A labelled line; nothing at all when there is no value."""
    if value is None or value == "":
        return
    label = f"{title}:" if title else ""
    console.print(f"{label:<{LABEL_WIDTH + 2}} {value}")
