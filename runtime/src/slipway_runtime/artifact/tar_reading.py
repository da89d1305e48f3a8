"""Reads a tar that a stranger wrote, without its headers taking what its files may not.

The standard library reads extended headers (long names, pax) whole into memory, takes a damaged
header for the end, and calls itself once a header. Here the first two are refused and the third is
caught.
"""

import gzip
import lzma
import tarfile
import zlib
from typing import IO, Final, Literal, Self

_MAX_HEADER_BYTES: Final = 1 << 20
_MAX_HEADERS_BYTES: Final = 32 << 20  # of all members; a long name takes a kilobyte
_EXTENDED: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
UNREADABLE: Final = (
    tarfile.TarError,
    EOFError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    RecursionError,
    ValueError,
)


class TarTooLarge(Exception):
    """It holds more than it may, as the end of a sentence."""


class _Member(tarfile.TarInfo):
    """A member whose header is believed in nothing that costs memory; one class an archive."""

    header_bytes = 0

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read one header block.

        Raises:
            tarfile.ReadError: the header is damaged; the caller would take it for the end.
            TarTooLarge: an extended header is larger than any name.
        """
        try:
            member = super().frombuf(buf, encoding, errors)
        except (tarfile.EmptyHeaderError, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is damaged ({error})") from error
        if member.size < 0:
            raise tarfile.ReadError("a member of negative size")
        if member.type in _EXTENDED:
            cls.header_bytes += member.size
            if member.size > _MAX_HEADER_BYTES or cls.header_bytes > _MAX_HEADERS_BYTES:
                raise TarTooLarge(f"headers of {cls.header_bytes} bytes")
        return member


def open_tar(stream: IO[bytes], *, mode: Literal["r|gz", "r|*"] = "r|gz") -> tarfile.TarFile:
    """Open a compressed tar for one pass.

    Raises:
        TarTooLarge: also later, while members are read.
        One of UNREADABLE: it is none; also later.
    """

    class Member(_Member):
        """Counts the headers of this archive."""

    return tarfile.open(fileobj=stream, mode=mode, tarinfo=Member)


def tar_problem(member: tarfile.TarInfo) -> str | None:
    """Why a member must not be unpacked, whatever its name; None when it may."""
    if not (member.isreg() or member.isdir()):
        return "is a link or a special file"
    if member.issparse():
        return "is a sparse file"
    if member.size < 0:
        return "has a negative size"
    if member.mode & 0o7000:
        return "has set-user, set-group or sticky bits"
    return None
