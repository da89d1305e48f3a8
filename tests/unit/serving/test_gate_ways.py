"""The fast way through the gate says "clean" only where the thorough way finds nothing."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving_schema import GOOD, column, gate_of, mixed, schema_of, tensor
from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.gate import Gate
from slipway_runtime.serving.core.policies import Policies
from slipway_runtime.serving.core.rules import apply_rules
from slipway_runtime.serving.core.table import Table, table_from_matrix

TABLE = schema_of(
    [
        tensor("bill", "FP32"),
        tensor("code", "INT64"),
        tensor("island", "BYTES"),
        tensor("z", "FP64"),
    ],
    [
        column("bill", missingAllowed=True, minimum=20.0, maximum=70.0),
        column("code", "Categorical", categories=[1, 2, 3]),
        column("island", "Categorical", categories=["Biscoe", "Dream"]),
        column("z"),
    ],
)  # fmt: skip
MATRIX = schema_of(
    [tensor("X", "FP32", "a", "b", "c")],
    [column("a", minimum=0.0, maximum=1.0), column("b", missingAllowed=True), column("c")],
)

ANY = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5),
    st.sampled_from(["Biscoe", "Dream", 1, 2, 3, 20.0, 70.0, 69.99999999]),
)  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "bill": st.one_of(st.floats(20, 70), ANY),
            "code": st.one_of(st.sampled_from([1, 2, 3]), ANY),
            "island": st.one_of(st.sampled_from(["Biscoe", "Dream"]), ANY),
            "z": st.one_of(st.floats(allow_nan=False, allow_infinity=False), ANY),
        }
    ),
    min_size=1,
    max_size=3,
)


def slow(schema: Any, table: Table, gate: Gate) -> tuple[dict[str, Any], int]:
    arrays, violations = apply_rules(table, schema=schema, policies=Policies())
    return gate._assemble(arrays, table.count), len(violations)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS)
@example(rows=[{"bill": 70.0, "code": 3, "island": "Dream", "z": 1.0}])
def test_what_the_fast_way_accepts_the_slow_way_finds_clean_and_equal(
    rows: list[dict[str, Any]],
) -> None:
    table = Table(count=len(rows), columns={name: [row[name] for row in rows] for name in rows[0]})
    gate = gate_of(TABLE)
    fast = gate._accept(table)
    if fast is None:
        return
    tensors, violations = slow(TABLE, table, gate)
    assert violations == 0
    assert list(fast) == list(tensors)
    for name, array in fast.items():
        assert array.dtype == tensors[name].dtype
        np.testing.assert_array_equal(array, tensors[name])


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(
        st.tuples(st.one_of(st.floats(0, 1), st.floats()), st.floats(), st.floats(width=32)),
        min_size=1,
        max_size=4,
    )
)
def test_the_matrix_way_agrees_with_the_table_way(values: list[tuple[float, ...]]) -> None:
    matrix = np.array(values, dtype=np.float64)
    gate = gate_of(MATRIX)
    try:
        admitted = gate.admit_matrix(matrix)
    except RequestFault:
        admitted = None
    try:
        tensors, violations = slow(MATRIX, table_from_matrix(matrix, ["a", "b", "c"]), gate)
    except RequestFault:
        assert admitted is None
        return
    assert admitted is not None
    assert len(admitted.violations) == violations
    np.testing.assert_array_equal(admitted.tensors["X"], tensors["X"])


def test_a_clean_row_takes_the_fast_way() -> None:
    row = {"bill": [44.0], "code": [1], "island": ["Dream"], "z": [0.5]}
    assert gate_of(TABLE)._accept(Table(count=1, columns=row)) is not None


def test_a_missing_number_that_may_be_missing_takes_the_fast_way() -> None:
    row = {"bill": [None], "code": [1], "island": ["Dream"], "z": [0.5]}
    tensors = gate_of(TABLE)._accept(Table(count=1, columns=row))
    assert tensors is not None
    assert math.isnan(tensors["bill"][0, 0])


def test_bounds_are_compared_before_the_value_is_narrowed() -> None:
    """32.1 as a 32-bit float is below 32.1; it must not count as out of range."""
    schema = schema_of([tensor("v", "FP32")], [column("v", minimum=32.1, maximum=59.6)])
    for value in (32.1, 59.6):
        admitted = gate_of(schema).admit(Table(count=1, columns={"v": [value]}))
        assert admitted.violations == ()


@pytest.mark.parametrize("rows", [1, 7])
def test_tensors_come_in_the_models_order(rows: int) -> None:
    columns = {name: [value] * rows for name, value in reversed(GOOD.items())}
    admitted = gate_of(mixed()).admit(Table(count=rows, columns=columns))
    assert list(admitted.tensors) == ["bill", "mass", "island", "year", "tagged", "note"]
