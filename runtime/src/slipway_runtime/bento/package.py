"""Packs a built model as a standard Bento: `bentoml serve FOLDER` runs it unchanged.

Everything in it is fixed code of ours and the checked files of the build; no text of a user becomes
code, a Dockerfile or a setup script. BentoML runs in a process and with a store of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import msgspec

from slipway_runtime.artifact.manifest import Manifest, load_manifest
from slipway_runtime.bento.vendor import VENDORED, vendor_modules
from slipway_runtime.errors import BuildError

_SECONDS = 120
_SERVICE = '''"""The service that `bentoml serve` runs; made by Slipway, do not edit."""

from pathlib import Path

from {module} import {maker}

model = {maker}(Path(__file__).parent)
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class BentoInfo:
    """A packed Bento: `name:version` and the folder that holds bento.yaml."""

    tag: str
    path: Path


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the building process is told, as JSON on its standard input."""

    context: str
    name: str
    version: str
    packages: list[str]
    labels: dict[str, str]
    store: str


def build_bento(converted: Path, into: Path, *, tag: str) -> BentoInfo:
    """Build the Bento of the model in `converted` (manifest.json and its model file).

    Args:
        converted: the folder that `convert` made, already checked.
        into: the Bento's folder; must not exist yet.
        tag: `name:version`.

    Raises:
        BuildError: PublishFailed.
    """
    manifest = load_manifest(converted / "manifest.json")
    name, _, version = tag.partition(":")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bento-", dir=into.parent) as scratch:
        context = Path(scratch) / "src"
        _fill_context(manifest, converted, context)
        _forbid_uv(Path(scratch) / "bin")
        plan = BuildPlan(
            context=str(context),
            name=name,
            version=version,
            packages=_packages(manifest),
            labels={"slipway.dev/runtime": manifest.runtime},
            store=scratch,
        )
        built = Path(_build_outside(plan))
        shutil.move(built, into)
    return BentoInfo(tag=tag, path=into)


def _fill_context(manifest: Manifest, converted: Path, context: Path) -> None:
    """Lay out what becomes the Bento's `src`."""
    model = context / manifest.files.model
    model.parent.mkdir(parents=True)
    shutil.copyfile(converted / manifest.files.model, model)
    shutil.copyfile(converted / "manifest.json", context / "manifest.json")
    is_onnx = manifest.runtime == "ONNX"
    entry = "slipway_runtime.bento.service" if is_onnx else "slipway_runtime.bento.native"
    vendor_modules(entry, context)
    service = _SERVICE.format(
        module=entry.replace("slipway_runtime", VENDORED),
        maker="make_onnx_service" if is_onnx else "make_native_service",
    )
    (context / "service.py").write_text(service, "utf-8")


def _forbid_uv(folder: Path) -> None:
    """BentoML looks for uv, and would install it from the network where there is none.

    All versions are pinned, so that there is nothing to resolve; what it finds always fails.
    """
    folder.mkdir()
    (folder / "uv").write_text("#!/bin/sh\nexit 1\n")
    (folder / "uv").chmod(0o755)


def _packages(manifest: Manifest) -> list[str]:
    """What the Bento needs beside BentoML, pinned to what the model was proven with."""
    if manifest.runtime == "ONNX":
        return [_pin("numpy"), _pin("onnxruntime")]
    names = ["joblib", "msgspec", "numpy", "pandas", "scikit-learn"]
    if manifest.files.loader == "skops":
        names.append("skops")
    born = (
        {}
        if manifest.environment is None
        else dict(pin.split("==", 1) for pin in manifest.environment.packages)
    )
    return [f"{name}=={born[name]}" if name in born else _pin(name) for name in names]


def _pin(name: str) -> str:
    return f"{name}=={metadata.version(name)}"


def _build_outside(plan: BuildPlan) -> str:
    """Let BentoML build in a process of its own; returns the folder in its store."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("BENTOML", "SLIPWAY"))
    }
    environment |= {
        "BENTOML_HOME": plan.store,
        "BENTOML_DO_NOT_TRACK": "True",
        "HOME": plan.store,
        "PATH": f"{plan.store}/bin:{os.defpath}",
    }
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "slipway_runtime.bento.build_inside"],
            input=msgspec.json.encode(plan),
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            "PublishFailed", f"BentoML did not build the Bento within {_SECONDS} seconds."
        ) from error
    path = ended.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if ended.returncode or not path.startswith(plan.store):
        words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        last = words[-1][:300] if words else f"it ended with code {ended.returncode}"
        raise BuildError("PublishFailed", f"BentoML could not build the Bento: {last}")
    return path
