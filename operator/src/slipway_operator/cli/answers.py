"""A model's answers, gathered over requests: as a table, as CSV, and the violations."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from slipway_operator.cli import screen
from slipway_operator.shown.words import format_number

MAX_COLUMNS = 12
SHOWN_ROWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One prediction a row (None: quarantined), and violations with rows counted over all."""

    predictions: list[dict[str, Any] | None]
    violations: list[dict[str, Any]]

    def add(self, body: Mapping[str, Any], *, rows: int) -> None:
        """Add the answer to a request of `rows` rows."""
        start = len(self.predictions)
        found = list(body.get("predictions") or [])
        self.predictions.extend(found[:rows] + [None] * (rows - len(found)))
        for each in body.get("violations") or []:
            moved = [start + row for row in each.get("rows") or []]
            self.violations.append({**each, "rows": moved})

    def warnings(self) -> Iterator[str]:
        """A line for each violation."""
        for each in self.violations:
            yield violation_line(each)


def violation_line(violation: Mapping[str, Any], *, first_row: int = 0) -> str:
    """`Warn: UnknownCategory in column island, row 3: "Mars" is not one of …`."""
    rows = [int(row) + first_row for row in violation.get("rows") or []]
    total = int(violation.get("count") or len(rows))
    places = ", ".join(str(row) for row in rows[:SHOWN_ROWS])
    if total > min(SHOWN_ROWS, len(rows)):
        places += f" and {total - min(SHOWN_ROWS, len(rows))} more"
    # The server counts rows within its request; the sentence behind its place is what is wanted.
    message = str(violation.get("message") or "")
    why = message.partition(": ")[2] or message
    where = f", row{'' if total == 1 else 's'} {places}" if places else ""
    name, column = violation.get("rule"), violation.get("column")
    return f"{violation.get('policy')}: {name} in column {column}{where}: {why}"


def flatten(prediction: Mapping[str, Any] | None) -> dict[str, Any]:
    """One level of columns: `probabilities: {a: 0.1}` → `a: 0.1`; a list gets its positions."""
    flat: dict[str, Any] = {}
    for name, value in (prediction or {}).items():
        if isinstance(value, Mapping):
            flat.update({str(key): each for key, each in value.items()})
        elif isinstance(value, list):
            flat.update({f"{name}.{position}": each for position, each in enumerate(value)})
        else:
            flat[name] = value
    return flat


def print_table(answers: Answers, console: Console) -> None:
    """A line a row. With very many columns only the first are shown, and that is said."""
    flat = [flatten(prediction) for prediction in answers.predictions]
    names = list(dict.fromkeys(name for row in flat for name in row))
    shown = names[:MAX_COLUMNS]
    header = ["ROW", *(name.upper() if name in {"label", "value"} else name for name in shown)]
    rows = [
        [str(position), *(_cell(row.get(name), bool(row)) for name in shown)]
        for position, row in enumerate(flat)
    ]
    screen.print_table(console, header, rows)
    if len(names) > len(shown):
        console.print(f"… and {len(names) - len(shown)} more columns: use -o csv or -o json.")


def format_csv(answers: Answers) -> str:
    """A header and a line a row; a quarantined row is empty."""
    flat = [flatten(prediction) for prediction in answers.predictions]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", *names])
    for position, row in enumerate(flat):
        writer.writerow([position, *(row.get(name) for name in names)])
    return out.getvalue()


def _cell(value: object, answered: bool) -> str:
    return format_number(value) if answered else "quarantined"
