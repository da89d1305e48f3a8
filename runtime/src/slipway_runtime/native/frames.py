"""What server and model worker say to each other: length-prefixed msgpack over a socketpair.

Both ends read the other's frames strictly; for the server the worker is hostile. Needs no training
framework and never unpickles.
"""

import math
import socket
import struct
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from slipway_runtime.serving.core.datatypes import NUMPY

MAX_FRAME_BYTES = 1 << 30
_LENGTH = struct.Struct(">I")
_ITEMS = {dtype.str: dtype for dtype in NUMPY.values() if dtype.kind != "O"}


class Closed(Exception):
    """The other end is gone, or sent no frame."""


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """An array: raw bytes with a numpy type, or texts (None: missing)."""

    name: str
    shape: tuple[int, ...]
    dtype: str | None = None
    data: bytes = b""
    texts: tuple[str | None, ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Rows for the model."""

    number: int
    tensors: tuple[Tensor, ...]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs for the request of the same number; number 0 says that the model is loaded."""

    number: int
    tensors: tuple[Tensor, ...] = ()
    error: str | None = None
    is_fatal: bool = False


_Message = TypeVar("_Message", bound=msgspec.Struct)


def pack(name: str, array: npt.NDArray[Any]) -> Tensor:
    """An array as a tensor."""
    if array.dtype.kind == "O":
        return Tensor(name=name, shape=array.shape, texts=tuple(array.ravel().tolist()))
    array = np.ascontiguousarray(array)
    if array.dtype.str not in _ITEMS:  # numpy's long long is int64 by another name
        array = array.astype(np.dtype(f"{array.dtype.kind}{array.dtype.itemsize}"))
    return Tensor(name=name, shape=array.shape, dtype=array.dtype.str, data=array.tobytes())


def unpack(tensor: Tensor) -> npt.NDArray[Any]:
    """A tensor as an array.

    Raises:
        ValueError: shape, type and content do not go together.
    """
    if any(size < 0 for size in tensor.shape):
        raise ValueError("a negative size")
    count = math.prod(tensor.shape)
    if tensor.dtype is None:
        if len(tensor.texts) != count:
            raise ValueError("texts do not fill the shape")
        array = np.empty(count, dtype=object)
        array[:] = tensor.texts
        return array.reshape(tensor.shape)
    dtype = _ITEMS.get(tensor.dtype)
    if dtype is None or len(tensor.data) != count * dtype.itemsize:
        raise ValueError("data does not fill the shape")
    return np.frombuffer(tensor.data, dtype=dtype).reshape(tensor.shape)


def send(channel: socket.socket, message: msgspec.Struct) -> None:
    """Write one frame.

    Raises:
        Closed, TimeoutError
    """
    body = msgspec.msgpack.encode(message)
    try:
        channel.sendall(_LENGTH.pack(len(body)) + body)
    except TimeoutError:
        raise
    except OSError as error:
        raise Closed(str(error)) from error


def receive(channel: socket.socket, kind: type[_Message]) -> _Message:
    """Read one frame of this kind.

    Raises:
        Closed, TimeoutError
    """
    body = _receive(channel)
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Closed("not a frame") from error


def _receive(channel: socket.socket) -> bytes:
    (length,) = _LENGTH.unpack(_receive_exactly(channel, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise Closed("a frame that is too long")
    return _receive_exactly(channel, length)


def _receive_exactly(channel: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        try:
            chunk = channel.recv(min(1 << 20, count - len(received)))
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from error
        if not chunk:
            raise Closed("the other end closed")
        received += chunk
    return bytes(received)
