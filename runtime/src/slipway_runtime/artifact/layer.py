"""The one layer of an artifact: a folder as a tar+gzip that is the same for the same files.

Writing: sorted names, no times, no owners; a file whose bytes are there already (the model stands
in the Bento too) is a hard link to the first. Reading: by `Unpacker`, which takes plain files,
folders and links to files that it has just written, and counts what it writes; a registry's bytes
are as hostile as any.
"""

import gzip
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from slipway_runtime.artifact.tar_reading import UNREADABLE, TarTooLarge, open_tar, tar_problem
from slipway_runtime.artifact.unpacker import Unpacker

_LEVEL = 3  # models are mostly floats: more effort saves little and costs seconds
_LINKED_BYTES = 4096  # below that a link saves nothing: a tar goes by blocks of 512 bytes


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
        first: dict[bytes, str] = {}  # digest of a file's bytes → the name they have in the layer
        for file in sorted(files, key=lambda one: one.inside):
            entry = tarfile.TarInfo(file.inside)
            entry.size = file.source.stat().st_size
            entry.mode = 0o644
            with file.source.open("rb") as stream:
                if entry.size >= _LINKED_BYTES:
                    digest = hashlib.file_digest(stream, "sha256").digest()
                    stream.seek(0)
                    name = first.setdefault(digest, file.inside)
                    if name != file.inside:
                        entry.type, entry.linkname, entry.size = tarfile.LNKTYPE, name, 0
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
    extract_tar(stream, unpacker, mode="r|gz", links=True)


def extract_tar(
    stream: IO[bytes], unpacker: Unpacker, *, mode: Literal["r|gz", "r|*"], links: bool = False
) -> None:
    """Hand every member of a tar to the unpacker; hard links only where `links` are expected.

    Raises:
        BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
    """
    try:
        with open_tar(stream, mode=mode) as archive:
            for member in archive:
                if links and member.islnk():
                    _add_link(member, unpacker)
                else:
                    _add_member(archive, member, unpacker)
    except TarTooLarge as error:
        raise unpacker.too_large(str(error)) from error
    except UNREADABLE as error:
        raise unpacker.unsafe("(the archive)", f"cannot be read: {error}") from error


def _add_link(member: tarfile.TarInfo, unpacker: Unpacker) -> None:
    if member.size:
        raise unpacker.unsafe(member.name, "is a link with bytes of its own")
    unpacker.add_link(member.name, member.linkname)


def _add_member(archive: tarfile.TarFile, member: tarfile.TarInfo, unpacker: Unpacker) -> None:
    why = tar_problem(member)
    if why is not None:
        raise unpacker.unsafe(member.name, why)
    if member.isdir():
        unpacker.add_folder(member.name)
        return
    unpacker.expect(member.size)
    source = archive.extractfile(member)
    if source is None:
        raise unpacker.unsafe(member.name, "is not a plain file")
    unpacker.add_file(member.name, source)
