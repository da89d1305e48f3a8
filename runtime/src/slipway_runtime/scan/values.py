"""What the walk knows of a value on a pickle's stack: little, and never the value itself."""

from dataclasses import dataclass
from typing import Any, Final


class _Opaque:
    """A value nobody looks into (a list, a float, an object's result)."""

    def __repr__(self) -> str:
        return "OPAQUE"


OPAQUE: Final = _Opaque()
MARK: Final = _Opaque()


@dataclass(frozen=True, slots=True)
class Global:
    """Something a pickle names by module and name, to be imported and perhaps called."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Made:
    """An object that a pickle makes: what it calls for it, with what, and the state it sets."""

    by: Any
    arguments: Any
    state: Any = None


# How unpicklers take a method: by name, from a class or an object. Never anything but called.
GETATTR: Final = Global("builtins", "getattr")

# Texts, whole numbers, booleans and None stand for themselves; tuples and dicts (text keys only)
# hold values; all else is OPAQUE, Global or Made.
Value = Any
