"""What the documents claim about the code is compared with the code."""

import re
from pathlib import Path

import pytest

from slipway_operator import contract

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()


def source_map() -> list[str]:
    """The paths named in the first column of the source map, as written."""
    table = ARCHITECTURE.split("## Source map", 1)[1]
    return re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)


@pytest.mark.parametrize("path", source_map())
def test_the_source_map_names_what_exists(path: str) -> None:
    assert (ROOT / path).exists()


def packages() -> list[str]:
    return sorted(
        str(path.parent.relative_to(ROOT))
        for part in ("operator", "runtime")
        for path in (ROOT / part / "src").glob("*/*/__init__.py")
    )


@pytest.mark.parametrize("package", packages())
def test_every_package_stands_in_the_source_map(package: str) -> None:
    assert any(entry.rstrip("/") == package for entry in source_map())


def test_every_wire_constant_is_explained() -> None:
    text = (ROOT / "docs/wire.md").read_text() + (ROOT / "docs/metrics.md").read_text()
    names = [
        value
        for name, value in vars(contract).items()
        if name.startswith(("ENV_", "METRIC_", "PATH_", "HEADER_")) and isinstance(value, str)
    ]
    ports = {contract.ENV_PORT_HTTP, contract.ENV_PORT_METRICS}
    missing = [value for value in names if value not in text and value not in ports]
    assert missing == []


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        (page.name, target)
        for page in pages
        for target in re.findall(r"`make ([a-z-]+)`", page.read_text())
    }
    assert {entry for entry in named if entry[1] not in targets} == set()


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        broken += [f"{page.name} → {link}" for link in links if not (page.parent / link).exists()]
    assert broken == []
