"""Standard output that nobody reads any more, or that cannot be written."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys, typer
from slipway_operator.cli import main, screen
app = typer.Typer()
@app.command()
def go() -> None:
    sys.stdin.readline()
    {say}
sys.exit(main.run(app, "slipway", []))
"""
WAYS = {
    "table": "screen.print_table(screen.standard_output(), ['A'], [['b']] * 9)",
    "json": "screen.print_json({'a': 1})",
    "yaml": "screen.print_yaml({'a': 1})",
    "text": "screen.write('a')",
}


def start(say: str, **how: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(say=say)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("say", WAYS.values(), ids=WAYS.keys())
def test_a_reader_that_leaves_ends_the_program_quietly(say: str) -> None:
    program = start(say, stdout=subprocess.PIPE)
    program.stdout.close()
    program.stdout = None
    _, errors = program.communicate("go\n", timeout=60)
    assert (program.returncode, errors) == (141, "")


@pytest.mark.parametrize("say", WAYS.values(), ids=WAYS.keys())
def test_a_full_disk_is_a_sentence(say: str) -> None:
    with open("/dev/full", "w") as full:
        program = start(say, stdout=full)
        _, errors = program.communicate("go\n", timeout=60)
    assert program.returncode == 1
    assert errors == "Error: Cannot write the output: No space left on device.\n"
