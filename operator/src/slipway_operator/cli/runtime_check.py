"""Asks `slipway-runtime check` about a model file (docs/wire.md).

That is another program, with a sandbox of its own: nothing here opens a model.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from slipway_operator.cli.bar import Bar
from slipway_operator.cli.errors import NOT_FOUND, CliError
from slipway_operator.cli.story import advice
from slipway_operator.contract import ENV_ENVIRONMENTS
from slipway_operator.local.datafolder import DataFolder, resolve_data_folder

PROGRAM = "slipway-runtime"


def check_file(
    file: Path, samples: Path | None, *, runtime: str, to: Path | None, console: Console
) -> dict[str, Any]:
    """What `slipway-runtime check` says of a file; `to` keeps the converted model.

    Raises CliError when it says nothing.
    """
    for path in (file, samples):
        if path is not None and not path.exists():
            raise CliError(f'Cannot read file "{path}": there is no such file.', code=NOT_FOUND)
    command = [find_program(), "check", str(file), "--runtime", runtime, "-o", "json"]
    if samples is not None:
        command += ["--samples", str(samples)]
    if to is not None:
        command += ["--to", str(to)]
    with Bar(console, f"{file.name}  converting, comparing, timing", steps=None):
        # The engine's own folder, so that what `up` needs next is there already.
        kept = DataFolder(root=resolve_data_folder()).environments
        environment = {ENV_ENVIRONMENTS: str(kept), **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise CliError(
            f'Cannot check file "{file}": {PROGRAM} ended with {done.returncode}: {last}'
        ) from error
    return found


def raise_refusal(found: dict[str, Any]) -> None:
    """CliError with the reason and what to do, when the file cannot be served as was asked."""
    if not found.get("ok"):
        reason = str(found.get("reason"))
        raise CliError(f"{reason}: {found.get('message')}", todo=advice(reason) or None)


def find_program() -> str:
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.exists() else shutil.which(PROGRAM)
    if found is None:
        raise CliError(
            f"{PROGRAM} is not installed, and only it handles model files.",
            todo="Install it: `pip install 'slipway-runtime[sklearn]'`.",
        )
    return found
