"""What the served model takes and gives, compiled once from the manifest's JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import datatypes
from .faults import ModelInvalid

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """One column that the model reads; `categories` and `default` are in the column's own type."""

    name: str
    datatype: str
    kind: str
    missing_allowed: bool
    categories: tuple[Scalar, ...] | None
    minimum: float | None
    maximum: float | None
    default: Scalar

    @property
    def is_number(self) -> bool:
        """Whether the model reads this column as a number."""
        return self.datatype in datatypes.NUMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One tensor of the model; -1 in `shape` is a variable dimension, rows come first.

    `columns` is empty for a tensor that is no table (an image, a sequence).
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    columns: tuple[str, ...] = ()
    role: str = ""
    classes: tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSchema:
    """Inputs, outputs and the columns behind the inputs, in the model's order."""

    name: str
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    columns: tuple[ColumnSpec, ...]
    ignored: frozenset[str]

    @property
    def is_table(self) -> bool:
        """Whether every input is made of named columns, so that rows can be given."""
        return bool(self.columns)


def compile_schema(manifest: Mapping[str, Any]) -> ModelSchema:
    """Compile a manifest (docs/wire.md, as JSON values).

    Raises:
        ModelInvalid: inputs are partly tables and partly tensors, or a column is read twice.
    """
    told = {column["name"]: column for column in manifest["contract"]["columns"]}
    inputs = tuple(_tensor(entry) for entry in manifest["signature"]["inputs"])
    tables = [tensor for tensor in inputs if tensor.columns]
    if tables and len(tables) != len(inputs):
        raise ModelInvalid(
            f'Cannot serve model "{manifest["name"]}": some inputs have columns and some have none.'
        )
    columns = tuple(
        _column(name, tensor.datatype, told.get(name))
        for tensor in tables
        for name in tensor.columns
    )
    names = {column.name for column in columns}
    if len(names) != len(columns):
        raise ModelInvalid(
            f'Cannot serve model "{manifest["name"]}": two inputs read the same column.'
        )
    return ModelSchema(
        name=manifest["name"],
        platform="onnxruntime" if manifest["runtime"] == "ONNX" else "native",
        inputs=inputs,
        outputs=tuple(_tensor(entry) for entry in manifest["signature"]["outputs"]),
        columns=columns,
        ignored=frozenset(told) - names,
    )


def _tensor(entry: Mapping[str, Any]) -> TensorSpec:
    classes = entry.get("classes")
    return TensorSpec(
        name=entry["name"],
        datatype=entry["datatype"],
        shape=tuple(entry["shape"]),
        columns=tuple(entry.get("columns", ())),
        role=entry.get("role", ""),
        classes=None if classes is None else tuple(classes),
    )


def _column(name: str, datatype: str, told: Mapping[str, Any] | None) -> ColumnSpec:
    if told is None:  # nothing is known: only the datatype can be checked
        kind = "Text" if datatype == "BYTES" else "Numerical"
        told = {"kind": kind, "missingAllowed": datatype in datatypes.FLOATS}
    categories = told.get("categories")
    missing_is_category = categories is not None and None in categories
    return ColumnSpec(
        name=name,
        datatype=datatype,
        kind=told["kind"],
        # an integer or a boolean has no bit pattern for "missing"
        missing_allowed=(told["missingAllowed"] or missing_is_category)
        and (datatype in datatypes.FLOATS or datatype == "BYTES"),
        categories=None if categories is None else _typed(categories, datatype),
        minimum=told.get("minimum"),
        maximum=told.get("maximum"),
        default=told.get("default"),
    )


def _typed(categories: tuple[Scalar, ...], datatype: str) -> tuple[Scalar, ...]:
    """Categories in the column's own type, without the missing one."""
    present = [value for value in categories if value is not None]
    if datatype == "BYTES":
        return tuple(value if isinstance(value, str) else str(value) for value in present)
    if datatype == "BOOL":
        return tuple(bool(value) for value in present)
    return tuple(float(value) for value in present)
