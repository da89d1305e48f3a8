"""Slipway's own code for a training environment: a copy by content, so that an environment lasts.

An environment holds packages only; what runs in it is the code of the version that runs it.
"""

import compileall
import hashlib
import os
import shutil
from importlib import metadata
from pathlib import Path

import slipway_runtime

_NAME = "slipway_runtime"


def keep_code(folder: Path) -> Path:
    """The folder to import `slipway_runtime` from, made if need be."""
    source = Path(slipway_runtime.__file__).parent
    files = sorted(source.rglob("*.py"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(source)}\n".encode())
        digest.update(path.read_bytes())
    target = folder / f"code-{digest.hexdigest()[:16]}"
    if target.exists():
        return target
    incoming = folder / f".{target.name}.{os.getpid()}"
    shutil.rmtree(incoming, ignore_errors=True)
    for path in files:
        copy = incoming / _NAME / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    _tell_version(incoming)
    compileall.compile_dir(incoming, quiet=2)
    try:
        incoming.rename(target)
    except OSError:  # another step was quicker
        shutil.rmtree(incoming, ignore_errors=True)
    return target


def _tell_version(folder: Path) -> None:
    """Its metadata too: the scan of a model asks which packages are tools of ours."""
    told = metadata.distribution("slipway-runtime").read_text("METADATA") or ""
    info = folder / f"{_NAME}-{metadata.version('slipway-runtime')}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(told, "utf-8")
