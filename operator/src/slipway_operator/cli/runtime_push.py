"""Asks `slipway-runtime push` to put files into a registry (docs/wire.md), and shows how far it is.

The client of registries is that program's; credentials never pass through here.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from slipway_operator.cli.errors import NOT_FOUND, CliError
from slipway_operator.cli.runtime_check import PROGRAM, find_program


def push_files(
    file: Path,
    uri: str,
    *,
    samples: Path | None,
    login: Mapping[str, str | None],
    console: Console,
) -> dict[str, Any]:
    """The document of what was pushed; raises CliError when it was not.

    `login` holds names of variables, never what is in them.
    """
    files = {"model": file} if samples is None else {"model": file, "samples": samples}
    for path in files.values():
        if not path.exists():
            raise CliError(f'Cannot read file "{path}": there is no such file.', code=NOT_FOUND)
    command = [find_program(), "push", str(file), uri]
    command += [] if samples is None else ["--samples", str(samples)]
    for what, name in login.items():
        command += [] if name is None else [f"--{what}-env", name]
    found, last = _run(command, files, console)
    if not found:
        raise CliError(f'Cannot push file "{file}": {PROGRAM} ended: {last}')
    if not found["ok"]:
        raise CliError(f"{found.get('reason')}: {found.get('message')}")
    for each in found["files"]:
        how = "was there already" if each["existed"] else "pushed"
        console.print(f"{each['name']}  {each['bytes']} bytes  {how}", style="green")
    return found


def _run(
    command: list[str], files: Mapping[str, Path], console: Console
) -> tuple[dict[str, Any], str]:
    """Run it with a bar for each file: its last document, and its last words."""
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryFile("w+", errors="replace") as words,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True) as process,
        _bars(console) as bars,
    ):
        tasks = {role: bars.add_task(path.name, total=None) for role, path in files.items()}
        for line in process.stdout or ():
            said = _read(line)
            if "sentBytes" in said:
                sent, total = said["sentBytes"], said["totalBytes"]
                bars.update(tasks[said["file"]], completed=sent, total=total)
            elif "ok" in said:
                found = said
        process.wait()
        words.seek(0)
        lines = words.read().strip().splitlines()
    return found, (lines or [f"with {process.returncode}, and said nothing"])[-1]


def _bars(console: Console) -> Progress:
    """A bar a file on a terminal; nothing otherwise."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _read(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
