"""Puts pickles together by hand, opcode by opcode: also those that no pickler would write."""

import struct
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ref:
    """`module.name`, to be imported."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """`function(*arguments)`, to be called while the pickle is opened."""

    function: Any
    arguments: tuple[Any, ...] = ()


def call(path: str, *arguments: Any) -> Call:
    """Call `module:name`."""
    module, _, name = path.partition(":")
    return Call(Ref(module, name), arguments)


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def encode(value: Any) -> bytes:  # noqa: C901  one case a type
    """A value's opcodes, protocol 4."""
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case str():
            return text(value)
        case bytes():
            return b"B" + struct.pack("<I", len(value)) + value
        case tuple():
            return b"(" + b"".join(map(encode, value)) + b"t"
        case list():
            return b"](" + b"".join(map(encode, value)) + b"e"
        case dict():
            pairs = b"".join(encode(key) + encode(one) for key, one in value.items())
            return b"}(" + pairs + b"u"
        case Ref():
            return text(value.module) + text(value.name) + b"\x93"
        case Call():
            return encode(value.function) + encode(value.arguments) + b"R"
    raise TypeError(type(value))


def assemble(*parts: Any, protocol: int = 4) -> bytes:
    """A whole pickle; bytes are taken as opcodes, anything else is encoded."""
    body = b"".join(part if isinstance(part, bytes) else encode(part) for part in parts)
    return b"\x80" + bytes([protocol]) + body + b"."
