"""The fetch step: the model and its samples, by digest, within limits, never opened.

Network and credentials are here and nowhere else. Written for the later steps: `fetched/model/`
(one file, or one MLflow directory) and `fetched/samples/` (one file).
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.artifact.addresses import AllowList
from slipway_runtime.artifact.egress import EgressProxy
from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.from_az import download_az
from slipway_runtime.artifact.from_file import copy_file
from slipway_runtime.artifact.from_gs import download_gs
from slipway_runtime.artifact.from_https import download_https
from slipway_runtime.artifact.from_oci import download_oci
from slipway_runtime.artifact.from_pvc import copy_from_claim
from slipway_runtime.artifact.from_s3 import download_s3
from slipway_runtime.artifact.model_folder import copy_folder, digest_folder, unpack_archive
from slipway_runtime.artifact.sink import FetchDeadline, FileSink, check_digest
from slipway_runtime.artifact.uri import parse_uri
from slipway_runtime.build_request import BuildRequest
from slipway_runtime.contract import MOUNT_CLAIMS
from slipway_runtime.errors import BuildError

_MAX_SECRET_BYTES = 1 << 20
_DOWNLOADS: Mapping[str, Callable[[Errand, FileSink], None]] = {
    "https": download_https,
    "http": download_https,
    "s3": download_s3,
    "gs": download_gs,
    "az": download_az,
    "oci": download_oci,
}


class Fetcher:
    """Fetches the files of one build, under one deadline."""

    def __init__(
        self,
        build: BuildRequest,
        *,
        secrets: Mapping[str, str],
        allowed: AllowList,
        claims: Path = Path(MOUNT_CLAIMS),
    ) -> None:
        self._build = build
        self._secrets = secrets
        self._allowed = allowed
        self._claims = claims
        self._deadline = FetchDeadline(build.limits.fetch_seconds)

    def fetch(self, work: Path) -> dict[str, Any]:
        """Fetch everything into `work/fetched`, and return the facts of the report.

        Raises:
            BuildError: see docs/wire.md; no half file is left.
            OSError: the work folder cannot be written.
        """
        model = self._build.model
        limits = self._build.limits
        fetched = work / "fetched"
        shutil.rmtree(fetched, ignore_errors=True)
        digest, size = self._model(fetched / "model")
        facts: dict[str, Any] = {
            "modelDigest": digest,
            "modelBytes": size,
            "samplesDigest": None,
            "samplesBytes": 0,
        }
        if model.samples is not None:
            digest, size = self._one(
                model.samples.uri,
                field="spec.model.samples.uri",
                role="samples",
                folder=fetched / "samples",
                digest=model.samples.digest,
                limit_bytes=limits.samples_bytes,
                too_large="SamplesInvalid",
                not_found="SamplesInvalid",
            )
            facts |= {"samplesDigest": digest, "samplesBytes": size}
        return facts

    def _model(self, folder: Path) -> tuple[str, int]:
        """Fetch the model; an MLflow directory as it lies or as an archive."""
        model, limit_bytes = self._build.model, self._build.limits.model_bytes
        uri = parse_uri(model.uri, field="spec.model.uri", allow_file=self._build.allow_file)
        what = f'spec.model.uri "{uri.shown}"'
        if uri.scheme == "file" and Path(uri.path).is_dir():
            target = folder / uri.name
            target.mkdir(parents=True)
            try:
                size = copy_folder(Path(uri.path), target, what=what, limit_bytes=limit_bytes)
                digest = check_digest(digest_folder(target), model.digest, what=what)
            except BaseException:
                shutil.rmtree(target, ignore_errors=True)
                raise
            return digest, size
        fetched = self._one(
            model.uri,
            field="spec.model.uri",
            role="model",
            folder=folder,
            digest=model.digest,
            limit_bytes=limit_bytes,
            too_large="ModelTooLarge",
            not_found="ModelNotFound",
        )
        unpack_archive(folder / uri.name, what=what, limit_bytes=limit_bytes)
        return fetched

    def _one(
        self,
        text: str,
        *,
        field: str,
        role: str,
        folder: Path,
        digest: str | None,
        limit_bytes: int,
        too_large: str,
        not_found: str,
    ) -> tuple[str, int]:
        uri = parse_uri(text, field=field, allow_file=self._build.allow_file)
        what = f'{field} "{uri.shown}"'
        with FileSink(
            folder / uri.name,
            what=what,
            limit_bytes=limit_bytes,
            too_large=too_large,
            deadline=self._deadline,
        ) as sink:
            if uri.scheme == "file":
                copy_file(uri, sink, what=what, not_found=not_found)
                return sink.commit(digest), sink.size_bytes
            with EgressProxy(self._allowed) as proxy:
                errand = Errand(
                    uri=uri,
                    what=what,
                    role=role,
                    not_found=not_found,
                    access=self._build.model.access,
                    secrets=self._secrets,
                    proxy=proxy,
                    allowed=self._allowed,
                    deadline=self._deadline,
                )
                if uri.scheme == "pvc":
                    copy_from_claim(errand, sink, claims=self._claims)
                else:
                    _DOWNLOADS[uri.scheme](errand, sink)
            return sink.commit(digest), sink.size_bytes


def read_secrets(folder: Path | None) -> dict[str, str]:
    """Read the mounted Secret: one file a key, as Kubernetes writes them.

    Raises:
        BuildError: `ModelAccessDenied` when a key is too long or no text.
    """
    secrets: dict[str, str] = {}
    if folder is None or not folder.is_dir():
        return secrets
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            with path.open("rb") as stream:
                content = stream.read(_MAX_SECRET_BYTES + 1)
            secrets[path.name] = content.decode().strip("\r\n")
        except UnicodeDecodeError as error:
            raise BuildError(
                "ModelAccessDenied",
                f'Cannot use the Secret of spec.model.access: key "{path.name}" is not UTF-8 text.',
            ) from error
        if len(content) > _MAX_SECRET_BYTES:
            raise BuildError(
                "ModelAccessDenied",
                f'Cannot use the Secret of spec.model.access: key "{path.name}" is too long.',
            )
    return secrets
