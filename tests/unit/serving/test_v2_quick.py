"""What the quick way of reading V2 accepts, the thorough way finds clean and equal."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving_schema import column, gate_of, schema_of, tensor
from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.gate import Admitted
from slipway_runtime.serving.core.schema import ModelSchema
from slipway_runtime.serving.v2 import V2Codec, decode_request, select_outputs
from slipway_runtime.serving.v2_quick import QuickReader

LIMIT = 4
SCHEMAS = {
    datatype: schema_of(
        [tensor("X", datatype, "a", "b", "c")],
        [column("a", minimum=0.1, maximum=1.0), column("b", missingAllowed=True), column("c")],
    )
    for datatype in ("FP16", "FP32", "FP64")
}


def request(data: Any, shape: Any, **parts: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "X", "datatype": "FP32", "shape": shape, "data": data}], **parts}


def quickly(schema: ModelSchema, body: bytes) -> tuple[str | None, Admitted] | None:
    return QuickReader(schema, gate_of(schema), max_rows=LIMIT).read(body)


def thoroughly(schema: ModelSchema, body: bytes) -> tuple[str | None, Any, Admitted]:
    asked = decode_request(body)
    wanted = select_outputs(asked, schema)
    return asked.id, wanted, V2Codec(schema, gate_of(schema), max_rows=LIMIT).admit(asked)


CLEAN = st.one_of(st.floats(0.1, 1.0), st.sampled_from([0.1, 1, 1.0]))
ANY = st.one_of(
    CLEAN, st.integers(-(2**70), 2**70), st.floats(), st.none(), st.booleans(), st.text(max_size=2),
    st.sampled_from([65504, 65504.1, 65520, 1e38, 3.5e38, -0.0, 2**53 + 1, 1e-320]),
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    rows = draw(st.integers(0, LIMIT + 1))
    width = draw(st.sampled_from([3, 3, 3, 2]))
    value = draw(st.sampled_from([CLEAN, ANY]))
    data: Any = draw(st.lists(value, min_size=rows * width, max_size=rows * width))
    if draw(st.integers(0, 9)) == 0:
        data = data[1:]
    if draw(st.integers(0, 5)) == 0:
        data = [data[at * width : (at + 1) * width] for at in range(rows)]
    shape = draw(st.sampled_from([[rows, width], [rows, width], [-rows, width], [rows * width]]))
    document = request(data, shape)
    (only,) = document["inputs"]
    only["datatype"] = draw(st.sampled_from(["FP32", "FP32", "FP64", "INT64", "BYTES", "BOOL"]))
    only["name"] = draw(st.sampled_from(["X", "X", "X", "Y"]))
    for target in (document, only):
        if draw(st.integers(0, 5)) == 0:
            target["parameters"] = {"a": 1}
    extra: dict[str, Any] = draw(
        st.sampled_from([{}, {"id": "7"}, {"id": None}, {"id": 7}, {"outputs": []}, {"inputs": []}])
    )
    return json.dumps(document | extra).encode()


@settings(max_examples=400, deadline=None)
@given(body=bodies(), datatype=st.sampled_from(sorted(SCHEMAS)))
@example(body=json.dumps(request([0.1, 2**53 + 1, 0.3], [1, 3])).encode(), datatype="FP64")
@example(body=json.dumps(request([0.1, -0.0, 10**25], [1, 3])).encode(), datatype="FP64")
def test_what_the_quick_way_accepts_the_thorough_way_finds_clean_and_equal(
    body: bytes, datatype: str
) -> None:
    schema = SCHEMAS[datatype]
    quick = quickly(schema, body)
    if quick is None:
        return
    identity, wanted, admitted = thoroughly(schema, body)
    assert (quick[0], None) == (identity, wanted)
    assert (quick[1].rows, quick[1].violations) == (admitted.rows, admitted.violations)
    assert quick[1].tensors.keys() == admitted.tensors.keys()
    assert quick[1].tensors["X"].dtype == admitted.tensors["X"].dtype
    np.testing.assert_array_equal(quick[1].tensors["X"], admitted.tensors["X"])


@pytest.mark.parametrize("rows", [1, LIMIT])
def test_a_clean_matrix_takes_the_quick_way(rows: int) -> None:
    body = json.dumps(request([0.5, -7, 1e9] * rows, [rows, 3], id="a")).encode()
    quick = quickly(SCHEMAS["FP32"], body)
    assert quick is not None
    assert (quick[0], quick[1].rows) == ("a", rows)


def test_more_values_than_python_compares_well_go_the_thorough_way() -> None:
    schema = SCHEMAS["FP32"]
    body = json.dumps(request([0.5, 0.5, 0.5] * 30, [30, 3])).encode()
    assert QuickReader(schema, gate_of(schema), max_rows=99).read(body) is None


OTHERS = {
    "a category of numbers": schema_of(
        [tensor("X", "FP32", "a", "b", "c")],
        [column("a", "Categorical", categories=[0.5]), column("b"), column("c")],
    ),
    "integers": schema_of(
        [tensor("X", "INT64", "a", "b", "c")], [column("a"), column("b"), column("c")]
    ),
    "two inputs": schema_of([tensor("X", "FP32"), tensor("y", "FP32")], [column("X"), column("y")]),
    "texts": schema_of([tensor("X", "BYTES")], [column("X", "Text")]),
}


@pytest.mark.parametrize("schema", OTHERS.values(), ids=OTHERS.keys())
def test_other_models_go_the_thorough_way(schema: ModelSchema) -> None:
    width = len(schema.inputs[0].columns)
    body = json.dumps(request([0.5] * width, [1, width])).encode()
    assert quickly(schema, body) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b"null"])
def test_what_is_no_request_is_left_to_the_thorough_way_to_refuse(body: bytes) -> None:
    assert quickly(SCHEMAS["FP32"], body) is None
    with pytest.raises(RequestFault):
        thoroughly(SCHEMAS["FP32"], body)
