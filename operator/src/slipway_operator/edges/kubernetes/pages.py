"""A page of a list, of which only those items are read that are not known yet."""

from typing import Any

import msgspec


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """What tells one state of an object from another."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""

    @property
    def version(self) -> int:
        """The resourceVersion; 0 where there is none that can be compared."""
        return int(self.resource_version) if self.resource_version.isdecimal() else 0


class _Head(msgspec.Struct, frozen=True):
    metadata: Metadata


class _Whole(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct, frozen=True):
    """Its items as they came; `metadata` is the list's."""

    metadata: _Whole
    items: tuple[msgspec.Raw, ...]


def parse_page(content: bytes) -> Page:
    """The page of an answer.

    Raises:
        msgspec.MsgspecError: it is no list.
    """
    return msgspec.json.decode(content, type=Page)


def read_metadata(item: msgspec.Raw) -> Metadata:
    """Which state of which object an item is."""
    return msgspec.json.decode(item, type=_Head).metadata


def read_item(item: msgspec.Raw, *, api_version: str, kind: str) -> dict[str, Any]:
    """The object; a list tells once for all what its items are."""
    return {"apiVersion": api_version, "kind": kind, **msgspec.json.decode(item)}
