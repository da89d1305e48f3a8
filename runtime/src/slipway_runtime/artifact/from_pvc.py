"""Take a model or samples from a volume that the build's pod mounts, read-only (cluster only)."""

import os
import stat
from pathlib import Path

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.errors import BuildError

_CHUNK = 1 << 20


def copy_from_claim(errand: Errand, sink: FileSink, *, claims: Path) -> None:
    """Copy `pvc://CLAIM/PATH` from `claims/CLAIM/PATH` into the sink.

    Links may lead around inside the volume, never out of it: what is opened is looked at again
    after it was opened, so that a link which changes in between cannot lead out either.

    Raises:
        BuildError: the errand's `not_found`, `ModelAccessDenied`, `ModelUnreadable` (no plain
            file), `URIForbidden` (a link out of the volume), `SourceUnavailable` (the volume is
            not there), or what the sink raises.
    """
    volume = claims / errand.uri.host
    if not volume.is_dir():
        raise errand.unavailable(f'PersistentVolumeClaim "{errand.uri.host}" is not mounted')
    try:
        descriptor = os.open(
            volume / errand.uri.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errand.missing(
            f'the volume of claim "{errand.uri.host}" has no "{errand.uri.path}"; check the path'
        ) from error
    except PermissionError as error:
        raise BuildError(
            "ModelAccessDenied",
            f"Cannot read {errand.what}: the file's permissions do not let user {os.getuid()} "
            "read it.",
            retryable=True,
        ) from error
    try:
        real = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if not real.is_relative_to(volume.resolve()):
            raise errand.forbidden("it is a link that leads out of its volume")
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a plain file"
            raise errand.unreadable(f"it is {kind}; give the path of one file")
        sink.expect(found.st_size)
        while chunk := os.read(descriptor, _CHUNK):
            sink.write(chunk)
    finally:
        os.close(descriptor)
