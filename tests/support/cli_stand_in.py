"""A program that stands in for slipway-runtime: notes its arguments, and prints what it is told."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


def stand_in(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked_by: ModuleType,
    *lines: object,
    code: int = 0,
    writes: bool = False,
) -> Path:
    """Put it where `asked_by` looks for the program; returns the file that gets the arguments.

    Args:
        lines: text as it is, everything else as JSON.
        writes: leave a model in the folder that `--to` names.
    """
    program = folder / "stand-in"
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"pathlib.Path({str(folder / 'arguments')!r}).write_text(' '.join(sys.argv[1:]))\n"
        f"if {writes}:\n"
        "    to = sys.argv[sys.argv.index('--to') + 1]\n"
        "    pathlib.Path(to, 'model.onnx').write_bytes(b'onnx')\n"
        f"print({text!r})\n"
        f"if {code}:\n"
        "    sys.stderr.write('last words')\n"
        f"sys.exit({code})\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(asked_by, "find_program", lambda: str(program))
    return folder / "arguments"
