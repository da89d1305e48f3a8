"""Samples are read by the model's own eyes, and what is wrong is named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slipway_runtime.contract_of.reading import ColumnReading, ModelReading, Table
from slipway_runtime.contract_of.samples import align_samples, read_samples
from slipway_runtime.errors import BuildError

READING = ModelReading(
    feeding="Frame",
    named=True,
    columns=(
        ColumnReading(name="age", kind="Numerical"),
        ColumnReading(name="land", kind="Categorical", categories=("DE", "NA")),
    ),
)
MATRIX = ModelReading(
    feeding="Matrix",
    named=False,
    columns=(
        ColumnReading(name="x0", kind="Numerical"),
        ColumnReading(name="x1", kind="Numerical"),
    ),
)
ROWS = [{"age": 41.5, "land": "DE", "y": 1}, {"age": None, "land": "NA", "y": 0}]


def _aligned(path: Path, reading: ModelReading = READING) -> Table:
    return align_samples(read_samples(path), reading, path)


def _parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


WRITERS = {
    "csv": lambda path: path.write_text("y,age,land\n1,41.5,DE\n0,,NA\n"),
    "semicolons": lambda path: path.write_text("y;age;land\n1;41.5;DE\n0;NaN;NA\n"),
    "bom": lambda path: path.write_bytes("\ufeffage,land\n41.5,DE\n,NA\n".encode()),
    "json": lambda path: path.write_text(json.dumps(ROWS)),
    "json lines": lambda path: path.write_text("\n".join(map(json.dumps, ROWS))),
    "parquet": _parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    path = tmp_path / "samples"
    WRITERS[name](path)
    table = _aligned(path)
    assert list(table) == ["age", "land"]
    assert table["age"][0] == 41.5
    assert np.isnan(table["age"][1])
    assert table["land"].tolist() == ["DE", "NA"]  # a category that the model knows, not a hole


def test_a_category_that_looks_like_a_hole_is_one_where_the_model_does_not_know_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("age,land\n1,NULL\n")
    assert _aligned(path)["land"].tolist() == [None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("age\n1\n", ('"land"', "missing", "spec.model.samples"), id="column"),
        pytest.param("age,land\nold,DE\n", ('"age"', "'old'", "row 1", "number"), id="type"),
        pytest.param("", ("empty",), id="empty"),
        pytest.param("age,land\n", ("no rows",), id="no rows"),
        pytest.param("<html></html>", ("HTML",), id="html"),
        pytest.param("[1, 2]", ("JSON",), id="not records"),
        pytest.param("age,land\n1,DE,9\n", ("cannot be read",), id="ragged"),
        pytest.param("PAR1nothing", ("cannot be read",), id="broken parquet"),
    ],
)
def test_what_is_wrong_is_named(content: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(content)
    with pytest.raises(BuildError) as caught:
        _aligned(path)
    assert caught.value.reason == "SamplesInvalid"
    for word in (*words, "samples.csv"):
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("a,b", [1.0, 2.0], id="in order"),
        pytest.param("x1,x0", [2.0, 1.0], id="by name"),
        pytest.param("a,b,last", [1.0, 2.0], id="target last"),
        pytest.param("species,b,c", [2.0, 3.0], id="target by name"),
    ],
)
def test_a_model_without_names_takes_columns_in_order(
    header: str, expected: list[float], tmp_path: Path
) -> None:
    path = tmp_path / "samples.csv"
    values = ",".join(str(place + 1) for place in range(header.count(",") + 1))
    path.write_text(f"{header}\n{values}\n")
    table = _aligned(path, MATRIX)
    assert [table["x0"][0], table["x1"][0]] == expected


def test_too_many_columns_for_a_model_without_names(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("a,b,c,d\n1,2,3,4\n")
    with pytest.raises(BuildError, match="4 columns and the model takes 2"):
        _aligned(path, MATRIX)


def test_a_column_of_which_nothing_is_known_is_typed_by_its_values(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    pd.DataFrame({"n": [1, 2], "t": ["a", None]}).to_csv(path, index=False)
    unknown = ModelReading(
        feeding="Frame", named=True, columns=(ColumnReading(name="n"), ColumnReading(name="t"))
    )
    table = _aligned(path, unknown)
    assert table["n"].tolist() == [1.0, 2.0]
    assert table["t"].tolist() == ["a", None]
