"""Compressed files, told by their first bytes and read in chunks within a limit."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20
MAX_UNPACKED_BYTES = 8 << 30

_COMPRESSIONS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x78\x01", "zlib"),
    (b"\x78\x5e", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
)


def compression_of(head: bytes) -> str | None:
    """Name the compression from a file's first bytes; None: none that is known."""
    return next((name for magic, name in _COMPRESSIONS if head.startswith(magic)), None)


def unpacked(path: Path, compression: str | None) -> Iterator[bytes]:
    """Yield the content, decompressed, in chunks; at most `MAX_UNPACKED_BYTES`."""
    total = 0
    with _open(path, compression) as stream:
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            if total > MAX_UNPACKED_BYTES:
                raise OSError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            yield chunk


def _open(path: Path, compression: str | None) -> io.BufferedIOBase:
    match compression:
        case "gzip":
            return gzip.open(path, "rb")
        case "bz2":
            return bz2.open(path, "rb")
        case "xz" | "lzma":
            return lzma.open(path, "rb")
        case "zlib":
            return io.BufferedReader(_ZlibStream(path))
        case _:
            return path.open("rb")


class _ZlibStream(io.RawIOBase):
    """A zlib stream as a file: the standard library has readers for its cousins only."""

    def __init__(self, path: Path) -> None:
        self._source = path.open("rb")
        self._zlib = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        while not self._zlib.eof:
            data = self._zlib.unconsumed_tail or self._source.read(_CHUNK)
            if not data:
                raise EOFError("the stream ends before its end marker")
            content = self._zlib.decompress(data, len(view))
            if content:
                view[: len(content)] = content
                return len(content)
        return 0

    def close(self) -> None:
        self._source.close()
        super().close()
