"""Every reason that the control side gives stands in the catalogue, and so in docs/reasons.md."""

import re
from pathlib import Path

import pytest

from slipway_operator import contract
from slipway_operator.api.reasons import REASONS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "operator/src/slipway_operator"
# The laptop's controllers speak as Kubernetes' own do; their reasons are Kubernetes' words.
FILES = sorted(
    path
    for path in SOURCE.rglob("*.py")
    if path.relative_to(SOURCE).parts[0] not in ("local", "cli")
)
GIVEN = re.compile(r'(?:\bsay\(\s*|\bevent_type\(\s*|\bFinding\(\s*reason=|\breason=)"([A-Za-z]+)"')


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_reason_given_is_in_the_catalogue(path: Path) -> None:
    assert set(GIVEN.findall(path.read_text())) <= REASONS.keys()


def test_the_search_finds_reasons() -> None:
    found = {name for path in FILES for name in GIVEN.findall(path.read_text())}
    assert {"Serving", "SecretNotFound", "InvalidSpec"} <= found


def test_every_reason_of_a_build_is_in_the_catalogue() -> None:
    assert set(contract.BUILD_REASONS) <= REASONS.keys()


def test_every_reason_is_documented() -> None:
    page = (ROOT / "docs/reasons.md").read_text()
    assert [name for name in REASONS if f"| `{name}` |" not in page] == []
