"""Whether the watches still hear: what was written or listed must also be told by a watch.

A watch may go silent without closing. Nothing is written to find that out: every write of ours and
every list of the minute names states that the watches must have told within seconds. Times are
arguments.
"""

from collections.abc import Collection, Mapping
from typing import Any

from slipway_operator.edges.kubernetes.mirror import read_version

Object = Mapping[str, Any]
_Key = tuple[str, str]  # kind, uid


class Hearing:
    """States that are known and not yet told, each with the moment when it became known."""

    def __init__(self) -> None:
        self._told: dict[_Key, int] = {}
        self._untold: dict[_Key, tuple[int, float]] = {}

    def expect(self, obj: Object, *, now: float) -> None:
        """This state exists: a watch has told it already, or will."""
        self.expect_state(*_key(obj), read_version(obj), now=now)

    def expect_state(self, kind: str, uid: str, version: int, *, now: float) -> None:
        """`expect`, of an object that was not read."""
        key = (kind, uid)
        if self._told.get(key, 0) >= version:
            return
        _, since = self._untold.get(key, (0, now))
        self._untold[key] = (version, since)

    def hear(self, obj: Object, *, is_deleted: bool = False) -> None:
        """A watch told this state."""
        key, version = _key(obj), read_version(obj)
        if is_deleted:
            self._told.pop(key, None)
            self._untold.pop(key, None)
            return
        self._told[key] = max(version, self._told.get(key, 0))
        if key in self._untold and self._untold[key][0] <= version:
            del self._untold[key]

    def has_heard(self, obj: Object) -> bool:
        """Whether a watch told this object before, in whatever state."""
        return _key(obj) in self._told

    def keep_only(self, kind: str, uids: Collection[str]) -> None:
        """Everything of a kind that is not listed is gone, told or not."""
        for states in (self._told, self._untold):
            for key in [key for key in states if key[0] == kind and key[1] not in uids]:
                del states[key]

    def measure_silence(self, *, now: float) -> float:
        """For how many seconds something has gone untold; 0: everything was told."""
        return max((now - since for _, since in self._untold.values()), default=0.0)

    def start_anew(self, *, now: float) -> None:
        """The watches begin again, and have the full time to tell what is still untold."""
        self._untold = {key: (version, now) for key, (version, _) in self._untold.items()}


def _key(obj: Object) -> _Key:
    return str(obj["kind"]), str(obj["metadata"].get("uid") or "")
