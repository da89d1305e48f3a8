"""The one layer of an artifact: a folder as a tar+gzip that is the same for the same files.

Writing: sorted names, no times, no owners; a file whose bytes are there already (the model stands
in the Bento too) is a hard link to the first. Reading: our own extractor, which takes plain files,
folders and links to files that it has just written, and counts what it writes; a registry's bytes
are as hostile as any.
"""

import gzip
import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slipway_runtime.artifact.member_names import MemberNames, show_name
from slipway_runtime.artifact.tar_reading import UNREADABLE, TarTooLarge, open_tar, tar_problem
from slipway_runtime.errors import BuildError

_LEVEL = 3  # models are mostly floats: more effort saves little and costs seconds
_CHUNK = 1 << 20
_LINKED_BYTES = 4096  # below that a link saves nothing: a tar goes by blocks of 512 bytes
MAX_ENTRIES = 10_000
# Trees and sparse weights shrink well; a bomb shrinks a thousandfold.
MAX_RATIO = 200
RATIO_FREE_BYTES = 64 << 20


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
    most = min(limit_bytes, max(RATIO_FREE_BYTES, packed_bytes * MAX_RATIO))
    names = MemberNames()
    files: set[str] = set()
    written = 0
    try:
        with open_tar(stream) as archive:
            for member in archive:
                if len(names) >= MAX_ENTRIES:
                    raise _too_large(f"more than {MAX_ENTRIES} entries")
                name = _check_member(member, names, files)
                written += member.size
                if written > most:
                    raise _too_large(f"more than {most} bytes")
                target = folder / name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                files.add(name)
                if member.islnk():
                    target.hardlink_to(folder / member.linkname)
                    continue
                source = archive.extractfile(member)
                if source is None:
                    raise _unsafe(name, "is not a plain file")
                with target.open("xb") as out:
                    while chunk := source.read(_CHUNK):
                        out.write(chunk)
    except TarTooLarge as error:
        raise _too_large(str(error)) from error
    except UNREADABLE as error:
        raise _unsafe("(the archive)", f"cannot be read: {error}") from error


def _check_member(member: tarfile.TarInfo, names: MemberNames, files: set[str]) -> str:
    """The member's name, checked. `files`: the plain files and links written so far."""
    why = _link_problem(member, files) if member.islnk() else tar_problem(member)
    why = why or names.problem(member.name, is_folder=member.isdir())
    if why is not None:
        raise _unsafe(member.name, why)
    return names.add(member.name, is_folder=member.isdir())


def _link_problem(member: tarfile.TarInfo, files: set[str]) -> str | None:
    if member.linkname not in files:
        return "links to no file before it"
    return "is a link with bytes of its own" if member.size else None


def _unsafe(name: str, why: str) -> BuildError:
    return BuildError(
        "ArchiveUnsafe",
        f"Will not unpack the artifact: member {show_name(name)} {why}; publish it again.",
    )


def _too_large(why: str) -> BuildError:
    return BuildError("ArchiveTooLarge", f"Will not unpack the artifact: it holds {why}.")
