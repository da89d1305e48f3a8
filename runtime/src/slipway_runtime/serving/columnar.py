"""Parquet and Arrow bodies as columns. pyarrow is imported on the first such request only.

Everything that a small body could unpack to is bounded before it is unpacked.
"""

import io
from typing import Any

from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.table import Table, check_count

_ARROW_MAGIC = b"ARROW1\0\0"
_EXPANSION = 64  # a body may unpack to this many times the limit on bodies


def table_from_parquet(body: bytes, *, limit: int, max_bytes: int) -> Table:
    """Read a Parquet file.

    Raises:
        RequestFault: not Parquet, nested columns, too many rows, or it would unpack to too much.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.ParquetFile(io.BytesIO(body)).metadata
        check_count(metadata.num_rows, limit)
        groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > _EXPANSION * max_bytes:
            raise RequestFault("BodyTooLarge", "The Parquet file unpacks to too much.")
        schema = metadata.schema.to_arrow_schema()
        texts = [
            field.name
            for field in schema
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        ]
        file = pq.ParquetFile(io.BytesIO(body), read_dictionary=texts)
        return _columns(file.read(use_threads=False), limit)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable("Parquet") from error


def table_from_arrow(body: bytes, *, limit: int, max_bytes: int) -> Table:
    """Read an Arrow IPC stream or file (a file holds a stream between its magic and its footer).

    Raises:
        RequestFault: not Arrow, nested columns, too many rows, or it would unpack to too much.
    """
    import pyarrow as pa

    from slipway_runtime.serving.arrow_size import measure_arrow

    try:
        source = pa.py_buffer(body)
        if body.startswith(_ARROW_MAGIC):
            source = source.slice(len(_ARROW_MAGIC))
        rows, unpacked = measure_arrow(source)
        check_count(rows, limit)
        if unpacked > _EXPANSION * max_bytes:
            raise RequestFault("BodyTooLarge", "The Arrow data unpacks to too much.")
        table = pa.ipc.open_stream(source).read_all()
        table.validate(full=True)  # offsets and indices are a stranger's: they may point anywhere
        return _columns(table, limit)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable("Arrow") from error


def _unreadable(what: str) -> RequestFault:
    return RequestFault("BodyUnreadable", f"The body is no readable {what} data.")


def _columns(table: Any, limit: int) -> Table:
    import pyarrow as pa

    check_count(table.num_rows, limit)
    columns: dict[str, Any] = {}
    for field, chunked in zip(table.schema, table.columns, strict=True):
        if field.name in columns:
            raise RequestFault("BodyUnreadable", f'Column "{field.name[:64]}" is there twice.')
        if pa.types.is_nested(field.type):
            raise RequestFault(
                "BodyUnreadable", f'Column "{field.name[:64]}" is nested; give plain columns.'
            )
        if pa.types.is_dictionary(field.type):
            values = [
                None if index is None else words[index]
                for chunk in chunked.chunks
                for words in (chunk.dictionary.to_pylist(),)
                for index in chunk.indices.to_pylist()
            ]
            columns[field.name] = values
        elif pa.types.is_floating(field.type):
            columns[field.name] = chunked.to_numpy()
        else:
            columns[field.name] = chunked.to_pylist()
    return Table(count=table.num_rows, columns=columns)
