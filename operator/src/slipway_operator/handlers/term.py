"""One term of a leader: list, watch, reconcile, from taking the Lease to losing it.

Kopf is restarted whenever it ends or goes deaf; everything is listed anew each minute. What a kind
that may not be listed means is told on every model.
"""

import asyncio
import contextlib
import logging
from typing import Any, Final

import msgspec

from slipway_operator.edges.built import ArtifactFinder
from slipway_operator.edges.clock import monotonic
from slipway_operator.edges.config import OperatorConfig
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.hearing import Hearing
from slipway_operator.edges.kubernetes.lease import Leadership
from slipway_operator.edges.kubernetes.mirror import Mirror, Name, read_version
from slipway_operator.edges.kubernetes.pages import Metadata, read_item, read_metadata
from slipway_operator.edges.kubernetes.reconciler import Reconciler
from slipway_operator.edges.kubernetes.refusals import explain_blindness
from slipway_operator.edges.kubernetes.resources import DEFINITION, JOB, MODEL, WATCHED, Resource
from slipway_operator.edges.kubernetes.selfcheck import check_definition
from slipway_operator.edges.kubernetes.tokens import TokenKeeper
from slipway_operator.edges.queue import KeyedLoop
from slipway_operator.edges.telemetry import Telemetry
from slipway_operator.handlers.transport import Watches
from slipway_operator.state.build_run import is_unfinished
from slipway_operator.state.identity import LABEL_UID

log = logging.getLogger(__name__)

RELIST_SECONDS: Final = 60.0
BLIND_SECONDS: Final = 10.0  # a kind that cannot be listed is asked for sooner
RESTART_SECONDS: Final = 2.0
UNTOLD_SECONDS: Final = 20.0  # so long untold, and the watches are started anew
DEAF_SECONDS: Final = 45.0  # so long untold, and the process is not alive
RECONCILES_AT_ONCE: Final = 16
_LOOK_SECONDS: Final = 2.0
_DELETED: Final = "DELETED"


