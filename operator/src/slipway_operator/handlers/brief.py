"""Lists as Kopf gets them: which objects there are, and in which state; nothing else of them.

Kopf begins each watch by a list and keeps every object of it until it was told: at a thousand
models that were hundreds of megabytes, of objects that this operator lists by itself as well.
"""

from typing import Any

import aiohttp
import msgspec

_FIRST_ERROR = 400


class _Told(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None


class _Item(msgspec.Struct):
    metadata: _Told


class _Listing(msgspec.Struct, rename="camel", omit_defaults=True):
    kind: str = ""
    api_version: str = ""
    metadata: dict[str, Any] = {}
    items: list[_Item] | msgspec.UnsetType = msgspec.UNSET


class BriefResponse(aiohttp.ClientResponse):
    """An answer whose JSON, where it is a list, is brief."""

    async def json(self, **options: Any) -> Any:
        """What was answered."""
        if self.status >= _FIRST_ERROR:
            return await super().json(**options)
        return read_briefly(await self.read())


def read_briefly(content: bytes) -> Any:
    """A list's items by their names, uids, versions and labels alone; whatever else as it is.

    Raises:
        msgspec.MsgspecError: it is no JSON, or a list whose items are no objects of Kubernetes.
    """
    listing = msgspec.json.decode(content, type=_Listing)
    if listing.items is msgspec.UNSET:
        return msgspec.json.decode(content)
    return msgspec.to_builtins(listing)
