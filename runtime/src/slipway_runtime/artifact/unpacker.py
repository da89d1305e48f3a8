"""Unpacks what a stranger packed: plain files and folders below one folder, counted, nothing else.

The rules are here; who reads which kind of archive (a layer, a zip, a tar) hands over its members.
"""

from pathlib import Path
from typing import IO

from slipway_runtime.errors import BuildError

_CHUNK = 1 << 20
MAX_ENTRIES = 10_000
MAX_DEPTH = 32
MAX_NAME_BYTES = 255
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
        self._seen: set[str] = set()
        self.written_bytes = 0

    def add_folder(self, name: str) -> None:
        """Make a folder.

        Raises:
            BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
        """
        self._check(name)
        (self._folder / name).mkdir(parents=True, exist_ok=True)

    def add_file(self, name: str, stream: IO[bytes]) -> None:
        """Write a file; what its archive says of its size is not believed.

        Raises:
            BuildError: `ArchiveUnsafe` or `ArchiveTooLarge`.
            OSError: the folder cannot be written.
        """
        self._check(name)
        target = self._folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            out = target.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.unsafe(name, "is a file and a folder at once") from error
        with out:
            while chunk := stream.read(_CHUNK):
                self.written_bytes += len(chunk)
                if self.written_bytes > self._most:
                    raise self._too_large(f"more than {self._most} bytes")
                out.write(chunk)

    def expect(self, size_bytes: int) -> None:
        """Refuse early what says itself that it is too large.

        Raises:
            BuildError: `ArchiveTooLarge`.
        """
        if self.written_bytes + size_bytes > self._most:
            raise self._too_large(f"more than {self._most} bytes")

    def unsafe(self, name: str, why: str) -> BuildError:
        """The error for a member that will not be unpacked."""
        return BuildError(
            "ArchiveUnsafe",
            f'Will not unpack {self._what}: member "{name[:200]}" {why}; {self._action}.',
        )

    def _too_large(self, why: str) -> BuildError:
        return BuildError("ArchiveTooLarge", f"Will not unpack {self._what}: it holds {why}.")

    def _check(self, name: str) -> None:
        if len(self._seen) >= MAX_ENTRIES:
            raise self._too_large(f"more than {MAX_ENTRIES} entries")
        parts = name.split("/")
        leads_out = name.startswith("/") or ".." in parts or "" in parts
        if leads_out or "\\" in name or not name.isprintable():
            raise self.unsafe(name, "leads out of the folder")
        if len(parts) > MAX_DEPTH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
            raise self.unsafe(name[:100], "is too deep or too long")
        folded = name.casefold()
        if folded in self._seen:
            raise self.unsafe(name, "is there twice")
        self._seen.add(folded)
