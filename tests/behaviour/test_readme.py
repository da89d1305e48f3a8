"""What README.md shows is what the program prints: its commands are run and its lines looked for.

Only what differs from run to run is left out of the comparison: seconds, ages, the revision's hash,
the port, and the last bits of a difference. `…` in README.md stands for anything.
"""

import re
from pathlib import Path

import pytest

from behaviour_laptop import Laptop

ROOT = Path(__file__).resolve().parents[2]
VOLATILE = (
    (r"\b\d+(\.\d+)? s\b", "SECONDS"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"difference \d\.\de-\d\d", "DIFFERENCE"),
    (r"(True +Serving +)[0-9a-f]{4}( .* )\d+[smh]\w*$", r"\1HASH\2AGE"),
)


def shown() -> list[tuple[str, list[str]]]:
    """The commands of README.md's first transcript, each with the lines below it."""
    text = (ROOT / "README.md").read_text()
    block = next(each for each in text.split("```") if each.lstrip().startswith("$ "))
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.splitlines()[0], [x for x in part.splitlines()[1:] if x]) for part in parts]


def steady(line: str) -> str:
    """A line without what differs from run to run; runs of blanks count as one."""
    for pattern, word in VOLATILE:
        line = re.sub(pattern, word, line)
    return " ".join(line.split())


@pytest.mark.usefixtures("examples")
def test_every_line_of_the_readme_is_printed(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    asked = [each for each in shown() if each[0].startswith("slipway ")]
    assert [command.split()[1] for command, _ in asked] == ["up", "predict"]
    for command, lines in asked:
        said = laptop.run(*command.split()[1:])
        assert said.code == 0, said.text
        printed = [steady(line) for line in said.text.splitlines()]
        for line in lines:
            wanted = re.escape(steady(line)).replace("…", ".*")
            assert any(re.fullmatch(wanted, each) for each in printed), (
                f"README.md shows this line, and {command!r} does not print it:\n{line}\n"
                f"It prints:\n{said.text}"
            )
