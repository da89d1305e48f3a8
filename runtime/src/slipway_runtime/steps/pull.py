"""`slipway-runtime pull`: a built model from the store into the folder that `serve` reads.

Idempotent: a folder that already holds this artifact is left as it is, a half one is made anew.
"""

import os
import shutil
from pathlib import Path

from slipway_runtime.artifact.layer import extract_layer
from slipway_runtime.artifact.manifest import load_manifest
from slipway_runtime.artifact.oci import OciLayout, StoreError, parse_store, split_artifact
from slipway_runtime.artifact.registry_store import parse_registry_store
from slipway_runtime.environment.open import open_environment
from slipway_runtime.errors import BuildError
from slipway_runtime.settings import PullSettings, read_pull_settings
from slipway_runtime.steps.edge import InterruptedByEngineError, explain, install_signals, say

MAX_ARTIFACT_BYTES = 16 << 30
_MARKER = ".artifact"
_INCOMING = ".incoming"
_COPIED = ".copied"
_REGISTRY_SECONDS = 600.0


def run_pull() -> int:
    """The process edge: 0 done, 1 not done, 2 wrong usage; one sentence on stderr."""
    install_signals()
    try:
        settings = read_pull_settings(os.environ)
    except ValueError as error:
        say(str(error))
        return 2
    try:
        pull(settings)
        keep_for_serving(settings)
    except StoreError as error:
        say(str(error))
        return 1
    except (Exception, InterruptedByEngineError) as error:  # the process edge
        reason = explain(error, "pull")
        say(f"{reason.reason}: {reason.message}")
        return 1
    return 0


def pull(settings: PullSettings) -> None:
    """Unpack the artifact into the model folder, checked by digest.

    Raises:
        StoreError: it is not in the store, or damaged.
        BuildError: its layer is unsafe.
        OSError: the folder cannot be written.
    """
    store, digest = split_artifact(settings.artifact)
    target = settings.model_dir
    target.mkdir(parents=True, exist_ok=True)
    if _is_complete(target, digest):
        return
    _empty(target)
    # Not beside the folder: on a cluster it is a mount of its own.
    incoming, copied = target / _INCOMING, target / _COPIED
    incoming.mkdir()
    registry = parse_registry_store(store, repository=None, login_folder=settings.registry_login)
    if registry is None:
        layout = parse_store(store)
        artifact = layout.open_artifact(digest)
        layout.verify(artifact.layer)
    else:
        layout = OciLayout(copied)
        layout.prepare()
        artifact = registry.fetch(layout, digest, seconds=_REGISTRY_SECONDS)
    config = layout.read_blob(artifact.config.digest)
    with layout.blob_path(artifact.layer.digest).open("rb") as stream:
        extract_layer(
            stream,
            incoming,
            packed_bytes=artifact.layer.size_bytes,
            limit_bytes=MAX_ARTIFACT_BYTES,
        )
    try:
        load_manifest(incoming / "manifest.json")
        same = (incoming / "manifest.json").read_bytes() == config
    except (OSError, ValueError) as error:
        raise BuildError("ArchiveUnsafe", f"Will not use artifact {digest}: {error}") from error
    if not same:
        raise BuildError(
            "ArchiveUnsafe", f"Will not use artifact {digest}: its two manifests differ."
        )
    shutil.rmtree(copied, ignore_errors=True)
    for path in sorted(incoming.iterdir()):
        path.rename(target / path.name)
    incoming.rmdir()
    (target / _MARKER).write_text(digest)


def keep_for_serving(settings: PullSettings) -> None:
    """Have the training environment of a native model there, so that `serve` needs no network.

    Raises:
        BuildError: `TrainingEnvironmentUnavailable`, `DiskFull`.
    """
    manifest = load_manifest(settings.model_dir / "manifest.json")
    if manifest.runtime == "Native":
        open_environment(manifest.environment, folder=settings.environments)


def _is_complete(target: Path, digest: str) -> bool:
    try:
        return (target / _MARKER).read_text() == digest
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _empty(folder: Path) -> None:
    (folder / _MARKER).unlink(missing_ok=True)  # first: from here on it is not complete
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
