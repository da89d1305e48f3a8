"""Whether the watches still hear: what a fresh list knows, they must have told a moment later.

A watch can go deaf without an error (a load balancer that forgets, a proxy that hangs). A list is
read over a connection of its own; an object that is newer there than anything a watch ever told,
and still is some seconds after, says that nobody is listening.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]


class Hearing:
    """The newest version of each object that a watch told."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        self._gone: set[str] = set()  # told since the last question

    def note(self, obj: Object, *, deleted: bool) -> None:
        """A watch told of an object."""
        uid, version = _read(obj)
        if deleted:
            self._told.pop(uid, None)
            self._gone.add(uid)
        else:
            self._told[uid] = max(version, self._told.get(uid, 0))

    def list_untold(self, objects: Iterable[Object]) -> dict[str, int]:
        """Of a list, the objects that are newer than what the watches told: version by uid."""
        found = dict(map(_read, objects))
        return {uid: version for uid, version in found.items() if version > self._told.get(uid, 0)}

    def is_still_untold(self, untold: Mapping[str, int]) -> bool:
        """Whether some of them were not told since, neither changed nor gone."""
        gone, self._gone = self._gone, set()
        return any(
            version > self._told.get(uid, 0) for uid, version in untold.items() if uid not in gone
        )

    def forget(self) -> None:
        """The watches are begun anew, and will tell everything again."""
        self._told.clear()


def _read(obj: Object) -> tuple[str, int]:
    metadata = obj["metadata"]
    version = str(metadata.get("resourceVersion", ""))
    return str(metadata.get("uid", "")), int(version) if version.isdigit() else 0
