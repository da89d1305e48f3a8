"""Writes a container image without a daemon: a docker-archive, as `ctr images import` reads it.

The same layers give the same bytes: files belong to root and have no times. Format: the "Image
Specification v1.2" of Moby.
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def write_image(
    archive: Path,
    name: str,
    layers: Sequence[Path],
    *,
    entrypoint: Sequence[str],
    command: Sequence[str] = (),
    user: str = "65532:65532",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Write one image.

    Args:
        archive: the file to write.
        name: `localhost/NAME:TAG`.
        layers: folders, or ready tars; the first lies at the bottom.
        entrypoint: the program and what it is always told.
        command: what it is told unless a pod says otherwise.
        user: `UID:GID`.
        environment: beside `PATH`.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        tars = [
            path if path.is_file() else _pack(path, Path(scratch) / f"{number}.tar")
            for number, path in enumerate(layers)
        ]
        digests = [_digest(path) for path in tars]
        variables = {"PATH": _PATH, **(environment or {})}
        config = _encode(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "1970-01-01T00:00:00Z",
                "config": {
                    "Entrypoint": list(entrypoint),
                    "Cmd": list(command) or None,
                    "User": user,
                    "WorkingDir": "/",
                    "Env": [f"{key}={value}" for key, value in variables.items()],
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each}" for each in digests]},
                "history": [{"created": "1970-01-01T00:00:00Z"} for _ in digests],
            }
        )
        called = f"{hashlib.sha256(config).hexdigest()}.json"
        listed = [f"{each}/layer.tar" for each in digests]
        manifest = _encode([{"Config": called, "RepoTags": [name], "Layers": listed}])
        unfinished = archive.with_suffix(".new")
        with tarfile.open(unfinished, "w") as out:
            for path, place in zip(tars, listed, strict=True):
                out.add(path, place, filter=_without_times)
            for place, content in ((called, config), ("manifest.json", manifest)):
                member = tarfile.TarInfo(place)
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))
        unfinished.rename(archive)


def _pack(folder: Path, path: Path) -> Path:
    subprocess.run(
        [
            "tar", "--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0",
            "-C", folder, "-cf", path, ".",
        ],
        check=True,
    )  # fmt: skip
    return path


def _without_times(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    return member


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
