"""Installs what an image has above its base: the locked packages, and our own distribution.

`image_build.py` packs them as layers; the Dockerfile calls this module
(`python images/image_layers.py NAME FOLDER`), so that both hold the same.
"""

import compileall
import os
import py_compile
import subprocess
import sys
import tempfile
from pathlib import Path

from image_recipes import HOME, PYTHON, RECIPES, Recipe
from image_trimming import trim

ROOT = Path(__file__).resolve().parents[1]


def install_locked(recipe: Recipe, layer: Path) -> None:
    """The third-party packages, exactly as locked, with their hashes."""
    extras = [word for extra in recipe.extras for word in ("--extra", extra)]
    leave_out = [word for name in recipe.leave_out for word in ("--prune", name)]
    with tempfile.TemporaryDirectory() as scratch:
        wanted = f"{scratch}/requirements.txt"
        _uv(
            "export", "--frozen", "--no-dev", "--no-emit-workspace", "--no-header", "-q",
            "--package", recipe.package, *extras, *leave_out, "-o", wanted,
        )  # fmt: skip
        _install(layer, "-r", wanted, "--require-hashes")


def install_own(recipe: Recipe, layer: Path) -> None:
    """Our own distribution, and the virtual environment around both."""
    with tempfile.TemporaryDirectory() as scratch:
        _uv("build", "--wheel", "-q", "--package", recipe.package, "-o", scratch)
        (wheel,) = Path(scratch).glob("*.whl")
        _install(layer, str(wheel))
    home = layer / HOME.lstrip("/")
    (home / "bin").mkdir(parents=True, exist_ok=True)
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
    trim(site)
    # Bytecode that asks nobody for times: the root is read-only, and the layer comes out the same.
    compileall.compile_dir(
        site, quiet=2, stripdir=str(layer),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, workers=0,
    )  # fmt: skip


def _uv(*words: str) -> None:
    # Its bytecode would have times in it; `_install` compiles without them.
    run(sys.executable, "-m", "uv", *words, UV_COMPILE_BYTECODE="0")


def run(*words: str, **variables: str) -> None:
    """Run a program in the checkout; where it fails, its words are the end of ours."""
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"\n{done.stderr.strip()}\nCannot build images: {' '.join(words[:4])} …")


def main(words: list[str]) -> int:
    """Install both for one image below a folder."""
    name, folder = words
    (recipe,) = (each for each in RECIPES if each.name == name)
    install_locked(recipe, Path(folder))
    install_own(recipe, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
