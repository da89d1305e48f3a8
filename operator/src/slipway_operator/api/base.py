"""What every Struct of the spec is made of."""

from msgspec import Meta, Struct


class Spec(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Immutable, named fields only, camelCase on the wire, and no field that nobody knows."""


def doc(description: str, *, effect: str | None = None) -> Meta:
    """The sentence that `kubectl explain` shows, and what a change of the field sets off."""
    return Meta(description=description, extra=None if effect is None else {"effect": effect})
