"""One engine for all stories of a file, each story with names of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviour_laptop import Laptop


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A running engine; at the end it must go and leave no process behind."""
    engine = Laptop(data=tmp_path_factory.mktemp("data"))
    engine.start()
    yield engine
    engine.stop()
    assert engine.processes() == []


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of examples, trained by `make examples`."""
    folder = Path(__file__).resolve().parents[2] / "examples"
    assert (folder / "penguins/model.joblib").exists(), "run `make examples` first"
    return folder
