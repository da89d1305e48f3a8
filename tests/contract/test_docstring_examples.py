"""What a docstring shows at a prompt is what it gives."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import slipway_operator
import slipway_runtime


def find_examples() -> Iterator[str]:
    """The modules that have some."""
    for package in (slipway_operator, slipway_runtime):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            spec = importlib.util.find_spec(found.name)
            if spec and spec.origin and ">>> " in Path(spec.origin).read_text("utf-8"):
                yield found.name


@pytest.mark.parametrize("name", sorted(find_examples()))
def test_it_is_so(name: str) -> None:
    told = doctest.testmod(importlib.import_module(name))
    assert told.attempted > 0
    assert told.failed == 0
