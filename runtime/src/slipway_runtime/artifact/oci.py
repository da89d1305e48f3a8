"""An OCI image layout on disk as a store of built models (https://specs.opencontainers.org).

Blobs are content-addressed and appear whole; the index is replaced in one rename, under a lock.
Killed at any point, the layout stays valid: at worst a blob lies there that nothing names.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slipway_runtime.contract import ARTIFACT_TYPE

LAYER_TYPE = "application/vnd.slipway.model.layer.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.slipway.model.manifest.v1+json"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_ANNOTATION_REF = "org.opencontainers.image.ref.name"
_ANNOTATION_BUILD = "dev.slipway.build-hash"
_PREFIX = "oci-layout://"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_JSON_BYTES = 32 << 20
_CHUNK = 1 << 20
_STALE_SECONDS = 24 * 3600


class StoreError(Exception):
    """The store cannot be used, or does not hold what was asked; says what and why.

    `retryable`: it may be usable later, with nothing changed by the user.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob that is in the store."""

    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """An artifact that is in the store: its manifest's digest, its config and its layer."""

    digest: str
    config: Blob
    layer: Blob


class OciLayout:
    """One layout folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the layout if it is not there yet, and remove what killed writers left.

        Raises:
            StoreError: the folder is another layout's version.
            OSError: it cannot be written.
        """
        (self.folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(exist_ok=True)
        with self._locked():
            marker = self.folder / "oci-layout"
            if not marker.exists():
                self._replace(marker, b'{"imageLayoutVersion":"1.0.0"}')
            elif json.loads(marker.read_bytes()).get("imageLayoutVersion") != "1.0.0":
                raise StoreError(
                    f'Cannot use artifact store "{self.folder}": '
                    "its image layout version is not 1.0.0."
                )
            oldest = time.time() - _STALE_SECONDS
            for path in self._incoming.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()

    def add_blob(self, write: Callable[[IO[bytes]], None]) -> Blob:
        """Store what `write` writes; returns its address.

        Raises:
            OSError: the disk is full, or cannot be written.
        """
        partial = self._incoming / secrets.token_hex(8)
        try:
            with partial.open("xb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            digest, size_bytes = hash_file(partial)
            target = self.blob_path(digest)
            partial.replace(target)
            _sync_folder(target.parent)
        finally:
            partial.unlink(missing_ok=True)
        return Blob(digest=digest, size_bytes=size_bytes)

    def add_artifact(
        self, *, config: Blob, layer: Blob, reference: str, build_hash: str
    ) -> StoredArtifact:
        """Name the two blobs as one artifact, under `reference`, in the index.

        Raises:
            OSError: the disk is full, or cannot be written.
            StoreError: the index cannot be read.
        """
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(LAYER_TYPE, layer)],
            "annotations": {_ANNOTATION_BUILD: build_hash},
        }
        content = json.dumps(manifest, separators=(",", ":")).encode()
        blob = self.add_blob(lambda stream: _write_all(stream, content))
        entry = {
            **_descriptor(_MANIFEST_TYPE, blob),
            "artifactType": ARTIFACT_TYPE,
            "annotations": {_ANNOTATION_REF: reference, _ANNOTATION_BUILD: build_hash},
        }
        with self._locked():
            others = [
                known
                for known in self._read_index()
                if known.get("annotations", {}).get(_ANNOTATION_REF) != reference
            ]
            index = {
                "schemaVersion": 2,
                "mediaType": _INDEX_TYPE,
                "manifests": [*others, entry],
            }
            self._replace(self.folder / "index.json", json.dumps(index, indent=1).encode())
        return StoredArtifact(digest=blob.digest, config=config, layer=layer)

    def find(self, *, reference: str, build_hash: str) -> StoredArtifact | None:
        """The whole and undamaged artifact of a build, or None."""
        try:
            for entry in self._read_index():
                notes = entry.get("annotations", {})
                if (
                    notes.get(_ANNOTATION_REF) == reference
                    and notes.get(_ANNOTATION_BUILD) == build_hash
                ):
                    artifact = self.open_artifact(str(entry.get("digest")))
                    self.verify(artifact.config)
                    self.verify(artifact.layer)
                    return artifact
        except (StoreError, OSError):
            return None  # damaged: it is built again
        return None

    def open_artifact(self, digest: str) -> StoredArtifact:
        """Read an artifact's manifest, checking its digest and kind; blobs are not read yet.

        Raises:
            StoreError: it is not there, not what its digest says, or no model of ours.
        """
        content = self.read_blob(digest)
        try:
            manifest = json.loads(content)
            if manifest["artifactType"] != ARTIFACT_TYPE:
                raise StoreError(
                    f'Cannot use artifact "{digest}": its type is '
                    f'"{manifest["artifactType"]}", not {ARTIFACT_TYPE}.'
                )
            (layer,) = manifest["layers"]
            return StoredArtifact(
                digest=digest, config=_blob(manifest["config"]), layer=_blob(layer)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f'Cannot use artifact "{digest}": its manifest is not one of a model.'
            ) from error

    def read_blob(self, digest: str) -> bytes:
        """Read a small blob and check it.

        Raises:
            StoreError: it is not there, too long, or not what its digest says.
        """
        try:
            with self.blob_path(digest).open("rb") as stream:
                content = stream.read(_MAX_JSON_BYTES + 1)
        except FileNotFoundError as error:
            raise StoreError(
                f'Cannot find blob "{digest}" in artifact store "{self.folder}".'
            ) from error
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise StoreError(f'Will not use blob "{digest}": its content has another digest.')
        return content

    def verify(self, blob: Blob) -> None:
        """Check that a blob is there with the bytes that its digest names.

        Raises:
            StoreError: it is not.
        """
        try:
            digest, size_bytes = hash_file(self.blob_path(blob.digest))
        except FileNotFoundError as error:
            raise StoreError(
                f'Cannot find blob "{blob.digest}" in artifact store "{self.folder}".'
            ) from error
        if digest != blob.digest or size_bytes != blob.size_bytes:
            raise StoreError(
                f'Will not use blob "{blob.digest}": its content has digest {digest} and '
                f"{size_bytes} bytes instead of {blob.size_bytes}."
            )

    def blob_path(self, digest: str) -> Path:
        """Where a blob lies.

        Raises:
            StoreError: that is no sha256 digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise StoreError(f'"{digest}" is not a digest like sha256:….')
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    @property
    def _incoming(self) -> Path:
        return self.folder / ".incoming"

    def _read_index(self) -> list[dict[str, Any]]:
        try:
            index = json.loads((self.folder / "index.json").read_bytes())
            manifests = index["manifests"]
        except FileNotFoundError:
            return []
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f'Cannot read artifact store "{self.folder}": index.json is damaged ({error}).'
            ) from error
        return [entry for entry in manifests if isinstance(entry, dict)]

    def _replace(self, target: Path, content: bytes) -> None:
        partial = self._incoming / secrets.token_hex(8)
        try:
            with partial.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(target)
            _sync_folder(target.parent)
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the layout's lock; the kernel lets go of it when the holder dies."""
        with (self.folder / ".lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def parse_store(store: str) -> OciLayout:
    """Read `SLIPWAY_ARTIFACT_STORE`.

    Raises:
        StoreError: it is not `oci-layout:///ABS/FOLDER`.
    """
    path = store.removeprefix(_PREFIX)
    if not store.startswith(_PREFIX) or not path.startswith("/"):
        raise StoreError(
            f'Cannot use artifact store "{store}": it must be oci-layout:///ABSOLUTE/FOLDER, '
            "or oci://HOST[:PORT][/PREFIX] (oci+http:// without TLS)."
        )
    return OciLayout(Path(path))


def split_artifact(address: str) -> tuple[str, str]:
    """Read `SLIPWAY_ARTIFACT`: the store and the digest.

    Raises:
        StoreError: it is not STORE@sha256:….
    """
    store, _, digest = address.rpartition("@")
    if not _DIGEST.fullmatch(digest):
        raise StoreError(f'Cannot use artifact "{address}": it must be STORE@sha256:….')
    return store, digest


def hash_file(path: Path) -> tuple[str, int]:
    """The sha256 digest and the size of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return f"sha256:{digest}", stream.tell()


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size_bytes}


def _blob(descriptor: dict[str, Any]) -> Blob:
    return Blob(digest=str(descriptor["digest"]), size_bytes=int(descriptor["size"]))


def _write_all(stream: IO[bytes], content: bytes) -> None:
    stream.write(content)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
