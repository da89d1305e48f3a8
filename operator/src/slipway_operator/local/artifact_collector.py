"""Collects built models that nobody needs any more.

Level-triggered: looks at all objects and at the layout's index. An artifact is needed while any
object names its digest (a revision, a pod, a status), and while its model exists and its history
is as long as there are newer artifacts of it: one of those may be asked for again. What is
needed no more goes after a grace. Never while a build or a pull runs; all of a pass happens
in one turn of the event loop, in which none can begin.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.artifact_sweep import sweep
from slipway_operator.local.artifacts import REFERENCE, list_entries
from slipway_operator.local.changes import Change
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.kinds import EVENT, JOB, MODEL_DEPLOYMENT, POD
from slipway_operator.local.objects import find_condition, key_of
from slipway_operator.local.store import Store

log = logging.getLogger(__name__)

Object = dict[str, Any]
GRACE_SECONDS: Final = 600.0
AGAIN_SECONDS: Final = 5.0
_NAMED: Final = re.compile(r"@(sha256:[0-9a-f]{64})")


class ArtifactCollector:
    """Keeps the layout of one data folder small."""

    def __init__(
        self,
        *,
        store: Store,
        data: DataFolder,
        grace_seconds: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._layout = store, data.artifacts
        self._grace, self._clock = grace_seconds, clock
        self._unneeded_since: dict[str, float] = {}
        self._loop = KeyedLoop(
            name="artifacts",
            handler=self._collect,
            backoff=Backoff(first_seconds=10.0, cap_seconds=600.0),
        )

    def notice(self, change: Change) -> None:
        """What goes may leave an artifact behind."""
        if change.type == "DELETED" and change.kind is not EVENT:
            self._loop.wake("all", after_seconds=1.0)

    def resync(self) -> None:
        """Look at everything."""
        self._loop.wake("all")

    async def close(self) -> None:
        """Stop working."""
        await self._loop.close()

    async def _collect(self, _: str) -> float | None:
        return self.collect()

    def collect(self) -> float | None:
        """One pass; returns the seconds until the next one that is due by itself.

        Raises:
            OSError: the layout cannot be written.
        """
        if any(map(is_unfinished_job, self._store.list(JOB))) or any(
            map(is_reading_or_writing, self._store.list(POD))
        ):
            return AGAIN_SECONDS
        now = self._clock()
        entries = list_entries(self._layout)
        needed = find_named(self._store.list()) | find_history(
            entries, self._store.list(MODEL_DEPLOYMENT)
        )
        unneeded = {str(entry.get("digest")) for entry in entries} - needed
        self._unneeded_since = {
            digest: self._unneeded_since.get(digest, now) for digest in sorted(unneeded)
        }
        due = {d for d, since in self._unneeded_since.items() if now - since >= self._grace}
        has_more = sweep(self._layout, unwanted=due, written_before=now - self._grace)
        for digest in sorted(due):
            log.info("Artifact %s was needed no more and is removed", digest)
        if has_more:
            return AGAIN_SECONDS
        waiting = [since for digest, since in self._unneeded_since.items() if digest not in due]
        return max(1.0, min(waiting) + self._grace - now) if waiting else None


def find_named(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    """Every artifact digest (``STORE@sha256:…``) that stands anywhere in an object but an event."""
    return {
        digest
        for obj in objects
        if obj["kind"] != EVENT.kind
        for digest in _NAMED.findall(json.dumps(obj))
    }


def find_history(
    entries: Iterable[Mapping[str, Any]], models: Iterable[Mapping[str, Any]]
) -> set[str]:
    """The newest artifacts of each model: as many as its history has entries.

    An entry names its revision and no artifact; a rollout uses one, so older ones are in no entry.
    """
    lengths = {key_of(m): len((m.get("status") or {}).get("history") or ()) for m in models}
    built: dict[str, list[str]] = {}
    for entry in entries:  # the oldest first
        reference = str((entry.get("annotations") or {}).get(REFERENCE))
        built.setdefault(reference.rpartition(":")[0], []).append(str(entry.get("digest")))
    return {
        digest
        for key, digests in built.items()
        for digest in digests[len(digests) - min(len(digests), lengths.get(key, 0)) :]
    }


def is_unfinished_job(job: Mapping[str, Any]) -> bool:
    """Whether a build may still begin or go on."""
    ends = (find_condition(job, "Complete"), find_condition(job, "Failed"))
    return not any(end is not None and end["status"] == "True" for end in ends)


def is_reading_or_writing(pod: Mapping[str, Any]) -> bool:
    """Whether a pod may use the layout: a build to its end, a server until it has its model."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    initialized = find_condition(pod, "Initialized")
    is_initialized = initialized is not None and initialized["status"] == "True"
    return pod["spec"].get("restartPolicy") == "Never" or not is_initialized
