"""The contract of a model as a table: its columns, what they may hold, and the rules stated."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from slipway_operator.cli.screen import print_table
from slipway_operator.shown.words import count, format_number

Object = Mapping[str, Any]
SHOWN_CATEGORIES = 8
SHOWN_COLUMNS = 40


def print_columns(
    console: Console, columns: Sequence[Object], *, rules: Sequence[Object] = ()
) -> None:
    """A line a column of the manifest's contract; `rules` are those of spec.contract."""
    header = ["COLUMN", "KIND", "MISSING", "VALUES", "RULES"]
    shown = len(header) if rules else len(header) - 1
    rows = [_row(column, rules)[:shown] for column in columns[:SHOWN_COLUMNS]]
    print_table(console, header[:shown], rows, indent="  ")
    if len(columns) > SHOWN_COLUMNS:
        console.print(f"  … and {count(len(columns) - SHOWN_COLUMNS, 'more column')}")


def _row(column: Object, rules: Sequence[Object]) -> list[str]:
    name = str(column.get("name"))
    stated = [
        f"{rule.get('rule')}={rule.get('onViolation')}"
        for rule in rules
        if rule.get("column") == name
    ]
    return [
        name,
        str(column.get("kind") or ""),
        "allowed" if column.get("missingAllowed") else "no",
        _values(column),
        ", ".join(stated),
    ]


def _values(column: Object) -> str:
    categories = column.get("categories")
    if categories:
        shown = ", ".join(str(each) for each in categories[:SHOWN_CATEGORIES])
        rest = len(categories) - SHOWN_CATEGORIES
        return shown + (f", … {rest} more" if rest > 0 else "")
    low, high = column.get("minimum"), column.get("maximum")
    if low is None and high is None:
        return ""
    return f"{format_number(low) or '-∞'} … {format_number(high) or '∞'}"
