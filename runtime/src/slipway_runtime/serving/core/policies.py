"""What to do when a rule of the contract is broken: the stated policy, column by column.

`Reject` refuses the request. `Warn` answers and says so. `Default` replaces the value and says so.
Where the model has no answer of its own (a missing value in a column that must have one), `Warn`
refuses too: nothing is ever guessed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .faults import ModelInvalid
from .reading import read_scalar
from .schema import ColumnSpec, ModelSchema

RULES = (
    "ExtraColumn",
    "MissingColumn",
    "MissingValue",
    "OutOfRange",
    "UnknownCategory",
    "WrongType",
)
POLICIES = ("Reject", "Warn", "Default")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRule:
    """One entry of `spec.contract.rules`; `value` is text, read with the column's type."""

    column: str
    rule: str
    policy: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to do, and with which value (in the column's type; None: none is known)."""

    kind: str
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policy of every column and rule; a stated rule wins over the default."""

    general: str = "Warn"
    stated: Mapping[tuple[str, str], Policy] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def find(self, column: str, rule: str) -> Policy:
        """The policy for `rule` on `column`."""
        stated = self.stated.get((column, rule))
        if stated is not None:
            return stated
        return Policy(kind=self.general, value=self.defaults.get(column))


def compile_policies(schema: ModelSchema, general: str, rules: Iterable[StatedRule]) -> Policies:
    """Check the stated rules against the model.

    Raises:
        ModelInvalid: a rule names a column that the model does not read, a policy that serving does
            not know, or a value that is none of the column's type.
    """
    columns = {column.name: column for column in schema.columns}
    stated: dict[tuple[str, str], Policy] = {}
    if general not in POLICIES:
        raise ModelInvalid(
            f'Cannot serve with contract.onViolation "{general}": only {", ".join(POLICIES)} '
            "apply to single requests."
        )
    for rule in rules:
        where = f'contract rule {rule.rule} on column "{rule.column}"'
        if rule.policy not in POLICIES:
            raise ModelInvalid(
                f'Cannot apply {where}: policy "{rule.policy}" is none of {", ".join(POLICIES)}.'
            )
        column = columns.get(rule.column)
        if column is None and rule.rule != "ExtraColumn":
            raise ModelInvalid(
                f"Cannot apply {where}: the model reads no such column; it reads "
                f"{', '.join(columns)}."
            )
        stated[rule.column, rule.rule] = Policy(
            kind=rule.policy, value=_value_of(rule, column, where)
        )
    return Policies(
        general=general,
        stated=stated,
        defaults={name: spec.default for name, spec in columns.items() if spec.default is not None},
    )


def _value_of(rule: StatedRule, column: ColumnSpec | None, where: str) -> Any:
    if column is None or rule.policy != "Default":
        return None
    if rule.value is None:
        if column.default is None and rule.rule != "ExtraColumn":
            raise ModelInvalid(
                f"Cannot apply {where}: policy Default needs a value, and the model tells none."
            )
        return column.default
    try:
        value = read_scalar(column, rule.value)
    except ValueError as error:
        raise ModelInvalid(
            f'Cannot apply {where}: the value "{rule.value}" is no {column.datatype}.'
        ) from error
    if rule.rule == "UnknownCategory" and column.categories and value not in column.categories:
        raise ModelInvalid(
            f'Cannot apply {where}: the value "{rule.value}" is itself an unknown category; '
            f"known: {list_some(column.categories)}."
        )
    return value


def list_some(values: Iterable[object], limit: int = 8) -> str:
    """Name the first few, so that a message stays one line."""
    known = [str(value) for value in values]
    return ", ".join(known[:limit]) + (
        f" and {len(known) - limit} more" if len(known) > limit else ""
    )
