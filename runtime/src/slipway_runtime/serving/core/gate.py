"""The gate in front of the model: clean requests pass in microseconds, all others are explained.

The fast way only ever says "plainly clean"; whatever it does not accept goes through `rules`, so a
clean request gives the same tensors on both ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import datatypes
from .faults import Violation
from .policies import Policies
from .reading import canonical_dtype
from .rules import apply_rules
from .schema import ModelSchema, TensorSpec
from .table import Table, table_from_matrix

Tensors = dict[str, npt.NDArray[Any]]


class Admitted(NamedTuple):
    """Checked inputs for the model, and what was not as it should be."""

    tensors: Tensors
    rows: int
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    """All columns of one number type: their bounds as arrays of shape (columns, 1)."""

    names: tuple[str, ...]
    types: frozenset[type]
    canonical: Any
    dtype: Any
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    nullable: npt.NDArray[np.bool_] | None
    categories: tuple[tuple[int, frozenset[Any]], ...]
    tensors: tuple[tuple[TensorSpec, int, int], ...]

    def is_clean(self, block: npt.NDArray[Any]) -> bool:
        """Whether every value of `block` (columns, rows) is finite and within its bounds."""
        good = (block >= self.low) & (block <= self.high)
        if good.all():
            return True
        return self.nullable is not None and bool((good | (np.isnan(block) & self.nullable)).all())


class Gate:
    """Checks requests of one model against its contract.

    Args:
        schema: what the model takes.
        policies: what to do when a rule is broken.
        missing_text: what the model reads for a missing text ("" for ONNX; None: missing).
    """

    def __init__(
        self, schema: ModelSchema, policies: Policies, *, missing_text: str | None
    ) -> None:
        self._schema = schema
        self._policies = policies
        self._missing_text = missing_text
        self._width = len(schema.columns)
        self._numbers = tuple(
            _compile_numbers(schema, datatype)
            for datatype in dict.fromkeys(c.datatype for c in schema.columns if c.is_number)
        )
        self._texts = tuple(
            (column.name, None if column.categories is None else frozenset(column.categories))
            for column in schema.columns
            if column.datatype == "BYTES"
        )
        self._has_booleans = any(column.datatype == "BOOL" for column in schema.columns)
        single = schema.inputs[0]
        self._matrix = (
            self._numbers[0]
            if len(schema.inputs) == 1 and len(single.shape) == 2 and self._numbers
            else None
        )

    @property
    def matrix_bounds(self) -> tuple[tuple[float, float], ...] | None:
        """(lowest, highest) clean value of each column; None where more than that decides."""
        if self._matrix is None or self._matrix.categories:
            return None
        low, high = self._matrix.low.ravel().tolist(), self._matrix.high.ravel().tolist()
        return tuple(zip(low, high, strict=True))

    def admit(self, table: Table) -> Admitted:
        """Check a table.

        Raises:
            RequestFault: ContractViolated.
        """
        tensors = self._accept(table)
        if tensors is not None:
            return Admitted(tensors, table.count)
        arrays, violations = apply_rules(table, schema=self._schema, policies=self._policies)
        return Admitted(self._assemble(arrays, table.count), table.count, violations)

    def admit_matrix(self, matrix: npt.NDArray[Any]) -> Admitted:
        """Check the only input, given as an array of shape (rows, columns) of numbers.

        Raises:
            RequestFault: ContractViolated.
        """
        numbers = self._matrix
        if (
            numbers is not None
            and not numbers.categories
            and matrix.dtype == numbers.canonical
            and numbers.is_clean(matrix.T)
        ):
            name = self._schema.inputs[0].name
            return Admitted({name: matrix.astype(numbers.dtype, copy=False)}, matrix.shape[0])
        return self.admit(table_from_matrix(matrix, self._schema.inputs[0].columns))

    def _accept(self, table: Table) -> Tensors | None:
        """The tensors, when the table is plainly clean."""
        columns = table.columns
        if table.is_text or len(columns) != self._width or self._has_booleans:
            return None
        tensors: Tensors = {}
        try:
            is_clean = all(
                self._accept_numbers(numbers, columns, tensors) for numbers in self._numbers
            ) and all(_is_clean_text(columns[name], known) for name, known in self._texts)
        except (KeyError, TypeError, OverflowError):
            return None
        if not is_clean:
            return None
        if self._texts:
            self._fill_texts(tensors, columns, table.count)
        if len(self._schema.inputs) > 1:  # in the model's order
            return {tensor.name: tensors[tensor.name] for tensor in self._schema.inputs}
        return tensors

    @staticmethod
    def _accept_numbers(numbers: _Numbers, columns: Mapping[str, Any], tensors: Tensors) -> bool:
        values = [columns[name] for name in numbers.names]
        if not numbers.types.issuperset(map(type, chain.from_iterable(values))):
            return False
        if not all(known.issuperset(values[at]) for at, known in numbers.categories):
            return False
        block = np.array(values, dtype=numbers.canonical)
        if not numbers.is_clean(block):
            return False
        _fill(tensors, numbers, block.astype(numbers.dtype, copy=False))
        return True

    def _fill_texts(self, tensors: Tensors, columns: Mapping[str, Any], count: int) -> None:
        for tensor in self._schema.inputs:
            if tensor.datatype == "BYTES":
                array = np.empty((count, len(tensor.columns)), dtype=object)
                for at, name in enumerate(tensor.columns):
                    array[:, at] = columns[name]
                tensors[tensor.name] = array if len(tensor.shape) > 1 else array.reshape(-1)

    def _assemble(self, arrays: Mapping[str, npt.NDArray[Any]], count: int) -> Tensors:
        """Put checked columns together as the model's inputs."""
        tensors: Tensors = {}
        for tensor in self._schema.inputs:
            array = np.empty((count, len(tensor.columns)), dtype=datatypes.NUMPY[tensor.datatype])
            for at, name in enumerate(tensor.columns):
                array[:, at] = arrays[name]
            if tensor.datatype == "BYTES" and self._missing_text is not None:
                array[array == None] = self._missing_text  # noqa: E711 element by element
            tensors[tensor.name] = array if len(tensor.shape) > 1 else array.reshape(-1)
        return tensors


