"""Builds Slipway's images without a container registry and without a daemon (`make images`).

From Debian's packages, the locked packages of PyPI and this checkout, into
~/.cache/slipway/images/KEY/NAME.tar, which `ctr images import`, `docker load`, `podman load` and
`skopeo` read; `images.json` beside them tells each one's reference and digest.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

from image_layers import ROOT, install_locked, install_own, run
from image_recipes import (
    BASE_PACKAGES,
    DEBIAN,
    ENVIRONMENT,
    HOME,
    PYTHON,
    RECIPES,
    USER,
    Recipe,
)
from image_writer import write_image
from store_programs import REGISTRY, REGISTRY_VERSION, installed

CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache/slipway")


def find_folder() -> Path:
    """Where the images of this checkout lie: by the hash of all that goes into them."""
    digest = hashlib.sha256()
    sources = [ROOT / "uv.lock", *(ROOT / "images").glob("*.py")]
    for part in ("operator", "runtime"):
        sources += [ROOT / part / "pyproject.toml", *(ROOT / part / "src").rglob("*.py")]
    for path in sorted(sources):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return CACHE / "images" / digest.hexdigest()[:12]


def build_images() -> Path:
    """Build what is missing; returns the folder."""
    folder = find_folder()
    if (folder / "images.json").exists():
        return folder
    if sys.version_info[:2] != tuple(map(int, PYTHON.split("."))):
        raise SystemExit(f"Images hold Python {PYTHON}: run this with it (make images does).")
    folder.mkdir(parents=True, exist_ok=True)
    base = build_base()
    listed = {}
    for recipe in RECIPES:
        started = time.monotonic()
        print(f"· building image slipway/{recipe.name} …", end="", flush=True)
        listed[recipe.name] = _build(recipe, base, folder)
        print(f" {time.monotonic() - started:.0f} s", flush=True)
    listed["registry"] = _build_registry(folder)
    (folder / "images.json").write_text(json.dumps(listed, indent=1) + "\n")
    _remove_older(folder)
    return folder


def build_base() -> Path:
    """The layer that all images share: a minimal Debian with Python, once a set of packages."""
    hooks = (
        "rm -rf $1/var/lib/apt/lists/* $1/var/cache/apt/* $1/var/log/*",
        "mkdir -p $1/slipway/work $1/slipway/model $1/slipway/tmp",
        # a user without a name fails whoever asks for it (Python's getpass does)
        f"echo slipway:x:{USER}::/slipway:/usr/sbin/nologin >> $1/etc/passwd",
        f"echo slipway:x:{USER.partition(':')[2]}: >> $1/etc/group",
    )
    key = hashlib.sha256(f"{DEBIAN} {BASE_PACKAGES} {hooks}".encode()).hexdigest()[:12]
    base = CACHE / "images" / f"base-{key}.tar"
    if base.exists():
        return base
    print("· building the base of images from Debian's packages …", flush=True)
    base.parent.mkdir(parents=True, exist_ok=True)
    unfinished = base.with_suffix(".new.tar")
    run(
        "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        *(f"--customize-hook={hook}" for hook in hooks),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", DEBIAN, str(unfinished),
    )  # fmt: skip
    unfinished.rename(base)
    return base


def _build(recipe: Recipe, base: Path, folder: Path) -> dict[str, str]:
    scratch = folder / f".{recipe.name}"
    shutil.rmtree(scratch, ignore_errors=True)
    packages, own = scratch / "packages", scratch / "own"
    install_locked(recipe, packages)
    install_own(recipe, own)
    archive = folder / f"{recipe.name}.tar"
    reference = f"localhost/slipway/{recipe.name}:{folder.name}"
    digest = write_image(
        archive,
        reference,
        [base, packages, own],
        entrypoint=[f"{HOME}/bin/{next(iter(recipe.programs))}"],
        user=USER,
        environment=ENVIRONMENT,
    )
    shutil.rmtree(scratch)
    return {"file": archive.name, "reference": reference, "digest": digest}


def _build_registry(folder: Path) -> dict[str, str]:
    """The registry of the chart: one static program of the distribution project."""
    scratch = folder / ".registry"
    (scratch / "bin").mkdir(parents=True)
    shutil.copy2(installed(REGISTRY), scratch / "bin/registry")
    archive = folder / "registry.tar"
    reference = f"localhost/slipway/registry:{REGISTRY_VERSION}"
    digest = write_image(archive, reference, [scratch], entrypoint=["/bin/registry"], user=USER)
    shutil.rmtree(scratch)
    return {"file": archive.name, "reference": reference, "digest": digest}


def _remove_older(folder: Path) -> None:
    """Images of former checkouts take a gigabyte each."""
    whole = [path.parent for path in folder.parent.glob("*/images.json")]
    others = [path for path in whole if path != folder]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    print(build_images())