class Term:
    """One term; `run` returns when the Lease is lost."""

    def __init__(
        self,
        *,
        api: KubernetesApi,
        config: OperatorConfig,
        leadership: Leadership,
        telemetry: Telemetry,
        tokens: TokenKeeper | None,
        finder: ArtifactFinder | None,
    ) -> None:
        self._api, self._config, self._leadership = api, config, leadership
        self._telemetry = telemetry
        self._mirror, self._hearing = Mirror(), Hearing()
        self._heard_at = monotonic()
        self._is_missing_told: set[str] = set()
        self._has_gap, self._listed = asyncio.Event(), asyncio.Event()
        self._reconciler = Reconciler(
            api=api,
            mirror=self._mirror,
            hearing=self._hearing,
            settings=config.to_settings(),
            leadership=leadership,
            telemetry=telemetry,
            tokens=tokens,
            finder=finder,
        )
        self._queue = KeyedLoop(
            name="model", handler=self._reconciler.reconcile, at_once=RECONCILES_AT_ONCE
        )

    async def run(self) -> None:
        """Lead until the Lease is lost or the task is cancelled."""
        self._telemetry.queue_depth.set_function(lambda: self._queue.depth)
        self._telemetry.last_event_age.set_function(lambda: monotonic() - self._heard_at)
        tasks = [
            asyncio.create_task(self._leadership.keep()),
            asyncio.create_task(self._list_again()),
            asyncio.create_task(self._watch_again()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._queue.close()

    @property
    def is_listed(self) -> bool:
        """Whether everything was listed once."""
        return self._listed.is_set()

    def measure_silence(self, *, now: float) -> float:
        """For how many seconds something has gone untold by the watches."""
        return self._hearing.measure_silence(now=now)

    async def _list_again(self) -> None:
        """Everything anew each minute, and after a gap: drops what was deleted in it."""
        while True:
            self._has_gap.clear()
            try:
                await self._list_all()
            except (ApiRefused, ApiUnreachable) as error:
                log.warning("Listing failed, again in %g s: %s", RESTART_SECONDS, error)
                await asyncio.sleep(RESTART_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    BLIND_SECONDS if self._reconciler.blindness else RELIST_SECONDS
                ):
                    await self._has_gap.wait()
                    await asyncio.sleep(RESTART_SECONDS)

    async def _list_all(self) -> None:
        await self._check_definition()
        for resource in (*WATCHED, MODEL):
            try:
                await self._list(resource)
            except ApiRefused as refused:
                if not self._bear(resource, refused):
                    raise
                continue
            if self._reconciler.blindness.pop(resource.kind, None) is not None:
                log.info("%s can be listed again", resource.plural)
        self._listed.set()
        for uid in self._mirror.list_uids(MODEL.kind):
            if not self._reconciler.is_settled(uid):
                self._queue.wake(uid)

    async def _check_definition(self) -> None:
        """Under another version's CRD nothing is changed.

        It is told from the second time on: during an upgrade the old operator sees the new one's.
        """
        outdated = await check_definition(self._api)
        was_outdated = self._reconciler.is_on_hold
        self._reconciler.is_on_hold = outdated is not None
        if outdated is None:
            self._reconciler.blindness.pop(DEFINITION.kind, None)
        elif was_outdated:
            self._reconciler.blindness[DEFINITION.kind] = outdated

    async def _list(self, resource: Resource) -> None:
        """Bring the mirror to what a whole list shows; what it has already is not read again."""
        labels = None if resource is MODEL else LABEL_UID
        names: set[Name] = set()
        uids: set[str] = set()
        versions: list[int] = []
        for namespace in self._config.watch_namespaces or (None,):
            pages = self._api.list_pages(resource, namespace=namespace, labels=labels)
            async for page in pages:
                for item in page.items:
                    found = read_metadata(item)
                    names.add((found.namespace, found.name))
                    uids.add(found.uid)
                    self._take(resource, found, item)
                versions.append(int(page.metadata.resource_version))
        self._mirror.keep_only(resource.kind, names, version=min(versions))
        self._hearing.keep_only(resource.kind, uids)

    def _take(self, resource: Resource, found: Metadata, item: msgspec.Raw) -> None:
        kind, now = resource.kind, monotonic()
        if not self._mirror.has(
            kind, found.namespace, found.name, uid=found.uid, version=found.version
        ):
            self._mirror.put(read_item(item, api_version=resource.api_version, kind=kind))
        self._hearing.expect_state(kind, found.uid, found.version, now=now)

    def _bear(self, resource: Resource, refused: ApiRefused) -> bool:
        """Whether the rest can go on although this kind cannot be listed."""
        if refused.is_absent:
            if resource.kind not in self._is_missing_told:
                self._is_missing_told.add(resource.kind)
                log.error("The cluster knows no %s (%s)", resource.kind, resource.api_version)
            self._mirror.keep_only(resource.kind, (), version=0)
            return resource is not MODEL
        blindness = explain_blindness(refused)
        if blindness is None:
            return False
        if resource.kind not in self._reconciler.blindness:
            log.error("%s (%s)", blindness.message, refused.message)
        self._reconciler.blindness[resource.kind] = blindness
        return True

    async def _watch_again(self) -> None:
        """Run Kopf, and run it again whenever it ends: an operator that is deaf is none.

        From the first list on, so that the lists by which watches begin name what is known.
        """
        await self._listed.wait()
        while True:
            self._hearing.start_anew(now=monotonic())
            watches = Watches(
                on_event=self._notice,
                login=self._api.describe_connection,
                namespaces=self._config.watch_namespaces,
            )
            running = asyncio.create_task(watches.run())
            try:
                while not running.done():
                    await asyncio.wait({running}, timeout=_LOOK_SECONDS)
                    if self.measure_silence(now=monotonic()) > UNTOLD_SECONDS:
                        log.warning("The watches told nothing of what exists for too long")
                        break
                if running.done():
                    await running
            except Exception as error:  # an edge: whatever ends Kopf, it is started again
                log.warning("The watches ended (%s: %s)", type(error).__name__, error)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            self._telemetry.watch_restarts.inc()
            log.warning("The watches are started again in %g s", RESTART_SECONDS)
            await asyncio.sleep(RESTART_SECONDS)

    def _notice(self, change: str | None, obj: dict[str, Any]) -> None:
        self._heard_at = monotonic()
        if change is None:
            self._notice_listed(obj)
            return
        self._hearing.hear(obj, is_deleted=change == _DELETED)
        if change == _DELETED:
            self._mirror.drop(obj)
        else:
            self._mirror.put(obj)
        metadata = obj["metadata"]
        uid = (
            metadata.get("uid")
            if obj["kind"] == MODEL.kind
            else (metadata.get("labels") or {}).get(LABEL_UID)
        )
        if uid:
            self._queue.wake(uid)
        if obj["kind"] == JOB.kind and (change == _DELETED or not is_unfinished(obj)):
            self._wake_waiting(metadata["namespace"])

    def _notice_listed(self, obj: dict[str, Any]) -> None:
        """Of the list by which a watch begins: that this exists.

        What is not known in this state is listed; so is everything where a watch was lost, for
        what is gone no list tells.
        """
        metadata = obj["metadata"]
        is_known = self._mirror.has(
            obj["kind"],
            metadata.get("namespace") or "",
            metadata["name"],
            uid=metadata["uid"],
            version=read_version(obj),
        )
        if not is_known or self._hearing.has_heard(obj):
            self._has_gap.set()
        self._hearing.hear(obj)

    def _wake_waiting(self, namespace: str) -> None:
        """A build has ended: those that wait longest for a place begin."""
        waiting = sorted(
            (model["metadata"].get("creationTimestamp") or "", model["metadata"]["uid"])
            for model in self._mirror.list_open(MODEL.kind)
            if model["metadata"]["namespace"] == namespace
        )
        for _, uid in waiting[: self._config.max_builds_per_namespace]:
            self._queue.wake(uid)
