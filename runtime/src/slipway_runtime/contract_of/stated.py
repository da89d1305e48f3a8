"""What an MLflow directory states of the columns, added where the model itself is silent."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from slipway_runtime.artifact.manifest import Kind
from slipway_runtime.artifact.mlflow_model import StatedColumn
from slipway_runtime.contract_of.read import merge_samples
from slipway_runtime.contract_of.reading import ColumnReading, ModelReading, Table
from slipway_runtime.contract_of.samples import align_samples
from slipway_runtime.errors import BuildError

_KINDS: Mapping[str, Kind] = {
    "boolean": "Boolean", "integer": "Numerical", "long": "Numerical", "float": "Numerical",
    "double": "Numerical", "string": "Categorical",
}  # fmt: skip


def state_columns(reading: ModelReading, stated: tuple[StatedColumn, ...]) -> ModelReading:
    """Take kinds, and that a value may be missing, from the signature."""
    by_name = {column.name: column for column in stated}
    return reading.with_columns(
        tuple(_state(column, by_name.get(column.name)) for column in reading.columns)
    )


def _state(column: ColumnReading, stated: StatedColumn | None) -> ColumnReading:
    if stated is None:
        return column
    kind = column.kind or _KINDS.get(stated.type)
    return replace(column, kind=kind, missing_taken=column.missing_taken or not stated.required)


def use_example(
    reading: ModelReading, example: dict[str, list[object]] | None
) -> tuple[ModelReading, Table | None]:
    """Take the input example for rows to compare on; one that does not fit the model is none."""
    if example is None:
        return reading, None
    try:
        rows = align_samples(example, reading, Path("input_example.json"))
    except BuildError:
        return reading, None
    return merge_samples(reading, rows, typical=False), rows
