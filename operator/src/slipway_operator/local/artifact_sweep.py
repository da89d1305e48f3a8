"""Takes artifacts out of the OCI layout, and then the blobs that nothing names any more.

In this order, under the layout's own lock (docs/wire.md): killed at any step, whatever the index
names is still whole, and the next sweep finds what was left. A layout that cannot be read is left
as it is. It knows nothing of models.
"""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from slipway_operator.local.artifacts import blob_path, read_json

Object = dict[str, Any]
MOST_BLOBS: Final = 64  # a pass; so that the engine's loop is never held up


def sweep(layout: Path, *, unwanted: Collection[str], written_before: float) -> bool:
    """Remove the artifacts with these digests, and old blobs that no artifact names.

    Args:
        unwanted: digests of artifacts (their OCI manifests).
        written_before: seconds since the epoch; younger blobs may belong to a build that has not
            named them yet.

    Returns:
        Whether there is more to do.

    Raises:
        OSError: something cannot be written or removed; what is left is valid.
    """
    if not (layout / "index.json").exists():
        return False
    with _lock(layout) as is_held:
        if not is_held:
            return True  # a build writes
        index = read_json(layout / "index.json")
        entries = index.get("manifests")
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            return False  # damaged: a build step says so
        kept = [entry for entry in entries if entry.get("digest") not in unwanted]
        named = _list_named(layout, kept)
        if named is None:
            return False
        if len(kept) < len(entries):
            _replace_index(layout, {**index, "manifests": kept})
        return _remove_blobs(layout, named=named, written_before=written_before)


def _list_named(layout: Path, entries: list[Object]) -> set[str] | None:
    """The digests of all blobs of these artifacts; None when one of them cannot be read."""
    named: set[str] = set()
    for entry in entries:
        digest = str(entry.get("digest"))
        manifest = read_json(blob_path(layout, digest))
        blobs = [manifest.get("config"), *(manifest.get("layers") or ())]
        if not all(isinstance(blob, dict) for blob in blobs):
            return None
        named |= {digest, *(str(blob.get("digest")) for blob in blobs)}
    return named


def _remove_blobs(layout: Path, *, named: set[str], written_before: float) -> bool:
    removed = 0
    for path in sorted((layout / "blobs" / "sha256").iterdir()):
        if f"sha256:{path.name}" in named or path.stat().st_mtime >= written_before:
            continue
        if removed == MOST_BLOBS:
            return True
        path.unlink()
        removed += 1
    return False


@contextlib.contextmanager
def _lock(layout: Path) -> Iterator[bool]:
    """Whether the layout's lock could be taken; never waits."""
    with (layout / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _replace_index(layout: Path, index: Object) -> None:
    """All of it or the old one, on the disk before any blob goes; like the build step's own."""
    partial = layout / ".incoming" / secrets.token_hex(8)
    try:
        with partial.open("x") as stream:
            stream.write(json.dumps(index, indent=1))
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(layout / "index.json")
    finally:
        partial.unlink(missing_ok=True)
    descriptor = os.open(layout, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
