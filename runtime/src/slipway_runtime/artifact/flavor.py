"""What a fetched file is, told from its bytes and never from its name.

Nothing is unpickled here: compressed files are only decompressed, archives only listed, pickles
only looked through. `convert` calls `detect_flavor` before it opens a model; `training_versions`
reads on where this ends.
"""

import lzma
import pickletools
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from slipway_runtime.artifact.compressed import compression_of, unpacked
from slipway_runtime.errors import BuildError

Format = Literal["SKLearn", "XGBoost", "LightGBM", "CatBoost", "ONNX"]
Loader = Literal["onnx", "joblib", "pickle", "skops", "xgboost", "lightgbm", "catboost"]
WANTED = (
    "give a scikit-learn, XGBoost, LightGBM or CatBoost model (pickled, or in the framework's own "
    "format), an ONNX file or an MLflow model directory"
)

_HEAD = 4096
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
    (b"binf", "an XGBoost model in the binary format that XGBoost 3 no longer reads"),
)
_PICKLED: dict[str, Format] = {
    "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost",
}  # fmt: skip
_BLANKS = b"\xef\xbb\xbf \t\r\n"
_UBJSON = re.compile(rb"\A\{(?:L\x00{7}|l\x00{3}|I\x00|[iU])\x07(?:learner|version)")
_LIGHTGBM = re.compile(rb"\Atree\r?\nversion=v\d")
_PICKLE_TEXT = re.compile(rb"\A(?:\(?c[\w.]+\n[\w.]+\n|\(lp|\(dp|\(i[\w.]+\n)")


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
    native = _detect_native(path, head)
    if native is not None:
        return native
    compression = compression_of(head)
    if compression is not None:
        return _detect_compressed(path, compression, head)
    kind = describe_bytes(head, size)
    if head[:1] == b"\x08":
        kind = f"{kind}; it starts like ONNX but does not parse, so it may be cut short"
    raise _unreadable(
        path,
        f"it holds {kind}, first bytes {_show(head)}, not a model",
        WANTED,
    )


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
    return Flavor(
        format=_format_of_pickle(path, compression), loader=loader, compression=compression
    )


def _format_of_pickle(path: Path, compression: str | None) -> Format:
    """The framework of the outermost object: the first class that the pickle names."""
    start = next(unpacked(path, compression), b"")[:_HEAD]
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(start):
            if opcode.name == "GLOBAL":
                texts = [str(argument).split(" ")[0]]
                break
            if opcode.name == "STACK_GLOBAL":
                texts = texts[-2:]
                break
            if isinstance(argument, str):
                texts.append(argument)
    except ValueError:  # only the start was given; what came before it ends is enough
        texts = texts[-2:]
    root = texts[0].split(".")[0] if texts else ""
    return _PICKLED.get(root, "SKLearn")


def _detect_native(path: Path, head: bytes) -> Flavor | None:
    """XGBoost's JSON and UBJSON, LightGBM's text, CatBoost's binary and JSON."""
    if head.startswith(b"CBM1"):
        return Flavor(format="CatBoost", loader="catboost")
    if _UBJSON.match(head):
        return Flavor(format="XGBoost", loader="xgboost")
    if _LIGHTGBM.match(head):
        if b"\nend of trees" not in path.read_bytes():
            raise _unreadable(
                path,
                "it is cut short: it starts like a LightGBM model and has no line 'end of trees'",
                "upload it again and compare its size and digest",
            )
        return Flavor(format="LightGBM", loader="lightgbm")
    if head.lstrip(_BLANKS)[:1] != b"{":
        return None
    try:
        held = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise _unreadable(
            path,
            f"it starts like JSON and does not parse ({error}), so it is cut short or damaged",
            "upload it again and compare its size and digest",
        ) from error
    if isinstance(held.get("learner"), dict):
        return Flavor(format="XGBoost", loader="xgboost")
    if "features_info" in held and ("oblivious_trees" in held or "trees" in held):
        return Flavor(format="CatBoost", loader="catboost")
    if "tree_info" in held:
        raise _unreadable(
            path,
            "it holds what LightGBM's dump_model gives, which cannot be opened again",
            "save the model with booster.save_model",
        )
    return None


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
            "give the model file itself",
        )
    return _detect_pickle(path, compression=compression)


def _detect_zip(path: Path, head: bytes) -> Flavor:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            schema = archive.read("schema.json") if "schema.json" in names else None
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _unreadable(
            path,
            f"it starts like a zip archive ({_show(head)}) but has no index, so it is cut short",
            "upload it again and compare its size and digest",
        ) from error
    if schema is not None:
        return Flavor(format=_format_of_skops(schema), loader="skops")
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
        WANTED,
    )


def _format_of_skops(schema: bytes) -> Format:
    """The framework of the outermost object."""
    try:
        held = orjson.loads(schema)
    except orjson.JSONDecodeError:
        return "SKLearn"
    module = str(held.get("__module__", "")) if isinstance(held, dict) else ""
    return _PICKLED.get(module.split(".")[0], "SKLearn")


def _show(head: bytes) -> str:
    """First bytes as hex and as text."""
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in head[:12])
    return f'{head[:8].hex(" ")} ("{text}")'


def _unreadable(path: Path, why: str, action: str) -> BuildError:
    return BuildError("ModelUnreadable", f'Reading model "{path.name}" failed: {why}; {action}.')
