"""Where a request came from, told by the headers that the route sets."""

from typing import Any

from slipway_runtime.contract import (
    HEADER_FORCED,
    HEADER_REVISION,
    SOURCE_DIRECT,
    SOURCE_FORCED,
    SOURCE_MIRROR,
    SOURCE_ROUTE,
)

SOURCES = (SOURCE_ROUTE, SOURCE_MIRROR, SOURCE_FORCED, SOURCE_DIRECT)


def find_source(headers: Any, revision: str) -> str:
    """The source of a request to `revision`: one of SOURCES.

    A copy carries the revision that answers the user, as the route wrote it before it copied.
    """
    if headers.get(HEADER_FORCED) == "1":
        return SOURCE_FORCED
    chosen = headers.get(HEADER_REVISION)
    if chosen is None:
        return SOURCE_DIRECT
    return SOURCE_ROUTE if chosen == revision else SOURCE_MIRROR
