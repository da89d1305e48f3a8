"""What every Struct of the spec is made of, and what a rule over such a Struct is."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Meta, Struct


class Spec(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Immutable, named fields only, camelCase on the wire, and no field that nobody knows."""


def doc(description: str, *, effect: str | None = None) -> Meta:
    """The sentence that `kubectl explain` shows, and what a change of the field sets off."""
    return Meta(description=description, extra=None if effect is None else {"effect": effect})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that must hold between the fields of one Struct, said twice: for us and in CEL.

    `on` is the Struct, `field` the member to blame (JSON name, dotted; empty: the Struct itself).
    `holds` takes the decoded Struct with its defaults, `cel` sees the object as written. Both
    refuse the same documents; a contract test compares them row by row. `message` says
    why and what to do, without the path and value, which are put in front.
    """

    on: type
    field: str
    reason: str
    message: str
    cel: str
    holds: Callable[[Any], bool]
    beside: tuple[str, ...] = ()  # members whose values belong into the message too

    def render(self) -> dict[str, str]:
        """An entry of `x-kubernetes-validations`."""
        entry = {"rule": self.cel, "message": self.message}
        if self.field and not self.field.startswith("metadata"):
            entry["fieldPath"] = f".{self.field}"
        return entry


def union_rule(on: type, members: dict[str, str]) -> Rule:
    """Exactly the member that `type` names: `members` gives the JSON name of each type's member."""
    fields = [
        (word, name, re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name))
        for word, name in members.items()
    ]
    return Rule(
        on=on,
        field="type",
        reason="FieldConflict",
        message="type needs exactly the member of its name beside it ("
        + ", ".join(f"{word}: {name}" for word, name in members.items())
        + "); add that one and take the others out",
        cel=" && ".join(
            f"(self.type == '{word}') == has(self.{name})" for word, name in members.items()
        ),
        holds=lambda it: all(
            (it.type == word) == (getattr(it, attribute) is not None)
            for word, _, attribute in fields
        ),
    )
