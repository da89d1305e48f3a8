"""What a fetched file is, told from its bytes and never from its name.

Nothing is unpickled here: compressed files are only decompressed, archives only listed. `convert`
calls `detect_flavor` before it opens a model; `publish` and the command line's `check` may too.
"""

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from slipway_runtime.errors import BuildError

Format = Literal["SKLearn", "ONNX"]
Loader = Literal["onnx", "joblib", "pickle", "skops"]

_CHUNK = 1 << 20
_HEAD = 4096
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
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n", "an HDF5 file (Keras .h5 or a table)"),
    (b"PAR1", "a Parquet table"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program (ELF)"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x93NUMPY", "one NumPy array (.npy)"),
    (b"SQLite format 3", "an SQLite database"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it points to"),
    (b"tree\nversion=", "a LightGBM model in text form"),
    (b"CBM1", "a CatBoost model"),
)
_PICKLE_TEXT = re.compile(rb"\A(?:\(?c[\w.]+\n[\w.]+\n|\(lp|\(dp|\(i[\w.]+\n)")
_VERSION = re.compile(
    rb"_sklearn_version(?:\x94|[qr].{1,4}?)?(?:\x8c.|X.\x00\x00\x00)(\d+\.\d+[\w.+]*?)(?=[\x94qrusbh])",
    re.DOTALL,
)
_SKOPS_VERSION = re.compile(rb'"_sklearn_version".{0,300}?(\d+\.\d+(?:\.\d+)?[\w.+]*)', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A model file's format, what opens it, and how it is compressed (None: not at all)."""

    format: Format
    loader: Loader
    compression: str | None = None


def detect_flavor(path: Path) -> Flavor:
    """Tell what the file at `path` is.

    Raises:
        BuildError: `ModelUnreadable`, saying what the bytes look like and what to do.
    """
    size = path.stat().st_size
    if size == 0:
        raise _unreadable(path, "it is empty (0 bytes)", "save and upload the model again")
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return _detect_zip(path, head)
    if head[:1] == b"\x08" and _is_onnx(path):
        return Flavor(format="ONNX", loader="onnx")
    if _is_pickle(head):
        return _detect_pickle(path, compression=None)
    compression = _compression(head)
    if compression is not None:
        return _detect_compressed(path, compression, head)
    kind = describe_bytes(head, size)
    if head[:1] == b"\x08":
        kind = f"{kind}; it starts like ONNX but does not parse, so it may be cut short"
    raise _unreadable(
        path,
        f"it holds {kind}, first bytes {_show(head)}, not a model",
        "give a scikit-learn model (joblib, pickle, skops) or an ONNX file",
    )


def find_training_version(path: Path, flavor: Flavor) -> str | None:
    """Find the scikit-learn version that saved the model, without opening it; None: not told."""
    if flavor.loader == "onnx":
        return None
    if flavor.loader == "skops":
        with zipfile.ZipFile(path) as archive:
            text = archive.read("schema.json")
        found = _SKOPS_VERSION.search(text)
        return found[1].decode() if found else None
    tail = b""
    for chunk in unpacked(path, flavor.compression):
        found = _VERSION.search(tail + chunk)
        if found:
            return found[1].decode()
        tail = chunk[-256:]
    return None


def describe_bytes(head: bytes, size: int) -> str:
    """Name the likely kind of a file from its first bytes, as a noun phrase with its article."""
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return kind
    if len(head) > 262 and head[257:262] == b"ustar":
        return "a tar archive"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page (a login or error page, perhaps)"
    if text.startswith(b"<"):
        return "an XML document"
    if text.startswith((b"{", b"[")):
        return "JSON text"
    try:
        decoded = head.decode("utf-8", errors="strict" if size <= _HEAD else "ignore")
    except UnicodeDecodeError:
        return "bytes of no known kind"
    if any(ord(character) < 32 and character not in "\t\r\n" for character in decoded):
        return "bytes of no known kind"
    first = decoded.splitlines()[0] if decoded.strip() else ""
    return "a CSV table" if "," in first or "\t" in first or ";" in first else "plain text"


def _is_pickle(head: bytes) -> bool:
    if head[:1] == b"\x80" and len(head) > 1 and 2 <= head[1] <= 5:
        return True
    return _PICKLE_TEXT.match(head) is not None


def _compression(head: bytes) -> str | None:
    return next((name for magic, name in _COMPRESSIONS if head.startswith(magic)), None)


def _is_onnx(path: Path) -> bool:
    """Parse as ONNX; other protobufs parse too, so a graph with operators is asked for."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError):
        return False
    return bool(model.ir_version and model.opset_import and model.graph.output)


def _detect_pickle(path: Path, *, compression: str | None) -> Flavor:
    """A joblib file carries wrappers of its own; without them plain pickle opens it as well."""
    last, wrapped, tail = b"", False, b""
    try:
        for chunk in unpacked(path, compression):
            wrapped = wrapped or b"NumpyArrayWrapper" in tail + chunk
            tail, last = chunk[-64:], chunk[-1:]
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise _unreadable(
            path,
            f"it is cut short or damaged: its {compression} data cannot be unpacked ({error})",
            "upload it again and compare its size and digest",
        ) from error
    if last != b".":
        raise _unreadable(
            path,
            f"it is cut short: a pickle ends with 2e, this one with {last.hex()}",
            "upload it again and compare its size and digest",
        )
    loader: Loader = "joblib" if wrapped or compression else "pickle"
    return Flavor(format="SKLearn", loader=loader, compression=compression)


def _detect_compressed(path: Path, compression: str, head: bytes) -> Flavor:
    if compression == "lz4":
        raise _unreadable(
            path,
            "it is compressed with lz4, which is not installed here",
            "save it with joblib.dump(model, file, compress=3)",
        )
    try:
        inner = next(unpacked(path, compression), b"")
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise _unreadable(
            path,
            f"it looks {compression}-compressed (first bytes {_show(head)}) "
            f"but cannot be unpacked ({error}), so it is cut short or damaged",
            "upload it again and compare its size and digest",
        ) from error
    if not _is_pickle(inner[:_HEAD]):
        raise _unreadable(
            path,
            f"it is {compression}-compressed and holds {describe_bytes(inner[:_HEAD], len(inner))} "
            f"inside, first bytes {_show(inner)}, not a model",
            "give the model file itself (joblib, pickle, skops or ONNX)",
        )
    return _detect_pickle(path, compression=compression)


def _detect_zip(path: Path, head: bytes) -> Flavor:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _unreadable(
            path,
            f"it starts like a zip archive ({_show(head)}) but has no index, so it is cut short",
            "upload it again and compare its size and digest",
        ) from error
    if "schema.json" in names:
        return Flavor(format="SKLearn", loader="skops")
    kind = "a zip archive without skops' schema.json"
    if any(name.endswith("data.pkl") for name in names):
        kind = "a PyTorch file"
    elif {"config.json", "metadata.json"} <= names:
        kind = "a Keras model (.keras)"
    elif names and all(name.endswith(".npy") for name in names):
        kind = "NumPy arrays (.npz)"
    elif any(name.endswith("MLmodel") for name in names):
        kind = "a zipped MLflow directory"
    raise _unreadable(
        path,
        f"it holds {kind}, first bytes {_show(head)}",
        "give a scikit-learn model (joblib, pickle, skops) or an ONNX file",
    )


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


def _show(head: bytes) -> str:
    """First bytes as hex and as text."""
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in head[:12])
    return f'{head[:8].hex(" ")} ("{text}")'


def _unreadable(path: Path, why: str, action: str) -> BuildError:
    return BuildError("ModelUnreadable", f'Reading model "{path.name}" failed: {why}; {action}.')
