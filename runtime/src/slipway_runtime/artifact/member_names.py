"""The names of an archive's members: each must mean one plain place below the folder.

Also on file systems that fold case or accents, where two names may be one place.
"""

import unicodedata
from typing import Final

MAX_DEPTH: Final = 32
MAX_NAME_BYTES: Final = 255
_SHOWN: Final = 120


class MemberNames:
    """The names so far, with the folders they lie in."""

    def __init__(self) -> None:
        self._count = 0
        # folded path → how it is written, and whether it is a folder
        self._places: dict[str, tuple[str, bool]] = {}
        self._named: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def problem(self, name: str, *, is_folder: bool) -> str | None:
        """Why a member of this name is unsafe, as the end of a sentence; None when it is not."""
        if not name.isprintable():  # control characters, and bytes that are no text
            return "has a name that cannot be shown"
        if name.startswith("/") or "\\" in name:
            return "leads out of the folder"
        parts = _clean(name).split("/")
        if ".." in parts or "." in parts[1:] or "" in parts:
            return "leads out of the folder"
        if len(parts) > MAX_DEPTH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
            return "is too deep or too long"
        if _fold(_clean(name)) in self._named:
            return "is there twice"
        for depth in range(1, len(parts) + 1):
            place = "/".join(parts[:depth])
            kind = is_folder or depth < len(parts)
            known = self._places.get(_fold(place))
            if known is not None and known[0] != place:
                return (
                    f"is the same place as {show_name(known[0])} where case or accents are folded"
                )
            if known is not None and known[1] != kind:
                return "is a file and a folder at once"
        return None

    def add(self, name: str, *, is_folder: bool) -> str:
        """Take a name that has no problem; returns it without a leading `./`."""
        name = _clean(name)
        self._count += 1
        self._named.add(_fold(name))
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            place = "/".join(parts[:depth])
            self._places.setdefault(_fold(place), (place, is_folder or depth < len(parts)))
        return name


def show_name(name: str) -> str:
    """A name for a message: quoted, short, and harmless on a terminal."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in name[:_SHOWN])
    return f'"{shown}{"…" if len(name) > _SHOWN else ""}"'


def _clean(name: str) -> str:
    return name.removeprefix("./") or "."


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
