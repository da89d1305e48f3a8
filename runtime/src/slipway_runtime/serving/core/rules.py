"""The slow, thorough way through the contract: reads every column, applies every rule, explains.

Called by the gate when a request is not plainly clean. Works on whole columns; a column is visited
value by value only where something in it is of another type.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .faults import RequestFault, Violation
from .policies import Policies, list_some
from .reading import Reading, canonical_dtype, read_column
from .schema import ColumnSpec, ModelSchema
from .table import Table, Values

ROWS_NAMED = 10
_VALUE_LENGTH = 64

Mask = npt.NDArray[np.bool_]


@dataclass(slots=True, kw_only=True)
class Findings:
    """What the rules said so far."""

    violations: list[Violation] = field(default_factory=list)
    is_refused: bool = False

    def add(
        self,
        *,
        rule: str,
        column: str,
        policy: str,
        rows: Mask | int,
        what: str,
        value: object = None,
        replacement: object = None,
    ) -> None:
        """Record one violation; `rows` is a mask over the rows, or how many of them (all)."""
        positions = range(rows) if isinstance(rows, int) else np.flatnonzero(rows).tolist()
        named = tuple(positions[:ROWS_NAMED])
        where = f'column "{clip(column)}"'
        if not isinstance(rows, int):
            where += f", row {named[0]}" if len(positions) == 1 else f", {len(positions)} rows"
        self.violations.append(
            Violation(
                rule=rule,
                column=clip(column),
                policy=policy,
                count=len(positions),
                rows=named,
                value=None if value is None else clip(str(value)),
                message=f"{rule}, {where}: {what}.",
                replacement=None if replacement is None else clip(str(replacement)),
            )
        )
        self.is_refused = self.is_refused or policy == "Reject"


def clip(text: str) -> str:
    """Keep what a stranger sent short enough for a message."""
    return text if len(text) <= _VALUE_LENGTH else text[: _VALUE_LENGTH - 1] + "…"


def apply_rules(
    table: Table, *, schema: ModelSchema, policies: Policies
) -> tuple[dict[str, npt.NDArray[Any]], tuple[Violation, ...]]:
    """Check `table`; returns one array of shape (rows,) a column, in canonical types.

    Missing numbers are NaN, missing text is None.

    Raises:
        RequestFault: ContractViolated, with every violation found.
    """
    findings = Findings()
    _find_extra_columns(table, schema, policies, findings)
    arrays = {
        spec.name: _ColumnCheck(spec, table.count, policies, findings).apply(table)
        for spec in schema.columns
    }
    violations = tuple(findings.violations)
    if findings.is_refused:
        refused = [violation for violation in violations if violation.policy == "Reject"]
        more = f" ({len(refused) - 1} more)" if len(refused) > 1 else ""
        raise RequestFault("ContractViolated", refused[0].message + more, violations=violations)
    return arrays, violations


def _find_extra_columns(
    table: Table, schema: ModelSchema, policies: Policies, findings: Findings
) -> None:
    known = schema.ignored.union(spec.name for spec in schema.columns)
    for name in table.columns:
        if name in known:
            continue
        kind = policies.find(name, "ExtraColumn").kind
        findings.add(
            rule="ExtraColumn",
            column=name,
            policy=kind,
            rows=table.count,
            what="the model does not read it" + ("" if kind == "Reject" else "; ignored"),
        )


class _ColumnCheck:
    """The rules of one column, in the order in which one makes the next meaningless."""

    def __init__(
        self, spec: ColumnSpec, count: int, policies: Policies, findings: Findings
    ) -> None:
        self._spec = spec
        self._count = count
        self._policies = policies
        self._findings = findings
        # rows whose value was replaced: it is the administrator's, and not judged again
        self._settled: Mask = np.zeros(count, dtype=np.bool_)

    def apply(self, table: Table) -> npt.NDArray[Any]:
        """The column's checked values, in its canonical type."""
        spec = self._spec
        values = table.columns.get(spec.name)
        if values is None:
            return self._fill()
        reading = read_column(spec, values, is_text=table.is_text)
        if reading.wrong.any():
            self._settle_wrong(reading, values)
        self._settle_missing(reading)
        present = ~(reading.missing | self._settled | reading.unreadable)
        if spec.categories is not None:
            self._settle_unknown(reading, present)
        if spec.minimum is not None or spec.maximum is not None:
            self._settle_range(reading, present & ~self._settled)
        _blank(reading.values, reading.missing & ~self._settled)
        return reading.values

    def _fill(self) -> npt.NDArray[Any]:
        """The request does not have the column."""
        spec = self._spec
        policy = self._policies.find(spec.name, "MissingColumn")
        array = np.zeros(self._count, dtype=canonical_dtype(spec.datatype))
        if policy.kind == "Default" and policy.value is not None:
            array[:] = policy.value
            what = f'not in the request; "{clip(str(policy.value))}" was used'
            self._add("MissingColumn", "Default", self._count, what, replacement=policy.value)
        elif policy.kind == "Warn" and spec.missing_allowed:
            _blank(array, np.ones(self._count, dtype=np.bool_))
            what = "not in the request; taken as missing in every row"
            self._add("MissingColumn", "Warn", self._count, what)
        else:
            tail = "" if policy.kind == "Reject" else ", and the model cannot do without it"
            self._add("MissingColumn", "Reject", self._count, f"not in the request{tail}")
        return array

    def _settle_wrong(self, reading: Reading, values: Values) -> None:
        """Values of another type: under Warn converted, or taken as missing, where possible."""
        sample, what = self._wrong_value(reading.wrong, values)
        if self._replace("WrongType", reading, reading.wrong.copy(), sample, what):
            return
        if self._policies.find(self._spec.name, "WrongType").kind != "Warn":
            self._add("WrongType", "Reject", reading.wrong, what, value=sample)
            return
        readable = reading.wrong & ~reading.unreadable
        if readable.any():
            sample, what = self._wrong_value(readable, values)
            self._add("WrongType", "Warn", readable, what + "; converted", value=sample)
        if not reading.unreadable.any():
            return
        sample, what = self._wrong_value(reading.unreadable, values)
        if self._spec.missing_allowed:
            what += "; taken as missing"
            self._add("WrongType", "Warn", reading.unreadable, what, value=sample)
            reading.missing |= reading.unreadable
        else:
            self._add("WrongType", "Reject", reading.unreadable, what, value=sample)

    def _wrong_value(self, rows: Mask, values: Values) -> tuple[object, str]:
        sample = values[int(np.flatnonzero(rows)[0])]
        return sample, f"{_describe(sample)} where the model reads {_wanted(self._spec)}"

    def _settle_missing(self, reading: Reading) -> None:
        rows = reading.missing & ~self._settled
        if self._spec.missing_allowed or not rows.any():
            return
        if self._replace("MissingValue", reading, rows, None, "no value"):
            return
        policy = self._policies.find(self._spec.name, "MissingValue")
        tail = "" if policy.kind == "Reject" else ", and the model was never taught to do without"
        self._add("MissingValue", "Reject", rows, "no value" + tail)

    def _settle_unknown(self, reading: Reading, present: Mask) -> None:
        categories = self._spec.categories or ()
        items = reading.values.tolist()
        strange = set(items).difference(categories)
        if not strange:
            return
        rows = np.fromiter((item in strange for item in items), np.bool_, len(items)) & present
        if rows.any():
            sample = items[int(np.flatnonzero(rows)[0])]
            known = list_some(categories)
            what = f'unknown category "{clip(str(sample))}"; known: {known}'
            self._settle_value("UnknownCategory", reading, rows, sample, what)

    def _settle_range(self, reading: Reading, present: Mask) -> None:
        low = -np.inf if self._spec.minimum is None else self._spec.minimum
        high = np.inf if self._spec.maximum is None else self._spec.maximum
        rows = present & ~((reading.values >= low) & (reading.values <= high))
        if rows.any():
            sample = reading.values[int(np.flatnonzero(rows)[0])]
            what = f"{sample:g} is outside [{low:g}, {high:g}]"
            self._settle_value("OutOfRange", reading, rows, sample, what)

    def _settle_value(
        self, rule: str, reading: Reading, rows: Mask, sample: object, what: str
    ) -> None:
        """A value that the model can take, but was not taught: Warn lets it pass."""
        if self._replace(rule, reading, rows, sample, what):
            return
        is_warning = self._policies.find(self._spec.name, rule).kind == "Warn"
        self._add(rule, "Warn" if is_warning else "Reject", rows, what, value=sample)

    def _replace(self, rule: str, reading: Reading, rows: Mask, sample: object, what: str) -> bool:
        """Policy Default: put the value in, when one is known."""
        policy = self._policies.find(self._spec.name, rule)
        if policy.kind != "Default" or policy.value is None:
            return False
        reading.values[rows] = policy.value
        self._settled |= rows
        what += f'; "{clip(str(policy.value))}" was used'
        self._add(rule, "Default", rows, what, value=sample, replacement=policy.value)
        return True

    def _add(
        self,
        rule: str,
        policy: str,
        rows: Mask | int,
        what: str,
        *,
        value: object = None,
        replacement: object = None,
    ) -> None:
        self._findings.add(
            rule=rule,
            column=self._spec.name,
            policy=policy,
            rows=rows,
            what=what,
            value=value,
            replacement=replacement,
        )


def _blank(values: npt.NDArray[Any], where: Mask) -> None:
    """Write "missing" in the column's own way."""
    if values.dtype.kind == "O":
        values[where] = None
    elif values.dtype.kind == "f":
        values[where] = np.nan


def _describe(value: object) -> str:
    if isinstance(value, str):
        return f'the text "{clip(value)}"'
    if isinstance(value, bool | np.bool_):
        return f"the boolean {str(bool(value)).lower()}"
    if isinstance(value, int | float | np.integer | np.floating):
        return f"the number {clip(str(value))}"
    return "a list or an object"


def _wanted(spec: ColumnSpec) -> str:
    if spec.datatype == "BYTES":
        return "text"
    if spec.datatype == "BOOL":
        return "a boolean"
    return f"a finite number ({spec.datatype})"
