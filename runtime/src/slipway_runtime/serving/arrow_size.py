"""What an Arrow IPC stream would unpack to, read from its messages before anything is unpacked.

A compressed buffer begins with its unpacked length (Arrow's Message.fbs, BodyCompression); pyarrow
allocates that much without asking. The messages are flatbuffers, read here by slot number.
"""

import struct
from typing import Any

from flatbuffers.number_types import Int64Flags, Uint8Flags, UOffsetTFlags
from flatbuffers.table import Table

_RECORD_BATCH, _DICTIONARY_BATCH = 3, 2
# slots of Message, DictionaryBatch and RecordBatch
_HEADER_TYPE, _HEADER = 6, 8
_DATA = 6
_LENGTH, _BUFFERS, _COMPRESSION = 4, 8, 10
_BUFFER_BYTES = 16  # offset and length


def measure_arrow(source: Any) -> tuple[int, int]:
    """Rows in all record batches, and the bytes that all compressed buffers unpack to.

    Args:
        source: a `pyarrow.Buffer` in the streaming format.

    Raises:
        ValueError: the messages make no sense.
        pyarrow.ArrowException: they cannot be read at all.
    """
    import pyarrow as pa

    rows = unpacked = 0
    for message in pa.ipc.MessageReader.open_stream(source):
        try:
            batch, is_record = _find_batch(message.metadata.to_pybytes())
            if batch is None:
                continue
            rows += _read_length(batch) if is_record else 0
            unpacked += _read_unpacked(batch, memoryview(message.body or b""))
        except (struct.error, LookupError, TypeError, OverflowError) as error:
            raise ValueError("the Arrow messages make no sense") from error
    return rows, unpacked


def _find_batch(metadata: bytes) -> tuple[Table | None, bool]:
    root = Table(metadata, struct.unpack_from("<I", metadata)[0])
    at = root.Offset(_HEADER_TYPE)
    kind = root.Get(Uint8Flags, root.Pos + at) if at else 0
    header = _table(root, _HEADER)
    if header is None or kind not in (_RECORD_BATCH, _DICTIONARY_BATCH):
        return None, False
    return (header, True) if kind == _RECORD_BATCH else (_table(header, _DATA), False)


def _table(parent: Table, slot: int) -> Table | None:
    at = parent.Offset(slot)
    return Table(parent.Bytes, parent.Indirect(parent.Pos + at)) if at else None


def _read_length(batch: Table) -> int:
    at = batch.Offset(_LENGTH)
    length = int(batch.Get(Int64Flags, batch.Pos + at)) if at else 0
    if length < 0:
        raise ValueError("a record batch of negative length")
    return length


def _read_unpacked(batch: Table, body: memoryview) -> int:
    at = batch.Offset(_BUFFERS)
    if not at or not batch.Offset(_COMPRESSION):
        return 0
    total = 0
    start = batch.Vector(at)
    count = batch.Get(UOffsetTFlags, start - 4)
    for position in range(count):
        offset, length = struct.unpack_from("<qq", batch.Bytes, start + position * _BUFFER_BYTES)
        if length:
            (size,) = struct.unpack_from("<q", body, offset)
            total += max(0, size)  # -1: this buffer is not compressed
    return total
