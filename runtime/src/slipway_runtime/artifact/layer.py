"""The one layer of an artifact: a folder as a tar+gzip that is the same for the same files.

Writing: sorted names, no times, no owners. Reading: by `Unpacker`, which takes plain files and
folders only and counts what it writes; a registry's bytes are as hostile as any.
"""

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from slipway_runtime.artifact.unpacker import Unpacker

_LEVEL = 3  # models are mostly floats: more effort saves little and costs seconds
_UNREADABLE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """One file of the layer: its path inside, and where its bytes are now."""

    inside: str
    source: Path


def list_files(folder: Path, *, inside: str) -> Iterator[LayerFile]:
    """All plain files below `folder`, as they shall be called inside the layer.

    Raises:
        ValueError: there is a link or a special file.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f'"{path.relative_to(folder)}" is a link or a special file.')
        if path.is_file():
            relative = path.relative_to(folder).as_posix()
            yield LayerFile(inside=f"{inside}/{relative}" if inside else relative, source=path)


def write_layer(files: list[LayerFile], target: IO[bytes]) -> None:
    """Write the layer; equal files give equal bytes.

    Raises:
        OSError: a file cannot be read, or the target cannot be written.
    """
    with (
        gzip.GzipFile(
            filename="", mode="wb", fileobj=target, mtime=0, compresslevel=_LEVEL
        ) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in sorted(files, key=lambda one: one.inside):
            entry = tarfile.TarInfo(file.inside)
            entry.size = file.source.stat().st_size
            entry.mode = 0o644
            with file.source.open("rb") as stream:
                archive.addfile(entry, stream)


def extract_layer(stream: IO[bytes], folder: Path, *, packed_bytes: int, limit_bytes: int) -> None:
    """Unpack a layer into the fresh, empty `folder`.

    Args:
        packed_bytes: the layer's size, for the ratio.
        limit_bytes: the most that may be written.

    Raises:
        BuildError: `ArchiveUnsafe` (a member is named) or `ArchiveTooLarge`.
        OSError: the folder cannot be written.
    """
    unpacker = Unpacker(
        folder,
        what="the artifact",
        action="publish it again",
        packed_bytes=packed_bytes,
        limit_bytes=limit_bytes,
    )
    extract_tar(stream, unpacker, mode="r|gz")


def extract_tar(stream: IO[bytes], unpacker: Unpacker, *, mode: Literal["r|gz", "r|*"]) -> None:
    """Hand every member of a tar to the unpacker.

    Raises:
        BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
    """
    try:
        with tarfile.open(fileobj=stream, mode=mode) as archive:
            for member in archive:
                _add_member(archive, member, unpacker)
    except _UNREADABLE as error:
        raise unpacker.unsafe("(the archive)", f"cannot be read: {error}") from error


def _add_member(archive: tarfile.TarFile, member: tarfile.TarInfo, unpacker: Unpacker) -> None:
    if not (member.isreg() or member.isdir()):
        raise unpacker.unsafe(member.name, "is a link or a special file")
    if member.mode & 0o7000:
        raise unpacker.unsafe(member.name, "has set-user, set-group or sticky bits")
    if member.isdir():
        if member.name != ".":
            unpacker.add_folder(member.name.removeprefix("./"))
        return
    unpacker.expect(member.size)
    source = archive.extractfile(member)
    if source is None:
        raise unpacker.unsafe(member.name, "is not a plain file")
    unpacker.add_file(member.name.removeprefix("./"), source)
