"""Zips that attack whoever unpacks them as an MLflow directory, each with the reason it must meet.

Every one lists a good `MLmodel` first, so it is taken for such a directory and unpacked.
"""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

MARKER = ("MLmodel", b"flavors: {}\n")
MIB = 1 << 20
LIMIT_BYTES = 24 * MIB


@dataclass(frozen=True, kw_only=True)
class Zip:
    """How to make it, and what must be said."""

    make: Callable[[], bytes]
    reason: str = "ArchiveUnsafe"


def pack(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A zip of these members behind a good marker."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (MARKER, *members):
            archive.writestr(name, content)
    return target.getvalue()


def special(name: str, kind: int) -> zipfile.ZipInfo:
    """A member that says it is no plain file."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


def _named(name: str) -> Zip:
    return Zip(make=lambda: pack((name, b"x")))


def _lies() -> bytes:
    """A member that says it unpacks to one byte and holds 30 MiB."""
    made = bytearray(pack(("big", bytes(30 * MIB))))
    at = made.rindex(b"PK\x01\x02")
    struct.pack_into("<I", made, at + 24, 1)
    return bytes(made)


def _encrypted() -> bytes:
    made = bytearray(pack(("a", b"x")))
    at = made.rindex(b"PK\x01\x02")
    made[at + 8] |= 1
    return bytes(made)


def _damaged() -> bytes:
    made = bytearray(pack(("a", bytes(range(256)) * 64)))
    start = made.index(b"PK\x03\x04", 4) + 40
    made[start : start + 40] = bytes(40)
    return bytes(made)


def _unknown_method() -> bytes:
    made = bytearray(pack(("a", b"x")))
    at = made.rindex(b"PK\x01\x02")
    struct.pack_into("<H", made, at + 10, 99)
    return bytes(made)


def _twice() -> bytes:
    return pack(("a", b"one"), ("b", b"x")).replace(b"b", b"a")


ZIPS = {
    "up": _named("../x"),
    "up in the middle": _named("a/../../x"),
    "absolute": _named("/x"),
    "two slashes": _named("//x"),
    "backslashes": _named("..\\x"),
    "nothing between slashes": _named("a//x"),
    "a line break": _named("a\nb"),
    "an escape": _named("a\x1b[2Jb"),
    "too long a name": _named("n" * 300),
    "too deep": _named("/".join("d" * 60)),
    "a file below a file": Zip(make=lambda: pack(("a", b"x"), ("a/b", b"x"))),
    "the marker as a folder": Zip(make=lambda: pack(("MLmodel/x", b"x"))),
    "the same name twice": Zip(make=_twice),
    "names that differ by case": Zip(make=lambda: pack(("Model.pkl", b"1"), ("model.pkl", b"2"))),
    "names that differ by form": Zip(make=lambda: pack(("é", b"1"), ("e\u0301", b"2"))),
    "a link": Zip(make=lambda: pack((special("a", stat.S_IFLNK), b"/etc/passwd"))),
    "a device": Zip(make=lambda: pack((special("a", stat.S_IFCHR), b""))),
    "a pipe": Zip(make=lambda: pack((special("a", stat.S_IFIFO), b""))),
    "a socket": Zip(make=lambda: pack((special("a", stat.S_IFSOCK), b""))),
    "encrypted": Zip(make=_encrypted),
    "damaged": Zip(make=_damaged),
    "a method nobody knows": Zip(make=_unknown_method),
    "too large": Zip(make=lambda: pack(("big", bytes(30 * MIB))), reason="ArchiveTooLarge"),
    "too large together": Zip(
        make=lambda: pack(*((f"f{number}", bytes(MIB)) for number in range(30))),
        reason="ArchiveTooLarge",
    ),
    "too many": Zip(
        make=lambda: pack(*((f"f{number}", b"") for number in range(10_001))),
        reason="ArchiveTooLarge",
    ),
    "a size that lies": Zip(make=_lies),
}

# Odd, and yet plain files below the folder.
ODD = {"a drive": ("C:/x", "C:/x"), "a dot": ("./x", "x")}
