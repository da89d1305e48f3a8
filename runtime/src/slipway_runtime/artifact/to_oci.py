"""Put a model file, and samples beside it, into a registry as one OCI artifact.

The same files make the same manifest, so pushing them again changes nothing. Files are never
opened, only read.
"""

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.from_oci import ANNOTATION_ROLE, ANNOTATION_TITLE
from slipway_runtime.artifact.oci import hash_file
from slipway_runtime.artifact.registry import MANIFEST_TYPE, Login, Registry, digest_of
from slipway_runtime.artifact.web import Web
from slipway_runtime.errors import BuildError

SOURCE_TYPE = "application/vnd.slipway.source.v1"
_LAYER_TYPE = "application/octet-stream"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_EMPTY = b"{}"
_CHUNK = 1 << 18

# Told while a file goes out: its role, bytes sent, bytes in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushErrand(Errand):
    """An errand in the other direction; `login_from` says who logged in."""

    login_from: str

    def denied(self, keys: str, *, code: str = "") -> BuildError:
        """The registry refused the login, or its right to push."""
        del keys
        said = f" ({code})" if code else ""
        return BuildError(
            "ModelAccessDenied",
            f"Cannot push to {self.what}: the registry refused{said} {self.login_from}; log in "
            f"with `docker login {self.uri.address}`, or name variables with --username-env and "
            "--password-env.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedFile:
    """One file of the artifact; `existed` when the registry had it already."""

    role: str
    name: str
    digest: str
    size_bytes: int
    existed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An artifact that is in the registry now."""

    digest: str
    files: tuple[PushedFile, ...]


def push_artifact(
    errand: PushErrand, files: dict[str, Path], *, login: Login, tell: Progress
) -> Pushed:
    """Push `files` (role → file) under the errand's tag.

    Raises:
        BuildError: `ModelNotFound`, `ModelUnreadable` (a file), `ModelAccessDenied`,
            `SourceUnavailable`, `FetchTimeout`, `URIForbidden` (the registry).
    """
    for path in files.values():
        _check_file(path)
    with Web(errand) as web:
        registry = Registry(web, errand, login=login, actions="pull,push")
        registry.connect()
        pushed = tuple(
            _push_file(registry, role=role, path=path, tell=tell) for role, path in files.items()
        )
        if not registry.has_blob(digest_of(_EMPTY)):
            registry.push_blob(digest_of(_EMPTY), len(_EMPTY), [_EMPTY])
        manifest = render_manifest(pushed)
        registry.push_manifest(errand.uri.reference, manifest)
        return Pushed(digest=digest_of(manifest), files=pushed)


def render_manifest(files: tuple[PushedFile, ...]) -> bytes:
    """The image manifest of an artifact (OCI image specification 1.1, artifact usage)."""
    empty = {"mediaType": _EMPTY_TYPE, "digest": digest_of(_EMPTY), "size": len(_EMPTY)}
    layers: list[dict[str, Any]] = [
        {
            "mediaType": _LAYER_TYPE,
            "digest": file.digest,
            "size": file.size_bytes,
            "annotations": {ANNOTATION_ROLE: file.role, ANNOTATION_TITLE: file.name},
        }
        for file in files
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": SOURCE_TYPE,
        "config": empty,
        "layers": layers,
    }
    return json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()


def _push_file(registry: Registry, *, role: str, path: Path, tell: Progress) -> PushedFile:
    digest, size_bytes = hash_file(path)
    existed = registry.has_blob(digest)
    if not existed:
        chunks = _read(path, lambda sent: tell(role, sent, size_bytes))
        registry.push_blob(digest, size_bytes, chunks)
    tell(role, size_bytes, size_bytes)
    return PushedFile(
        role=role, name=path.name, digest=digest, size_bytes=size_bytes, existed=existed
    )


def _read(path: Path, tell: Callable[[int], None]) -> Iterator[bytes]:
    sent = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
            sent += len(chunk)
            tell(sent)


def _check_file(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise BuildError(
            "ModelNotFound", f'Cannot read file "{path}": {error.strerror}; check the path.'
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise BuildError("ModelUnreadable", f'Cannot push "{path}": it is not a plain file.')
    if found.st_size == 0:
        raise BuildError("ModelUnreadable", f'Cannot push "{path}": it is empty.')
