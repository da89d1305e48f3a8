"""Builds Slipway's images without a container registry and without a daemon (`make images`).

From Debian's packages, the locked packages of PyPI and this checkout, into
~/.cache/slipway/images/KEY/NAME.tar, which `ctr images import`, `docker load`, `podman load` and
`skopeo` read; `images.json` beside them tells each one's reference and digest.
"""

import compileall
import hashlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
import time
from pathlib import Path

from image_recipes import BASE_PACKAGES, DEBIAN, HOME, PYTHON, RECIPES, USER, Recipe
from image_writer import write_image
from store_programs import REGISTRY, REGISTRY_VERSION, installed

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache/slipway")
_UNUSED = ("__pycache__", "tests", "test", "include")


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
    _run(
        "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        *(f"--customize-hook={hook}" for hook in hooks),
        DEBIAN, str(unfinished),
    )  # fmt: skip
    unfinished.rename(base)
    return base


def _build(recipe: Recipe, base: Path, folder: Path) -> dict[str, str]:
    scratch = folder / f".{recipe.name}"
    shutil.rmtree(scratch, ignore_errors=True)
    packages, own = scratch / "packages", scratch / "own"
    _install_locked(recipe, scratch, packages)
    _install_own(recipe, scratch, own)
    archive = folder / f"{recipe.name}.tar"
    reference = f"localhost/slipway/{recipe.name}:{folder.name}"
    digest = write_image(
        archive,
        reference,
        [base, packages, own],
        entrypoint=[f"{HOME}/bin/{next(iter(recipe.programs))}"],
        user=USER,
        environment={
            "PATH": f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        },
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


def _install_locked(recipe: Recipe, scratch: Path, layer: Path) -> None:
    """The third-party packages, exactly as locked, with their hashes."""
    scratch.mkdir()
    wanted = scratch / "requirements.txt"
    extras = [word for extra in recipe.extras for word in ("--extra", extra)]
    leave_out = [word for name in recipe.leave_out for word in ("--no-emit-package", name)]
    _uv(
        "export", "--frozen", "--no-dev", "--no-emit-workspace", "--no-header", "-q",
        "--package", recipe.package, *extras, *leave_out, "-o", str(wanted),
    )  # fmt: skip
    _install(layer, "-r", str(wanted), "--require-hashes")


def _install_own(recipe: Recipe, scratch: Path, layer: Path) -> None:
    """Our own distribution, and the virtual environment around both."""
    wheels = scratch / "wheels"
    _uv("build", "--wheel", "-q", "--package", recipe.package, "-o", str(wheels))
    (wheel,) = wheels.glob("*.whl")
    _install(layer, str(wheel))
    home = layer / HOME.lstrip("/")
    (home / "bin").mkdir(exist_ok=True)
    (home / "bin/python").symlink_to("/usr/bin/python3")
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    )
    for name, target in recipe.programs.items():
        module, _, function = target.partition(":")
        program = home / "bin" / name
        program.write_text(
            f"#!{HOME}/bin/python -P\nimport sys\n\nfrom {module} import {function}\n\n"
            f"sys.exit({function}())\n"
        )
        program.chmod(0o755)


def _install(layer: Path, *what: str) -> None:
    site = layer / HOME.lstrip("/") / f"lib/python{PYTHON}/site-packages"
    _uv(
        "pip", "install", "-q", "--no-deps", "--no-build", "--python", sys.executable,
        "--target", str(site), *what,
    )  # fmt: skip
    shutil.rmtree(site / "bin", ignore_errors=True)
    for folder in [path for path in site.rglob("*") if path.is_dir() and path.name in _UNUSED]:
        shutil.rmtree(folder, ignore_errors=True)
    # Bytecode that asks nobody for times: the root is read-only, and the layer comes out the same.
    compileall.compile_dir(
        site, quiet=2, stripdir=str(layer),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, workers=0,
    )  # fmt: skip


def _remove_older(folder: Path) -> None:
    """Images of former checkouts take a gigabyte each."""
    whole = [path.parent for path in folder.parent.glob("*/images.json")]
    others = [path for path in whole if path != folder]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-1]:
        shutil.rmtree(path, ignore_errors=True)


def _uv(*words: str) -> None:
    _run(sys.executable, "-m", "uv", *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"\n{done.stderr.strip()}\nCannot build images: {' '.join(words[:4])} …")


if __name__ == "__main__":
    print(build_images())
