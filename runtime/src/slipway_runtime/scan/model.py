"""Scan one fetched model file, of a known kind, before anything opens it."""

import io
import json
import mmap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from slipway_runtime.artifact.compressed import unpacked
from slipway_runtime.artifact.flavor import Flavor
from slipway_runtime.errors import BuildError
from slipway_runtime.scan.globals import judge
from slipway_runtime.scan.pickle_walk import MAX_FINDINGS, Damaged, Finding, walk_pickles

MAX_SCHEMA_BYTES: Final = 256 << 20


def scan_model(path: Path, flavor: Flavor) -> bool:
    """Refuse a file that holds what no model needs. Imports and runs nothing of it.

    Returns:
        Whether the file takes methods by their names, as it may (`watch_globals` asks).

    Raises:
        BuildError: `ModelUnsafe`, naming what it would use and where that stands;
            `ModelUnreadable` when the file cannot be followed to its end.
        OSError: the file cannot be read.
    """
    findings: list[Finding] = []
    takes_methods = False
    if flavor.loader == "skops":
        findings = _scan_skops(path)
    elif flavor.loader in ("joblib", "pickle"):
        try:
            with _open(path, flavor) as stream:
                takes_methods = walk_pickles(
                    stream, is_joblib=flavor.loader == "joblib", findings=findings
                )
        except Damaged as error:
            if not findings:
                raise _unreadable(path, error) from error
    if findings:
        first, others = findings[0], len(findings) - 1
        more = f" (and {others} more such thing{'s' if others > 1 else ''})" if others else ""
        raise unsafe(path, f"{first.name} at byte {first.position}{more}", first.why)
    return takes_methods


def unsafe(path: Path, what: str, why: str) -> BuildError:
    """The refusal, also for what only the unpickler met."""
    return BuildError(
        "ModelUnsafe",
        f'Will not open model "{path.name}": it holds {what}, which {why}; save the fitted '
        "estimator itself, from a clean session, with skops.io.dump or as ONNX.",
    )


def _unreadable(path: Path, error: Damaged) -> BuildError:
    return BuildError(
        "ModelUnreadable",
        f'Reading model "{path.name}" failed: it cannot be followed beyond byte {error.position} '
        f"({error.why}), so it was not opened; save it again and compare its size and digest.",
    )


def _open(path: Path, flavor: Flavor) -> IO[bytes]:
    if flavor.compression is not None:
        return io.BufferedReader(_Chunks(unpacked(path, flavor.compression)))
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # type: ignore[return-value]


class _Chunks(io.RawIOBase):
    """Decompressed chunks as a stream that knows where it stands."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left, self._at = chunks, memoryview(b""), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        if not self._left:
            self._left = memoryview(next(self._chunks, b""))
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        self._at += count
        return count

    def tell(self) -> int:
        return self._at


def _scan_skops(path: Path) -> list[Finding]:
    """Judge every type and function that a skops file's schema names.

    Raises:
        BuildError: `ModelUnreadable`.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("schema.json") as stream:
            text = stream.read(MAX_SCHEMA_BYTES + 1)
        if len(text) > MAX_SCHEMA_BYTES:
            raise ValueError(f"schema.json is larger than {MAX_SCHEMA_BYTES} bytes")
        schema = json.loads(text)
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, RuntimeError) as error:
        raise BuildError(
            "ModelUnreadable",
            f'Reading model "{path.name}" failed: its schema.json cannot be read '
            f"({' '.join(str(error).split())[:100]}); save it again with skops.io.dump.",
        ) from error
    findings: dict[str, Finding] = {}
    waiting = [schema]
    while waiting and len(findings) < MAX_FINDINGS:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            for module, name in _names_of(node):
                why = judge(module, name)
                if why is not None:
                    whole = f"{module}.{name}"
                    findings[whole] = Finding(name=whole, why=why, position=0)
    return list(findings.values())


def _names_of(node: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = [
        (node.get("__module__"), node.get("__class__")),
        (node.get("module_path"), node.get("function")),
    ]
    return [(str(module), str(name)) for module, name in pairs if module is not None]
