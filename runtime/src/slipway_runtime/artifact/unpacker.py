"""Unpacks what a stranger packed: plain files and folders below one folder, counted, nothing else.

The rules are here; who reads which kind of archive (a layer, a zip, a tar) hands over its members.
"""

from pathlib import Path
from typing import IO

from slipway_runtime.artifact.member_names import MemberNames, show_name
from slipway_runtime.errors import BuildError

_CHUNK = 1 << 20
MAX_ENTRIES = 10_000
# Trees and sparse weights shrink well; a bomb shrinks a thousandfold.
MAX_RATIO = 200
RATIO_FREE_BYTES = 64 << 20


class Unpacker:
    """Writes members into the fresh, empty `folder`.

    Args:
        what: the archive, for messages ("the artifact").
        action: what to do about a bad one ("publish it again").
        packed_bytes: the archive's size, for the ratio.
        limit_bytes: the most that may be written.
    """

    def __init__(
        self, folder: Path, *, what: str, action: str, packed_bytes: int, limit_bytes: int
    ) -> None:
        self._folder = folder
        self._what = what
        self._action = action
        self._most = min(limit_bytes, max(RATIO_FREE_BYTES, packed_bytes * MAX_RATIO))
        self._names = MemberNames()
        self._files: set[str] = set()
        self.written_bytes = 0

    def add_folder(self, name: str) -> None:
        """Make a folder.

        Raises:
            BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
        """
        (self._folder / self._take(name, is_folder=True)).mkdir(parents=True, exist_ok=True)

    def add_file(self, name: str, stream: IO[bytes]) -> None:
        """Write a file; what its archive says of its size is not believed.

        Raises:
            BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
            OSError: the folder cannot be written.
        """
        with self._place_file(name).open("xb") as out:
            while chunk := stream.read(_CHUNK):
                self.written_bytes += len(chunk)
                if self.written_bytes > self._most:
                    raise self.too_large(f"more than {self._most} bytes")
                out.write(chunk)

    def add_link(self, name: str, target: str) -> None:
        """Give a file that was written before one more name.

        Raises:
            BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
        """
        if target not in self._files:
            raise self.unsafe(name, "links to no file before it")
        self._place_file(name).hardlink_to(self._folder / target)

    def expect(self, size_bytes: int) -> None:
        """Refuse early what says itself that it is too large.

        Raises:
            BuildError: `ArchiveTooLarge`.
        """
        if self.written_bytes + size_bytes > self._most:
            raise self.too_large(f"more than {self._most} bytes")

    def unsafe(self, name: str, why: str) -> BuildError:
        """The error for a member that will not be unpacked."""
        return BuildError(
            "ArchiveUnsafe",
            f"Will not unpack {self._what}: member {show_name(name)} {why}; {self._action}.",
        )

    def too_large(self, why: str) -> BuildError:
        """The error for an archive that holds more than it may."""
        return BuildError("ArchiveTooLarge", f"Will not unpack {self._what}: it holds {why}.")

    def _place_file(self, name: str) -> Path:
        name = self._take(name, is_folder=False)
        self._files.add(name)
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _take(self, name: str, *, is_folder: bool) -> str:
        """The name, checked and without a leading `./`."""
        if len(self._names) >= MAX_ENTRIES:
            raise self.too_large(f"more than {MAX_ENTRIES} entries")
        why = self._names.problem(name, is_folder=is_folder)
        if why is not None:
            raise self.unsafe(name, why)
        return self._names.add(name, is_folder=is_folder)
