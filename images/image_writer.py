"""Writes a container image without a daemon: an OCI image layout in a tar.

`ctr images import`, `docker load`, `podman load` and `skopeo` read it. The same layers give the
same bytes and the same digest: files belong to root and have no times. Format: the OCI Image
Specification 1.1 (https://specs.opencontainers.org/image-spec/), with containerd's annotation of
the image's name.
"""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_EPOCH = "1970-01-01T00:00:00Z"


def write_image(
    archive: Path,
    name: str,
    layers: Sequence[Path],
    *,
    entrypoint: Sequence[str],
    command: Sequence[str] = (),
    user: str = "65532:65532",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Write one image.

    Args:
        archive: the file to write.
        name: `HOST/NAME:TAG`.
        layers: folders, or ready tars; the first lies at the bottom.
        entrypoint: the program and what it is always told.
        command: what it is told unless a pod says otherwise.
        user: `UID:GID`.
        environment: beside `PATH`, or in its place.

    Returns:
        `sha256:…` of the image's manifest, by which a pod names it.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        tars = [
            path if path.is_file() else _pack(path, Path(scratch) / f"{number}.tar")
            for number, path in enumerate(layers)
        ]
        described = [_describe_file(_LAYER, path) for path in tars]
        variables = {"PATH": _PATH, **(environment or {})}
        config = _encode(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": _EPOCH,
                "config": {
                    "Entrypoint": list(entrypoint),
                    **({"Cmd": list(command)} if command else {}),
                    "User": user,
                    "WorkingDir": "/",
                    "Env": [f"{key}={value}" for key, value in variables.items()],
                },
                "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in described]},
                "history": [{"created": _EPOCH} for _ in described],
            }
        )
        manifest = _encode(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _describe(_CONFIG, config),
                "layers": described,
            }
        )
        entry = _describe(_MANIFEST, manifest)
        entry["annotations"] = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        }
        index = _encode({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]})
        unfinished = archive.with_suffix(".new")
        with tarfile.open(unfinished, "w") as out:
            _add(out, "oci-layout", _encode({"imageLayoutVersion": "1.0.0"}))
            _add(out, "index.json", index)
            for content in (manifest, config):
                _add(out, _place(_digest_of(content)), content)
            # a layer that is there twice is kept once
            found = {told["digest"]: path for path, told in zip(tars, described, strict=True)}
            for digest, path in found.items():
                out.add(path, _place(digest), filter=_without_times)
        unfinished.rename(archive)
        return str(entry["digest"])


def _pack(folder: Path, path: Path) -> Path:
    subprocess.run(
        [
            "tar", "--sort=name", "--mtime=@0", "--numeric-owner", "--owner=0", "--group=0",
            "-C", folder, "-cf", path, ".",
        ],
        check=True,
    )  # fmt: skip
    return path


def _add(out: tarfile.TarFile, place: str, content: bytes) -> None:
    member = tarfile.TarInfo(place)
    member.size = len(content)
    out.addfile(member, io.BytesIO(content))


def _without_times(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    return member


def _place(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _describe(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest_of(content), "size": len(content)}


def _describe_file(kind: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": path.stat().st_size}


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
