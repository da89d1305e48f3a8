"""A model that is a folder: copied from a laptop's disk, or unpacked from the archive that came.

Only an MLflow model directory (one with a file `MLmodel`) is such a model. An archive without one
is left as it is, for `convert` to say what it holds.
"""

import hashlib
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from slipway_runtime.artifact.compressed import compression_of
from slipway_runtime.artifact.layer import extract_tar
from slipway_runtime.artifact.tar_reading import UNREADABLE, TarTooLarge, open_tar
from slipway_runtime.artifact.unpacker import Unpacker
from slipway_runtime.errors import BuildError

MARKER = "MLmodel"
_ZIP = b"PK\x03\x04"


def find_model(folder: Path) -> Path | None:
    """What `fetch` left: a file, or the folder of an MLflow model; None: nothing."""
    if not folder.is_dir():
        return None
    marker = min(folder.rglob(MARKER), key=lambda path: len(path.parts), default=None)
    if marker is not None:
        return marker.parent
    return next((path for path in sorted(folder.iterdir()) if path.is_file()), None)


def digest_folder(folder: Path) -> str:
    """The digest of what `sha256sum` prints for all files, sorted by path.

    Example: `cd FOLDER && find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum`.
    """
    whole = hashlib.sha256()
    for path in sorted(list_plain(folder, what="the folder"), key=lambda one: one.encode()):
        with (folder / path).open("rb") as stream:
            one = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{one}  {path}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def copy_folder(source: Path, target: Path, *, what: str, limit_bytes: int) -> int:
    """Copy an MLflow directory of this machine; returns its bytes.

    Raises:
        BuildError: `ModelUnreadable` (no MLflow directory), `ArchiveUnsafe` (a link or a special
            file), `ArchiveTooLarge`, `ModelAccessDenied`.
    """
    if not (source / MARKER).is_file():
        raise BuildError(
            "ModelUnreadable",
            f"Cannot read {what}: it is a folder without a file {MARKER}; give the path of one "
            "file, or of an MLflow model directory.",
        )
    unpacker = Unpacker(
        target,
        what=what,
        action="give a folder of plain files",
        packed_bytes=limit_bytes,
        limit_bytes=limit_bytes,
    )
    try:
        for name in list_plain(source, what=what):
            with (source / name).open("rb") as stream:
                unpacker.add_file(name, stream)
    except PermissionError as error:
        raise BuildError(
            "ModelAccessDenied",
            f"Cannot read {what}: the permissions of its files do not let this user read them.",
        ) from error
    return unpacker.written_bytes


def list_plain(folder: Path, *, what: str) -> Iterator[str]:
    """All files below, relative.

    Raises:
        BuildError: `ArchiveUnsafe`: there is a link or a special file.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                name = Path(entry.path).relative_to(folder).as_posix()
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield name
                else:
                    raise BuildError(
                        "ArchiveUnsafe",
                        f'Will not read {what}: "{name[:200]}" is a link or a special file; '
                        "give a folder of plain files.",
                    )


def unpack_archive(archive: Path, *, what: str, limit_bytes: int) -> Path | None:
    """Replace a zip or tar of an MLflow directory by the directory.

    Returns:
        The folder that holds `MLmodel`; None: the file is no such archive, and is left.

    Raises:
        BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
        OSError: the folder cannot be written.
    """
    with archive.open("rb") as stream:
        head = stream.read(512)
    is_zip = head.startswith(_ZIP) and _lists_marker(archive)
    if not is_zip and not _is_tar(archive, head):
        return None
    folder = archive.with_name(f"{archive.name}.unpacked")
    folder.mkdir()
    unpacker = Unpacker(
        folder,
        what=what,
        action="pack the MLflow directory again, plain files only",
        packed_bytes=archive.stat().st_size,
        limit_bytes=limit_bytes,
    )
    try:
        if is_zip:
            _extract_zip(archive, unpacker)
        else:
            with archive.open("rb") as stream:
                extract_tar(stream, unpacker, mode="r|*")
        found = _find_marker(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        archive.unlink(missing_ok=True)
        raise
    if found is None:
        shutil.rmtree(folder)
        return None
    archive.unlink()
    return found


def _lists_marker(archive: Path) -> bool:
    try:
        with zipfile.ZipFile(archive) as opened:
            return any(name.rsplit("/", 1)[-1] == MARKER for name in opened.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _is_tar(archive: Path, head: bytes) -> bool:
    if head[257:262] == b"ustar":
        return True
    if compression_of(head) not in ("gzip", "bz2", "xz"):
        return False
    try:
        with archive.open("rb") as stream, open_tar(stream, mode="r|*") as opened:
            return opened.next() is not None
    except TarTooLarge:  # told when it is unpacked
        return True
    except (*UNREADABLE, OSError):
        return False


def _extract_zip(archive: Path, unpacker: Unpacker) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise unpacker.unsafe(member.filename, "is a link or a special file")
                if member.flag_bits & 0x1:
                    raise unpacker.unsafe(member.filename, "is encrypted")
                if member.is_dir():
                    unpacker.add_folder(member.filename.rstrip("/"))
                    continue
                unpacker.expect(member.file_size)
                with opened.open(member) as stream:
                    unpacker.add_file(member.filename, stream)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, *UNREADABLE) as error:
        raise unpacker.unsafe("(the archive)", f"cannot be read: {error}") from error


def _find_marker(folder: Path) -> Path | None:
    """The folder with `MLmodel` that lies highest."""
    found = sorted(folder.rglob(MARKER), key=lambda path: (len(path.parts), path.as_posix()))
    return found[0].parent if found else None
