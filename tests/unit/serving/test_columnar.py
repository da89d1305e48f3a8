"""Arrow bodies are bounded before they are unpacked, and read alike in all their forms."""

import contextlib
import io
import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slipway_runtime.serving.arrow_size import measure_arrow
from slipway_runtime.serving.columnar import table_from_arrow
from slipway_runtime.serving.core.faults import RequestFault

ROWS = pa.table(
    {
        "a": [1.5, None, 3.0],
        "island": pa.array(["Dream", "Biscoe", "Dream"]).dictionary_encode(),
        "n": [1, 2, 3],
    }
)


def written(table: Any, *, is_file: bool = False, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    make = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as out:
        out.write_table(table)
    return sink.getvalue()


def read(body: bytes, limit: int = 100, max_bytes: int = 1 << 20) -> Any:
    return table_from_arrow(body, limit=limit, max_bytes=max_bytes)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("is_file", [False, True])
def test_every_form_of_arrow_gives_the_same_columns(is_file: bool, compression: str | None) -> None:
    table = read(written(ROWS, is_file=is_file, compression=compression))
    assert table.count == 3
    assert table.columns["island"] == ["Dream", "Biscoe", "Dream"]
    assert table.columns["n"] == [1, 2, 3]


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize(
    "values", [pa.array(["x" * 50_000_000]), pa.array(["x" * 50_000_000]).dictionary_encode()]
)
def test_what_would_unpack_to_too_much_is_refused_packed(values: Any, is_file: bool) -> None:
    body = written(pa.table({"text": values}), is_file=is_file, compression="zstd")
    assert len(body) < 64 << 10
    before = pa.total_allocated_bytes()
    with pytest.raises(RequestFault) as refused:
        read(body, max_bytes=64 << 10)
    assert refused.value.reason == "BodyTooLarge"
    assert pa.total_allocated_bytes() - before < 1 << 20
    assert pa.default_memory_pool().bytes_allocated() - before < 1 << 20


def test_rows_are_counted_before_they_are_read() -> None:
    body = written(pa.table({"a": [0.0] * 1000}), compression="lz4")
    with pytest.raises(RequestFault) as refused:
        read(body, limit=999)
    assert refused.value.reason == "TooManyRows"


def test_a_buffer_that_claims_to_be_huge_is_refused() -> None:
    body = written(pa.table({"a": [0.0] * 1000}), compression="lz4")
    claim = struct.pack("<q", 8000)
    assert body.count(claim) >= 1
    with pytest.raises(RequestFault) as refused:
        read(body.replace(claim, struct.pack("<q", 1 << 60)), limit=1000)
    assert refused.value.reason == "BodyTooLarge"


def test_the_measure_is_what_the_buffers_unpack_to() -> None:
    table = pa.table({"a": [float(value % 7) for value in range(1000)]})
    assert measure_arrow(pa.py_buffer(written(table))) == (1000, 0)
    assert measure_arrow(pa.py_buffer(written(table, compression="zstd"))) == (1000, 8000)


@settings(max_examples=300, deadline=None)
@example(where=1754, value=0, cut=0, is_file=True, compression=None)
@example(where=1755, value=255, cut=0, is_file=True, compression=None)
@given(
    where=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 3000),
    is_file=st.booleans(), compression=st.sampled_from([None, "lz4", "zstd"]),
)  # fmt: skip
def test_a_spoiled_body_is_refused_or_read_never_a_crash(
    where: int, value: int, cut: int, is_file: bool, compression: str | None
) -> None:
    body = bytearray(written(ROWS, is_file=is_file, compression=compression))
    body[where % len(body)] = value
    with contextlib.suppress(RequestFault):
        assert read(bytes(body[: max(1, len(body) - cut)])).count > 0
