"""A registry as the store of built models: what a cluster has in the place of a folder.

`oci://HOST[:PORT][/PREFIX]` speaks TLS, `oci+http://` does not (a registry inside the cluster).
A model's artifacts lie in repository PREFIX/NAMESPACE/NAME, under tag `build-HASH`, and are copied
blob by blob from and to an OCI layout on disk, where everything is checked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from slipway_runtime.artifact.addresses import AllowList
from slipway_runtime.artifact.egress import EgressProxy
from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.oci import Blob, OciLayout, StoredArtifact, StoreError
from slipway_runtime.artifact.registry import Login, Registry
from slipway_runtime.artifact.sink import FetchDeadline
from slipway_runtime.artifact.uri import parse_uri
from slipway_runtime.artifact.web import Web
from slipway_runtime.build_request import Access
from slipway_runtime.errors import BuildError

PLAIN, SECURE = "oci+http://", "oci://"
_CHUNK = 1 << 18
_STALL_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryStore:
    """One repository of the installation's registry.

    Attributes:
        address: `HOST[:PORT]/PREFIX/NAMESPACE/NAME`.
        plain: without TLS.
        login_folder: files `token`, or `username` and `password`; a mounted Secret.
    """

    address: str
    plain: bool
    login_folder: Path | None

    def find(self, layout: OciLayout, *, tag: str, seconds: float) -> StoredArtifact | None:
        """Copy an artifact into the layout; None where the repository has no such tag.

        Raises:
            StoreError: the registry cannot be used, or what it sends is damaged.
        """
        with self._open(tag, seconds=seconds, actions="pull") as registry:
            content = registry.find_manifest(tag)
            return None if content is None else _copy_here(registry, layout, content)

    def fetch(self, layout: OciLayout, digest: str, *, seconds: float) -> StoredArtifact:
        """Copy the artifact of a digest into the layout.

        Raises:
            StoreError: as `find`, or it is not there.
        """
        with self._open(digest, seconds=seconds, actions="pull") as registry:
            content = registry.find_manifest(digest)
            if content is None:
                raise StoreError(f'Cannot find artifact "{digest}" in "{self.address}".')
            return _copy_here(registry, layout, content)

    def push(
        self, layout: OciLayout, artifact: StoredArtifact, *, tag: str, seconds: float
    ) -> None:
        """Copy an artifact out of the layout.

        Raises:
            StoreError: the registry cannot be used.
        """
        with self._open(tag, seconds=seconds, actions="pull,push") as registry:
            for blob in (artifact.config, artifact.layer):
                if not registry.has_blob(blob.digest):
                    path = layout.blob_path(blob.digest)
                    registry.push_blob(blob.digest, blob.size_bytes, _read(path))
            registry.push_manifest(tag, layout.read_blob(artifact.digest))

    @contextmanager
    def _open(self, reference: str, *, seconds: float, actions: str) -> Iterator[Registry]:
        host, _, path = self.address.partition("/")
        sign = "@" if reference.startswith("sha256:") else ":"
        uri = parse_uri(
            f"oci://{host}/{path}{sign}{reference}", field="the artifact store", allow_file=False
        )
        # the administrator's registry: it may be private, and is all that is reached
        allowed = AllowList(frozenset({(uri.host.lower(), uri.port)}))
        with EgressProxy(allowed) as proxy:
            errand = _StoreErrand(
                uri=uri,
                what=f'artifact store "{self.address}"',
                role="model",
                not_found="PublishFailed",
                access=Access(),
                secrets={},
                proxy=proxy,
                allowed=allowed,
                deadline=FetchDeadline(seconds, _STALL_SECONDS),
                doing="use",
            )
            try:
                with Web(errand) as web:
                    registry = Registry(
                        web, errand, login=self._read_login(), actions=actions, plain=self.plain
                    )
                    registry.connect()
                    yield registry
            except BuildError as error:
                raise StoreError(error.message, retryable=error.retryable) from error

    def _read_login(self) -> Login:
        def read(name: str) -> str:
            path = (self.login_folder or Path("/nonexistent")) / name
            return path.read_text().strip() if path.is_file() else ""

        token = read("token")
        if token:
            return Login(token=token)
        return Login(username=read("username"), password=read("password"))


class _StoreErrand(Errand):
    """Refusals are the administrator's to heal, not the user's."""

    def denied(self, keys: str, *, code: str = "") -> BuildError:
        del keys
        said = f" ({code})" if code else ""
        return BuildError(
            "PublishFailed",
            f"Cannot use {self.what}: it refused{said} the installation's credentials.",
            retryable=True,
        )


def parse_registry_store(
    store: str, *, repository: str | None, login_folder: Path | None
) -> RegistryStore | None:
    """Read a store address; None where it is no registry.

    Args:
        store: `oci://HOST[:PORT][/PREFIX]`, or of an artifact without its digest.
        repository: `NAMESPACE/NAME`, which is put behind the prefix; None: the address is whole.
        login_folder: see `RegistryStore`.
    """
    for scheme in (PLAIN, SECURE):
        if store.startswith(scheme):
            address = store.removeprefix(scheme).strip("/")
            whole = address if repository is None else f"{address}/{repository}"
            return RegistryStore(address=whole, plain=scheme == PLAIN, login_folder=login_folder)
    return None


def _copy_here(registry: Registry, layout: OciLayout, content: bytes) -> StoredArtifact:
    """Manifest first, then the blobs that it names; each is checked as it lies on disk.

    Raises:
        StoreError: something is damaged, or no model of ours.
    """
    manifest = layout.add_blob(lambda stream: _write(stream, content))
    artifact = layout.open_artifact(manifest.digest)
    for blob in (artifact.config, artifact.layer):
        _fetch_blob(registry, layout, blob)
        layout.verify(blob)
    return artifact


def _fetch_blob(registry: Registry, layout: OciLayout, blob: Blob) -> None:
    layout.add_blob(
        lambda stream: registry.read_blob(blob.digest, stream, limit_bytes=blob.size_bytes)
    )


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(content)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
