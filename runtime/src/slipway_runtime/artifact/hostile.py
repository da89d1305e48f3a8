"""Re-read what `convert` left as if an enemy had written it: the model's code ran there.

Nothing is opened but plain files in known places; nothing of the model is unpickled or parsed.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from slipway_runtime.artifact.manifest import MAX_MANIFEST_BYTES, Manifest, parse_manifest
from slipway_runtime.artifact.oci import hash_file
from slipway_runtime.artifact.uri import redact_uri
from slipway_runtime.build_request import BuildRequest
from slipway_runtime.errors import BuildError


def read_converted(folder: Path, *, build: BuildRequest, model_digest: str) -> Manifest:
    """Check the folder that `convert` wrote, and return its manifest.

    Args:
        model_digest: the digest of the file that was fetched, as `fetch` reported it.

    Raises:
        BuildError: `ModelRejected` when the result does not belong to this build or is not what
            it says; `ModelUnsafe` when it would be unpickled against `spec.model.unpickle`.
    """
    try:
        manifest = parse_manifest(_read_plain(folder / "manifest.json", MAX_MANIFEST_BYTES + 1))
    except (OSError, ValueError) as error:
        raise _rejected(str(error)) from error
    _check_identity(manifest, build=build, model_digest=model_digest)
    present = set(_list_plain(folder))
    expected = {"manifest.json", manifest.files.model}
    if present != expected:
        odd = sorted(present ^ expected)[0]
        raise _rejected(f'"{odd}" is there or missing against the manifest')
    if manifest.runtime == "Native":
        digest, _ = hash_file(folder / manifest.files.model)
        if digest != model_digest and digest not in _fetched_digests(folder.parent / "fetched"):
            raise _rejected(f"the native file has digest {digest}, fetched was {model_digest}")
    return manifest


def _fetched_digests(fetched: Path) -> Iterator[str]:
    """Digests of the files of a model that came as a folder; `convert` cannot write there."""
    model = fetched / "model"
    for name in _list_plain(model) if model.is_dir() else ():
        yield hash_file(model / name)[0]


def _check_identity(manifest: Manifest, *, build: BuildRequest, model_digest: str) -> None:
    wanted = {
        "name": (manifest.name, build.name),
        "namespace": (manifest.namespace, build.namespace),
        "buildHash": (manifest.build_hash, build.build_hash),
        "model.uri": (manifest.model.uri, redact_uri(build.model.uri)),
        "model.digest": (manifest.model.digest, model_digest),
    }
    for field, (found, asked) in wanted.items():
        if found != asked:
            raise _rejected(f'{field} is "{found[:200]}", this build has "{asked}"')
    if build.model.runtime not in ("Auto", manifest.runtime):
        raise _rejected(f"runtime is {manifest.runtime}, asked for was {build.model.runtime}")
    if build.model.unpickle == "Never" and manifest.files.loader in ("joblib", "pickle"):
        raise BuildError(
            "ModelUnsafe",
            "The model is a pickle, and spec.model.unpickle is Never; "
            "save it with skops or as ONNX, or set unpickle: Sandboxed.",
        )


def _read_plain(path: Path, limit_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f'"{path.name}" is not a plain file.')
        return stream.read(limit_bytes)


def _list_plain(folder: Path) -> Iterator[str]:
    """Names of all files below, relative; anything but files and folders is refused."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            relative = Path(entry.path).relative_to(folder).as_posix()
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and entry.stat().st_nlink == 1:
                yield relative
            else:
                raise _rejected(f'"{relative[:200]}" is a link or a special file')


def _rejected(why: str) -> BuildError:
    return BuildError(
        "ModelRejected",
        f"The result of the conversion does not belong to this build: {why.rstrip('.')}. "
        "The model's code may have written it.",
    )
