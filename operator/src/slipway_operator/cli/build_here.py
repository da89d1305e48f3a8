"""Runs the first two build steps on a file, as the engine would (docs/wire.md), in scratch.

The steps belong to slipway-runtime, another program: nothing here opens a model.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from slipway_operator import contract
from slipway_operator.cli.errors import NOT_FOUND, CliError
from slipway_operator.cli.story import advice

PROGRAM = "slipway-runtime"
LIMITS = {
    "modelBytes": 2 << 30,
    "samplesBytes": 256 << 20,
    "fetchSeconds": 300,
    "convertSeconds": 300,
    "convertMemoryBytes": 4 << 30,
    "convertCpuSeconds": 600,
    "scratchBytes": 4 << 30,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What `convert` made: its manifest, and the model file it names."""

    manifest: dict[str, Any]
    model: Path


@contextmanager
def build_here(
    file: Path, samples: Path | None, *, runtime: str, console: Console
) -> Iterator[Built]:
    """Fetch and convert `file`; the result lives as long as the context.

    Raises CliError with the reason of the step that failed.
    """
    for path in (file, samples):
        if path is not None and not path.exists():
            raise CliError(f'Cannot read file "{path}": there is no such file.', code=NOT_FOUND)
    program = _find_program()
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        work = Path(folder)
        environment = _environment(work, file, samples, runtime)
        for step, doing in (("fetch", "reading"), ("convert", "converting and comparing")):
            busy = console.status(f"{file}  {doing}") if console.is_terminal else nullcontext()
            with busy:
                _run(program, step, work, environment)
        converted = work / "converted"
        manifest = json.loads((converted / "manifest.json").read_text())
        yield Built(manifest=manifest, model=converted / manifest["files"]["model"])


def _find_program() -> str:
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise CliError(
            f"{PROGRAM} is not installed, and only it opens models.",
            todo="Install it: `pip install 'slipway-runtime[sklearn]'`.",
        )
    return found


def _environment(work: Path, file: Path, samples: Path | None, runtime: str) -> dict[str, str]:
    build = {
        "name": "check",
        "namespace": "default",
        "buildHash": "0" * 16,
        "model": {
            "uri": file.absolute().as_uri(),
            "digest": None,
            "samples": {"uri": samples.absolute().as_uri(), "digest": None} if samples else None,
            "format": "Auto",
            "runtime": runtime,
            "unpickle": "Sandboxed",
            "packages": [],
            "access": {"endpoint": None, "region": None},
        },
        "limits": LIMITS,
        "allowFile": True,
    }
    return {
        **os.environ,
        contract.ENV_WORK_DIR: str(work),
        contract.ENV_TERMINATION_LOG: str(work / "termination.json"),
        contract.ENV_BUILD: json.dumps(build),
    }


def _run(program: str, step: str, work: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [program, step], env=environment, capture_output=True, text=True, check=False
    )
    try:
        report = json.loads((work / f"{step}.json").read_text())
    except (OSError, ValueError):
        report = {}
    if done.returncode == 0 and report.get("ok"):
        return
    reason = str(report.get("reason") or "BuildInterrupted")
    last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    raise CliError(
        f"{reason}: {report.get('message') or f'step {step} left no report: {last}'}",
        todo=advice(reason) or None,
    )