_ALL_TEXT = frozenset({str})


def _is_clean_text(items: Any, categories: frozenset[Any] | None) -> bool:
    if not _ALL_TEXT.issuperset(map(type, items)):
        return False
    return categories is None or categories.issuperset(items)


def _fill(tensors: Tensors, numbers: _Numbers, block: npt.NDArray[Any]) -> None:
    """Cut `block` (columns, rows) into the model's tensors."""
    for tensor, start, stop in numbers.tensors:
        if stop - start == 1:
            row = block[start]
            tensors[tensor.name] = row.reshape(-1, 1) if len(tensor.shape) > 1 else row
        else:
            tensors[tensor.name] = np.ascontiguousarray(block[start:stop].T)


def _compile_numbers(schema: ModelSchema, datatype: str) -> _Numbers:
    specs = [column for column in schema.columns if column.datatype == datatype]
    low, high = datatypes.limits_of(datatype)
    is_float = datatype in datatypes.FLOATS
    nullable = np.array([[spec.missing_allowed] for spec in specs])
    tensors: list[tuple[TensorSpec, int, int]] = []
    start = 0
    for tensor in schema.inputs:
        if tensor.datatype == datatype and tensor.columns:
            tensors.append((tensor, start, start + len(tensor.columns)))
            start += len(tensor.columns)
    return _Numbers(
        names=tuple(spec.name for spec in specs),
        types=frozenset({int, float, type(None)} if is_float else {int}),
        canonical=canonical_dtype(datatype),
        dtype=datatypes.NUMPY[datatype],
        low=_bounds([spec.minimum for spec in specs], low, np.maximum),
        high=_bounds([spec.maximum for spec in specs], high, np.minimum),
        nullable=nullable if is_float and nullable.any() else None,
        categories=tuple(
            (at, frozenset(spec.categories))
            for at, spec in enumerate(specs)
            if spec.categories is not None
        ),
        tensors=tuple(tensors),
    )


def _bounds(stated: list[float | None], limit: float, tighter: Any) -> npt.NDArray[np.float64]:
    values = [[limit if value is None else value] for value in stated]
    return np.asarray(tighter(np.array(values, dtype=np.float64), limit))
