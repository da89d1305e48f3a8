"""Makes training environments with uv, once each, in a folder that outlives the build.

Wheels only: nothing of a package runs while it is installed. Called by the steps that may use the
network (`fetch`, `pull`); what is there already is taken without it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from slipway_runtime.environment.code import keep_code
from slipway_runtime.environment.explain import explain_uv
from slipway_runtime.errors import BuildError
from slipway_runtime.sandbox import Interpreter

_PASSED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_PASSED_PREFIX = "UV_"  # an administrator's index, mirrors and credentials, as for uv itself


def resolve_environment(
    requirements: Sequence[str], *, folder: Path, deadline: float
) -> tuple[str, ...]:
    """Every package of the environment with its version, `name==version`, sorted.

    Args:
        requirements: as `plan_environment` gives them.
        folder: where environments are kept.
        deadline: on `time.monotonic`.

    Raises:
        BuildError: `TrainingEnvironmentUnavailable`, `DiskFull`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / f"{_key(requirements)}.lock.json"
    try:
        return tuple(json.loads(known.read_text("utf-8")))
    except (OSError, ValueError):
        pass
    told = _uv(
        "pip", "compile", "-", "--no-header", "--no-annotate", "--no-build",
        "--python", sys.executable, "--quiet",
        folder=folder, deadline=deadline, text="\n".join(requirements),
    )  # fmt: skip
    lock = tuple(sorted(line.strip() for line in told.splitlines() if "==" in line))
    incoming = known.with_suffix(f".{os.getpid()}")
    incoming.write_text(json.dumps(lock), "utf-8")
    incoming.rename(known)
    return lock


def keep_environment(lock: Sequence[str], *, folder: Path, deadline: float) -> Interpreter:
    """The interpreter of the environment with exactly these packages, made if need be.

    Raises:
        BuildError: `TrainingEnvironmentUnavailable`, `DiskFull`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / _key(lock)
    python = target / "bin" / "python"
    if not (target / "lock.json").exists():
        with _locked(folder / f"{target.name}.lock"):
            if not (target / "lock.json").exists():
                _install(lock, target, deadline=deadline)
    return Interpreter(python=str(python), path=str(keep_code(folder)))


def running_python() -> str:
    """The minor version of this interpreter, which is that of all its environments: `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _install(lock: Sequence[str], target: Path, *, deadline: float) -> None:
    folder = target.parent
    shutil.rmtree(target, ignore_errors=True)  # a half one of a step that was killed
    try:
        _uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(target),
            folder=folder, deadline=deadline)  # fmt: skip
        _uv("pip", "install", "--quiet", "--no-deps", "--no-build",
            "--python", str(target / "bin" / "python"), "-r", "-",
            folder=folder, deadline=deadline, text="\n".join(lock))  # fmt: skip
        _compile(target, deadline=deadline)
        (target / "lock.json").write_text(json.dumps(list(lock)), "utf-8")  # from here it is whole
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _compile(target: Path, *, deadline: float) -> None:
    """Compile it once: a sandboxed process cannot write bytecode.

    Not the packages' own tests, which are more than half of it, as uv would. What does not compile
    here (a template, code for another Python) is compiled where it is imported, or never.
    """
    # without `site`: it would run what packages leave for the start of an interpreter
    words = ("-I", "-S", "-m", "compileall", "-q", "-q", "-j", "0", "-x", "/tests?/")
    # named from its parent: a folder called tests further up is nobody's test
    _run([sys.executable, *words, f"{target.name}/lib"], folder=target.parent, deadline=deadline)


def _uv(*arguments: str, folder: Path, deadline: float, text: str | None = None) -> str:
    """Run uv and return what it printed.

    Raises:
        BuildError: as `explain_uv`.
    """
    ended = _run([_find_uv(), *arguments], folder=folder, deadline=deadline, text=text)
    if ended.returncode != 0:
        raise explain_uv(ended.stderr)
    return ended.stdout


def _run(
    command: Sequence[str], *, folder: Path, deadline: float, text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    seconds = deadline - time.monotonic()
    try:
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            env=_environment(folder, os.environ),
            cwd=folder,
            timeout=max(seconds, 1.0),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            "Cannot make the training environment: the packages did not arrive within the time of "
            "the fetch step; check the way to the package index, or give it more time.",
            retryable=True,
        ) from error


def _find_uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise BuildError(
            "TrainingEnvironmentUnavailable",
            "Cannot make the training environment: uv is not installed; install "
            "slipway-runtime[sklearn], or save the model again with the installed versions.",
        ) from error


def _environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    passed = {
        name: value
        for name, value in given.items()
        if name in _PASSED or name.lower() in map(str.lower, _PASSED) or _is_uv(name)
    }
    return {
        "UV_CACHE_DIR": str(folder / "wheels"),  # what is there once needs no index again
        **passed,
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }


def _is_uv(name: str) -> bool:
    return name.startswith(_PASSED_PREFIX)


def _key(lines: Sequence[str]) -> str:
    told = json.dumps([sys.version_info[:2], sys.platform, os.uname().machine, sorted(lines)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
