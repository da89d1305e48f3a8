"""Archives that attack whoever unpacks them, as gzipped tars, each with the reason it must meet.

Every one first holds the good file `first.txt`. Whatever unpacks archives can be held against the
list: nothing may be written outside, nothing may be followed, and no more than the limit written.
"""

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

UNSAFE, TOO_LARGE = "ArchiveUnsafe", "ArchiveTooLarge"
MIB = 1 << 20
# What the extractor under test may write, and how many members it may take.
LIMIT_BYTES, LIMIT_ENTRIES = 24 * MIB, 200


@dataclass(frozen=True, kw_only=True)
class Archive:
    """How to make it (told a folder outside), and what must be said."""

    make: Callable[[str], bytes]
    reason: str
    names: str = ""


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    """A member's header."""
    made = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def pack(*members: Any, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A gzipped tar of headers, (header, content) pairs, and raw blocks."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for one in (member("first.txt"), *members):
            if isinstance(one, bytes):
                assert archive.fileobj is not None
                archive.fileobj.write(one)
                archive.offset += len(one)
                continue
            header, content = one if isinstance(one, tuple) else (one, b"")
            if content:
                header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return gzip.compress(target.getvalue(), 1)


def _members(*members: Any, names: str = "", reason: str = UNSAFE) -> Archive:
    return Archive(make=lambda _: pack(*members), reason=reason, names=names)


def _outside(build: Callable[[str], list[Any]], names: str = "") -> Archive:
    return Archive(make=lambda folder: pack(*build(folder)), reason=UNSAFE, names=names)


def _block(name: str, **fields: Any) -> bytes:
    """A header block by itself, with a checksum that is right."""
    made = member(name, **fields)
    return made.tobuf(format=tarfile.GNU_FORMAT)


def _sized(name: str, size: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header whose size field holds these 12 bytes."""
    block = bytearray(_block(name, type=kind))
    block[124:136] = size
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block)


def _pax(**records: str) -> tarfile.TarInfo:
    return member("plain", pax_headers=records)


def _sparse() -> list[Any]:
    """A GNU 1.0 sparse file: a megabyte packed, a terabyte unpacked."""
    records = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": str(1 << 40),
    }  # fmt: skip
    return [(member("GNUSparseFile.0/sparse", pax_headers=records), b"0\n".ljust(512, b"\0"))]


def _old_sparse() -> bytes:
    block = bytearray(_block("sparse", type=tarfile.GNUTYPE_SPARSE))
    block[483:495] = b"77777777777\0"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block)


def _header_bomb(_: str) -> bytes:
    """A name of sixteen megabytes, which the standard library would hold in memory."""
    return _compressed_zeros(
        _sized("long", b"%011o\0" % (16 * MIB), tarfile.GNUTYPE_LONGNAME), 16 * MIB
    )


def _compressed_zeros(start: bytes, count: int) -> bytes:
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1) as stream:
        stream.write(_block("first.txt") + start)
        zeros = bytes(MIB)
        for _ in range(count // MIB):
            stream.write(zeros)
    return target.getvalue()


def _bomb(_: str) -> bytes:
    return _compressed_zeros(_sized("zeros", b"%011o\0" % (32 * MIB)), 32 * MIB)


def _many_small(_: str) -> bytes:
    """Sixteen files of two megabytes: each is small, together they are not."""
    return pack(*[(member(f"f{number}"), bytes(2 * MIB)) for number in range(16)])


def _good(content: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    return member("second.txt"), content


ARCHIVES: dict[str, Archive] = {
    "parent": _members(member("../escaped"), names="../escaped"),
    "parent inside": _members(member("a/../../escaped"), names="escaped"),
    "parent at the end": _members(member("a/..", type=tarfile.DIRTYPE), names="a/.."),
    "absolute": _outside(lambda folder: [member(f"{folder}/escaped")], names="escaped"),
    "two slashes": _members(member("//escaped")),
    "backslash": _members(member("..\\escaped"), names="escaped"),
    "drive": _members(member("C:\\escaped"), names="escaped"),
    "empty part": _members(member("a//b"), names="a//b"),
    "dot inside": _members(member("a/./b"), names="a/./b"),
    "symbolic link": _outside(lambda f: [member("link", type=tarfile.SYMTYPE, linkname=f)], "link"),
    "link and write through it": _outside(
        lambda f: [member("d", type=tarfile.SYMTYPE, linkname=f), (member("d/escaped"), b"x")], "d"
    ),
    "link over a file": _outside(
        lambda f: [_good(), member("second.txt", type=tarfile.SYMTYPE, linkname=f)], "second.txt"
    ),
    "two links": _members(
        member("a", type=tarfile.SYMTYPE, linkname="."),
        member("a/b", type=tarfile.SYMTYPE, linkname=".."),
    ),
    "hard link to nothing": _members(member("hard", type=tarfile.LNKTYPE, linkname="none")),
    "hard link outside": _outside(
        lambda f: [member("hard", type=tarfile.LNKTYPE, linkname=f"{f}/secret")], "hard"
    ),
    "fifo": _members(member("pipe", type=tarfile.FIFOTYPE), names="pipe"),
    "character device": _members(member("tty", type=tarfile.CHRTYPE, devmajor=5), names="tty"),
    "block device": _members(member("disk", type=tarfile.BLKTYPE, devmajor=8), names="disk"),
    "set-user": _members(member("s", mode=0o4755)),
    "set-group": _members(member("s", mode=0o2755)),
    "sticky": _members(member("s", mode=0o1777, type=tarfile.DIRTYPE)),
    "too deep": _members(member("/".join("d" * 40))),
    "long name": _members(member("n" * 300)),
    "twice": _members(member("first.txt"), names="first.txt"),
    "twice, with a dot": _members(member("./first.txt"), names="first.txt"),
    "case": _members(member("FIRST.txt"), names="FIRST.txt"),
    "case of a folder": _members(member("Data/a"), member("data/b"), names="data/b"),
    "sharp s": _members(member("straße"), member("STRASSE"), names="STRASSE"),
    "accents": _members(member("caf\u00e9"), member("cafe\u0301"), names="caf"),
    "file, then folder": _members(member("first.txt/below"), names="first.txt/below"),
    "folder, then file": _members(member("d/a"), member("d"), names='"d"'),
    "newline": _members(member("a\nb"), names="a?b"),
    "terminal": _members(member("\x1b[2Jhidden"), names="?[2Jhidden"),
    "right to left": _members(member("\u202egnp.exe"), names="?gnp.exe"),
    "no text": Archive(
        make=lambda _: pack(_block("x").replace(b"x\0", b"\xff\0", 1)), reason=UNSAFE
    ),
    "name from a pax record": _members(_pax(path="../escaped"), names="../escaped"),
    "link from a pax record": _outside(
        lambda f: [member("l", type=tarfile.SYMTYPE, pax_headers={"linkpath": f})], "l"
    ),
    "size from a pax record": _members((_pax(size="-1024"), b"x" * 600)),
    "name from a GNU record": Archive(
        make=lambda _: pack(member("a/" * 60 + "../" * 70 + "escaped"), form=tarfile.GNU_FORMAT),
        reason=UNSAFE,
        names="a/a/",
    ),
    "pax sparse": Archive(make=lambda _: pack(*_sparse()), reason=UNSAFE, names="sparse"),
    "old sparse": Archive(make=lambda _: pack(_old_sparse()), reason=UNSAFE, names="sparse"),
    "negative size": Archive(
        make=lambda _: pack(_sized("n", b"\xff" * 10 + b"\xfc\x00")), reason=UNSAFE
    ),
    "size that lies": Archive(
        make=lambda _: pack(_sized("n", b"%011o\0" % (16 * MIB))), reason=UNSAFE
    ),
    "size of the universe": Archive(
        make=lambda _: pack(_sized("n", b"\x80" + b"\x00" * 3 + b"\x7f" * 8)), reason=TOO_LARGE
    ),
    "damaged header": Archive(
        make=lambda _: pack(_block("x").replace(b"x", b"y", 1), _good()),
        reason=UNSAFE,
    ),
    "headers without end": Archive(
        make=lambda _: pack(*[_sized("g", b"%011o\0" % 0, tarfile.XGLTYPE)] * 5000), reason=UNSAFE
    ),
    "header bomb": Archive(make=_header_bomb, reason=TOO_LARGE),
    "bomb": Archive(make=_bomb, reason=TOO_LARGE),
    "many that are small": Archive(make=_many_small, reason=TOO_LARGE),
    "very many": Archive(
        make=lambda _: pack(*[member(f"f{number}") for number in range(LIMIT_ENTRIES + 1)]),
        reason=TOO_LARGE,
    ),
    "very many folders": Archive(
        make=lambda _: pack(
            *[member(f"d{one}", type=tarfile.DIRTYPE) for one in range(LIMIT_ENTRIES + 1)]
        ),
        reason=TOO_LARGE,
    ),
    "empty": Archive(make=lambda _: b"", reason=UNSAFE),
    "text": Archive(make=lambda _: b"not an archive at all", reason=UNSAFE),
    "cut short": Archive(
        make=lambda _: pack((member("f"), bytes(range(256)) * 400))[:-2000], reason=UNSAFE
    ),
    "damaged gzip": Archive(make=lambda _: b"\x1f\x8b" + bytes(50), reason=UNSAFE),
    "damaged in the middle": Archive(
        make=lambda _: _flip(pack((member("f"), bytes(range(256)) * 4000))), reason=UNSAFE
    ),
}


def _flip(content: bytes) -> bytes:
    damaged = bytearray(content)
    for at in range(len(damaged) // 2, len(damaged) // 2 + 64):
        damaged[at] ^= 0xFF
    return bytes(damaged)


# Odd and harmless: these must unpack.
HARMLESS: dict[str, tuple[bytes, set[str]]] = {
    "dots": (pack(member(".", type=tarfile.DIRTYPE), member("./a/b")), {"first.txt", "a/b"}),
    "an archive inside": (
        pack((member("inner.tar.gz"), pack(member("../escaped")))),
        {"first.txt", "inner.tar.gz"},
    ),
    "long, and in pax": (pack(member("d/" * 20 + "f" * 120)), {"first.txt", "d/" * 20 + "f" * 120}),
    "other letters": (pack(member("模型/данные")), {"first.txt", "模型/данные"}),
}
