"""What the pages show is what the program prints: the commands are run and the lines looked for.

Only what differs from run to run is left out of the comparison: seconds, ages, the revision's hash,
the port, and the last bits of a difference. `…` on a page stands for anything.
"""

import re
from pathlib import Path

import pytest

from behaviour_laptop import Laptop
from behaviour_terminal import Said, deployment

ROOT = Path(__file__).resolve().parents[2]
VOLATILE = (
    (r"\b\d+(\.\d+)? s\b", "SECONDS"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"difference \d\.\de-\d\d", "DIFFERENCE"),
    (r"(True +Serving +)[0-9a-f]{4}( .* )\d+[smh]\w*$", r"\1HASH\2AGE"),
)


def shown(page: str, first: str) -> list[tuple[str, list[str]]]:
    """The commands of the page's block that begins with `first`, each with the lines below it."""
    text = (ROOT / page).read_text()
    block = next(each for each in text.split("```") if each.lstrip().startswith(first))
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.splitlines()[0], [x for x in part.splitlines()[1:] if x]) for part in parts]


def steady(line: str) -> str:
    """A line without what differs from run to run; runs of blanks count as one."""
    for pattern, word in VOLATILE:
        line = re.sub(pattern, word, line)
    return " ".join(line.split())


def compare(command: str, lines: list[str], said: Said) -> None:
    """Each line must be one that was printed."""
    printed = [steady(line) for line in said.text.splitlines()]
    for line in lines:
        wanted = re.escape(steady(line)).replace("…", ".*")
        assert any(re.fullmatch(wanted, each) for each in printed), (
            f"The page shows this line, and {command!r} does not print it:\n{line}\n"
            f"It prints:\n{said.text}"
        )


@pytest.mark.usefixtures("examples")
def test_every_line_of_the_readme_is_printed(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    asked = [each for each in shown("README.md", "$ ") if each[0].startswith("slipway ")]
    assert [command.split()[1] for command, _ in asked] == ["up", "predict"]
    for command, lines in asked:
        said = laptop.run(*command.split()[1:])
        assert said.code == 0, said.text
        compare(command, lines, said)


@pytest.mark.usefixtures("examples")
def test_the_refused_row_of_the_quickstart_is_refused_in_these_words(laptop: Laptop) -> None:
    served = laptop.run("up", "-f", str(ROOT / "manifests/samples/penguins.yaml"), "--detach")
    assert served.code == 0, served.text
    ((command, lines),) = shown("docs/quickstart.md", "$ printf 'island")
    rows = command.split("'")[1].replace("\\n", "\n")
    said = laptop.run("predict", "penguins", text=rows)
    assert said.code == 1
    compare(command, lines, said)


def test_the_missing_model_of_the_quickstart_is_told_in_these_words(laptop: Laptop) -> None:
    text = (ROOT / "docs/quickstart.md").read_text()
    block = next(x for x in text.split("```") if "failed: ModelNotFound" in x)
    first, *_, last = block.strip().splitlines()
    said = laptop.apply(deployment("penguins-gone", "file:/nowhere.joblib"), "--wait")
    assert said.code == 1
    compare("apply --wait", [first.replace('"penguins"', '"penguins-gone"'), last], said)
