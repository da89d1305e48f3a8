"""Take a model or samples from this machine's own disk (laptop only)."""

import stat
from pathlib import Path

from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.artifact.uri import SourceUri
from slipway_runtime.errors import BuildError

_CHUNK = 1 << 20


def copy_file(uri: SourceUri, sink: FileSink, *, what: str, not_found: str) -> None:
    """Copy the file into the sink.

    Raises:
        BuildError: `not_found` (a reason), `ModelAccessDenied`, `ModelUnreadable` (no plain
            file), or what the sink raises.
    """
    path = Path(uri.path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a plain file"
            raise BuildError(
                "ModelUnreadable", f"Cannot read {what}: it is {kind}; give the path of one file."
            )
        with path.open("rb") as stream:
            sink.expect(path.stat().st_size)
            while chunk := stream.read(_CHUNK):
                sink.write(chunk)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BuildError(
            not_found, f"Cannot find {what}: there is no such file; check the path."
        ) from error
    except PermissionError as error:
        raise BuildError(
            "ModelAccessDenied",
            f"Cannot read {what}: the file's permissions do not let this user read it.",
        ) from error
