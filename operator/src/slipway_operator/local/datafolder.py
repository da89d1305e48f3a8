"""Where the engine keeps what: one data folder, one lock, one address file.

::

    DATA/engine.lock   held while an engine runs; holds its pid
    DATA/engine.json   {"url", "token", "pid"}, mode 0600 (docs/wire.md)
    DATA/kubeconfig    the same for kubectl; DATA/kubeconfig.pem is its server's key
    DATA/engine.log    the engine's own words
    DATA/identity      random; marks every process of this folder in its environment
    DATA/store.sqlite  the objects
    DATA/artifacts     the OCI layout of built models
    DATA/runs/…        a folder a pod (and one for Envoy): processes, volumes, logs
"""

import fcntl
import json
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from slipway_operator.local.errors import EngineRefused

ENV_DATA: Final = "SLIPWAY_DATA"
ENV_COOKIE: Final = "SLIPWAY_ENGINE_DATA_ID"


def resolve_data_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """The data folder: what is given, else ``SLIPWAY_DATA``, else the user's data directory."""
    chosen = given or os.environ.get(ENV_DATA) or platformdirs.user_data_dir("slipway")
    return Path(chosen).expanduser().resolve()


def find_user_folder() -> Path:
    """A private folder with a short path, the same for all engines of a user.

    Raises:
        EngineRefused: when somebody else made it.
    """
    folder = Path(tempfile.gettempdir()) / f"slipway-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EngineRefused(
            f'Folder "{folder}" is not this user\'s own private folder; remove it, or name another '
            "folder for temporary files in TMPDIR."
        )
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """The paths inside one data folder; see the module's picture."""

    root: Path

    @property
    def store(self) -> Path:
        """The SQLite file."""
        return self.root / "store.sqlite"

    @property
    def environments(self) -> Path:
        """Training environments, kept for all models."""
        return self.root / "environments"

    @property
    def address(self) -> Path:
        """Where the running engine can be reached."""
        return self.root / "engine.json"

    @property
    def kubeconfig(self) -> Path:
        """How kubectl reaches the running engine."""
        return self.root / "kubeconfig"

    @property
    def certificate(self) -> Path:
        """Key and certificate of the running engine's TLS server."""
        return self.root / "kubeconfig.pem"

    @property
    def log(self) -> Path:
        """The engine's own log."""
        return self.root / "engine.log"

    @property
    def artifacts(self) -> Path:
        """The OCI layout of built models."""
        return self.root / "artifacts"

    @property
    def pods(self) -> Path:
        """A folder a pod, named by its uid."""
        return self.root / "runs" / "pods"

    @property
    def envoy(self) -> Path:
        """Envoy's configuration, process and log."""
        return self.root / "runs" / "envoy"

    def create(self) -> None:
        """Make the folders, readable by their owner only.

        Raises:
            EngineRefused: when the folder cannot be made or written.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.artifacts, self.pods, self.envoy):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.read_identity()
        except OSError as error:
            why = "it is a file" if self.root.is_file() else error.strerror or error
            raise EngineRefused(
                f'Cannot use data folder "{self.root}": {why}. Choose another '
                f"with --data or {ENV_DATA}, or free disk space."
            ) from error

    def read_identity(self) -> str:
        """The mark that every process of this folder carries; made when it is missing."""
        path = self.root / "identity"
        try:
            found = path.read_text().strip()
        except FileNotFoundError:
            found = ""
        if not found:
            found = secrets.token_hex(16)
            write_private(path, found)
        return found

    def read_address(self) -> dict[str, Any] | None:
        """What ``engine.json`` says, or None; the engine that wrote it may be gone."""
        try:
            found = json.loads(self.address.read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def write_address(self, *, url: str, token: str, pid: int) -> None:
        """Publish the engine's address."""
        write_private(self.address, json.dumps({"url": url, "token": token, "pid": pid}))

    def lock_holder(self) -> int | None:
        """The pid of the engine that holds this folder, or None when none does (0: unknown)."""
        try:
            descriptor = os.open(self.root / "engine.lock", os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32).decode().strip() or 0)
        finally:
            os.close(descriptor)
        return None

    def lock(self) -> "FolderLock":
        """Take the folder for this process; kept until it ends, however it ends.

        Raises:
            EngineRefused: when another engine has it; names its pid and the folder.
        """
        path = self.root / "engine.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EngineRefused(
                f'Cannot lock data folder "{self.root}": {error.strerror}. Choose another with '
                f"--data or {ENV_DATA}."
            ) from error
        if not _take(descriptor):
            pid = os.read(descriptor, 32).decode().strip() or "unknown"
            os.close(descriptor)
            raise EngineRefused(
                f'Data folder "{self.root}" is in use by the engine with pid {pid}: join it with '
                "`slipway up`, stop it with `slipway down`, or choose another folder with --data."
            )
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except OSError:
            pass  # a full disk must not keep the engine from starting; the lock itself holds
        return FolderLock(descriptor=descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLock:
    """The hold on a data folder."""

    descriptor: int

    def release(self) -> None:
        """Let go."""
        os.close(self.descriptor)


def _take(descriptor: int) -> bool:
    for attempt in range(10):  # somebody who only looks holds it for microseconds
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01 * attempt)
        else:
            return True
    return False


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 so that readers see all of it or the old one, come what may."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """:func:`write_private` of a JSON object."""
    write_private(path, json.dumps(value))
