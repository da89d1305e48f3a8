"""Artifacts and running servers, made once for the folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import serving_models
from serving_process import Served, serving


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    serving_models.iris(folder / "iris")
    serving_models.table(folder / "table")
    return folder


@pytest.fixture(scope="module")
def iris(artifacts: Path) -> Iterator[Served]:
    with serving(artifacts / "iris", serving={"maxBatchRows": 8, "maxRequestBytes": 4096}) as one:
        yield one


@pytest.fixture(scope="module")
def table(artifacts: Path) -> Iterator[Served]:
    with serving(artifacts / "table", serving={"maxBatchRows": 100}) as one:
        yield one
