"""The layout rules that no linter checks: they keep `import operator` the standard library's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for part in ("operator", "runtime")
    for path in (ROOT / part / "src").rglob("*.py")
    if "__pycache__" not in path.parts
)
LINE_LIMIT = 400
DRAWERS = {"utils", "helpers", "misc", "common"}


@pytest.mark.parametrize("folder", ["operator", "runtime"])
def test_a_distribution_folder_is_never_a_package(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()


def test_no_package_marker_under_tests() -> None:
    assert sorted((ROOT / "tests").rglob("__init__.py")) == []


def test_the_standard_library_operator_wins_from_the_root() -> None:
    code = "import collections, operator; print(operator.__file__)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert str(ROOT) not in answer.stdout


def test_both_copies_of_the_wire_contract_are_the_same() -> None:
    copies = [
        ROOT / "operator/src/slipway_operator/contract.py",
        ROOT / "runtime/src/slipway_runtime/contract.py",
    ]
    assert copies[0].read_bytes() == copies[1].read_bytes()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_small_and_has_one_idea(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LINE_LIMIT, "split it: one idea a module"
    assert path.stem not in DRAWERS, "name the module after what it holds"
    assert not text.strip() or text.lstrip().startswith(('"""', 'r"""')), "say what it is for"


def test_no_machine_path_or_registry_host_in_the_repo() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    forbidden = re.compile(rf"(?<![\w.])({re.escape(str(Path.home()))}|{re.escape(str(ROOT))})/")
    found = [
        name
        for name in files
        if name != "uv.lock"
        and (ROOT / name).is_file()
        and forbidden.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []
