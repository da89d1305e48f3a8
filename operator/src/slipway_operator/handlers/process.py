"""`slipway-operator run`: lead, watch, reconcile, until told to stop. The order of one life.

connect → check permissions and CRD → wait for the Lease → list and watch → reconcile
                                           ↑─────────────── lost or ended ────────┘
"""

import asyncio
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Any, Final

import kopf

from slipway_operator.edges.clock import monotonic
from slipway_operator.edges.config import OperatorConfig
from slipway_operator.edges.kubernetes.api import ApiRefused, ApiUnreachable, KubernetesApi
from slipway_operator.edges.kubernetes.hearing import Hearing
from slipway_operator.edges.kubernetes.lease import Leadership, Terms
from slipway_operator.edges.kubernetes.mirror import Mirror
from slipway_operator.edges.kubernetes.reconciler import Reconciler
from slipway_operator.edges.kubernetes.resources import MODEL, WATCHED
from slipway_operator.edges.kubernetes.selfcheck import check_definition, check_permissions
from slipway_operator.edges.queue import KeyedLoop
from slipway_operator.edges.telemetry import Telemetry
from slipway_operator.handlers.probes import ProbeServer
from slipway_operator.handlers.transport import build_registry, build_settings
from slipway_operator.state.identity import LABEL_UID

log = logging.getLogger(__name__)

RELIST_SECONDS: Final = 60.0
_RESTART_SECONDS: Final = 2.0
_HEARING_SECONDS: Final = 10.0  # as long as a watch may take to tell
_DEAF_TIMES: Final = 3
DELETED: Final = "DELETED"


class OperatorProcess:
    """One replica of the operator."""

    def __init__(
        self, *, config: OperatorConfig, kubeconfig: Path | None, port: int, metrics_port: int
    ) -> None:
        self._config, self._kubeconfig = config, kubeconfig
        self._mirror, self._telemetry = Mirror(), Telemetry()
        self._stop = asyncio.Event()
        self._heard_at = monotonic()
        self._hearing, self._deaf, self._deaf_times = Hearing(), asyncio.Event(), 0
        self._listed = False
        self._leads = False
        self._probes = ProbeServer(
            port=port,
            metrics_port=metrics_port,
            telemetry=self._telemetry,
            is_alive=self._is_alive,
            is_ready=lambda: self._listed or not self._leads,
        )

    async def run(self) -> int:
        """Work until SIGTERM; returns the exit code."""
        self._listen()
        api = await KubernetesApi.connect(self._kubeconfig)
        await self._probes.start()
        terms = Terms(
            name=self._config.lease.name,
            namespace=self._config.system_namespace,
            identity=f"{os.environ.get('POD_NAME') or socket.gethostname()}_{os.getpid()}",
            duration_seconds=self._config.lease.duration_seconds,
            renew_seconds=self._config.lease.duration_seconds * 2 / 3,
        )
        leadership = Leadership(api, terms)
        try:
            await self._check(api)
            while not self._stop.is_set():
                await self._lead_once(api, leadership)
        finally:
            await leadership.release()
            await self._probes.close()
            await api.close()
        return 0

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    async def _check(self, api: KubernetesApi) -> None:
        """Say what is missing, once, and go on: what can be done is done."""
        try:
            for sentence in (
                *await check_permissions(api, self._config),
                *await check_definition(api),
            ):
                log.error("%s", sentence)
        except (ApiRefused, ApiUnreachable) as error:
            log.error("Cannot check the installation: %s", error)

    async def _lead_once(self, api: KubernetesApi, leadership: Leadership) -> None:
        """From taking the Lease to losing it."""
        if not await self._unless_stopped(leadership.acquire()):
            return
        self._leads, self._heard_at = True, monotonic()
        self._telemetry.is_leader.set(1)
        reconciler = Reconciler(
            api=api,
            mirror=self._mirror,
            settings=self._config.to_settings(),
            leadership=leadership,
            telemetry=self._telemetry,
        )
        queue = KeyedLoop(name="model", handler=reconciler.reconcile)
        self._telemetry.queue_depth.set_function(lambda: queue.depth)
        self._telemetry.last_event_age.set_function(lambda: monotonic() - self._heard_at)
        ended = asyncio.Event()
        tasks = [
            asyncio.create_task(self._keep(leadership, ended)),
            asyncio.create_task(self._relist(api, queue)),
            asyncio.create_task(self._watch(queue, leadership, ended)),
        ]
        try:
            await self._unless_stopped(ended.wait())
        finally:
            self._leads, self._listed = False, False
            self._telemetry.is_leader.set(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await queue.close()

    async def _keep(self, leadership: Leadership, ended: asyncio.Event) -> None:
        await leadership.keep()
        ended.set()

    async def _relist(self, api: KubernetesApi, queue: KeyedLoop) -> None:
        """Everything anew each minute: drops what was deleted while a watch was down."""
        while True:
            try:
                untold = await self._list_all(api, queue)
                self._listed = True
                await self._check_hearing(untold)
            except (ApiRefused, ApiUnreachable) as error:
                log.warning("Listing failed, again in %g s: %s", _RESTART_SECONDS, error)
                await asyncio.sleep(_RESTART_SECONDS)
                continue
            await asyncio.sleep(RELIST_SECONDS)

    async def _check_hearing(self, untold: dict[str, int]) -> None:
        """Begin the watches anew where they do not tell what the list knows."""
        if not untold:
            self._deaf_times = 0
            return
        await asyncio.sleep(_HEARING_SECONDS)
        if self._hearing.is_still_untold(untold):
            self._deaf_times += 1
            log.warning(
                "The watches do not tell of %d objects that a list knows: they are begun anew",
                len(untold),
            )
            self._deaf.set()
        else:
            self._deaf_times = 0

    async def _list_all(self, api: KubernetesApi, queue: KeyedLoop) -> dict[str, int]:
        """Replace the mirror; what the watches have not told so far."""
        untold: dict[str, int] = {}
        namespaces: tuple[str | None, ...] = self._config.watch_namespaces or (None,)
        for resource in (*WATCHED, MODEL):
            labels = None if resource is MODEL else LABEL_UID
            found = [
                obj
                for namespace in namespaces
                for obj in await api.list(resource, namespace=namespace, labels=labels)
            ]
            untold |= self._hearing.list_untold(found)
            self._mirror.replace(resource.kind, found)
        for model in self._mirror.list(MODEL.kind):
            queue.wake(model["metadata"]["uid"])
        return untold

    async def _watch(self, queue: KeyedLoop, leadership: Leadership, ended: asyncio.Event) -> None:
        """Run Kopf, and run it again whenever it ends: an operator that is deaf is none."""
        registry = build_registry(on_event=lambda change, obj: self._notice(queue, change, obj))
        namespaces = self._config.watch_namespaces
        where: dict[str, Any] = {"namespaces": namespaces} if namespaces else {"clusterwide": True}
        while leadership.is_held and not ended.is_set():
            started, stop = asyncio.Event(), asyncio.Event()
            self._deaf.clear()
            self._hearing.forget()
            helpers = [
                asyncio.create_task(self._listen_again(started)),
                asyncio.create_task(_set_after(stop, ended)),
                asyncio.create_task(_set_after(stop, self._deaf)),
            ]
            try:
                await kopf.operator(
                    registry=registry,
                    settings=build_settings(),
                    standalone=True,
                    ready_flag=started,
                    stop_flag=stop,
                    **where,
                )
                if not stop.is_set():  # only a signal, before we listened again, ends it so
                    self._stop.set()
                    return
            except asyncio.CancelledError:
                raise
            except Exception as error:  # an edge: whatever ends Kopf, it is started again
                log.warning("The watches ended (%s: %s)", type(error).__name__, error)
            finally:
                for helper in helpers:
                    helper.cancel()
            log.warning("The watches are started again in %g s", _RESTART_SECONDS)
            await asyncio.sleep(_RESTART_SECONDS)

    async def _listen_again(self, started: asyncio.Event) -> None:
        """Kopf takes the signals for itself when it starts: take them back."""
        await started.wait()
        self._listen()

    def _notice(self, queue: KeyedLoop, change: str | None, obj: dict[str, Any]) -> None:
        self._heard_at = monotonic()
        self._hearing.note(obj, deleted=change == DELETED)
        if change == DELETED:
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
            queue.wake(uid)

    def _is_alive(self) -> bool:
        """Beginning the watches anew heals a deaf one; where it does not, a new process may."""
        return not self._leads or self._deaf_times < _DEAF_TIMES

    async def _unless_stopped(self, waited: Any) -> bool:
        """Wait; False when the process was told to stop first."""
        task, stop = asyncio.ensure_future(waited), asyncio.ensure_future(self._stop.wait())
        done, pending = await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        for each in pending:
            each.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return task in done and stop not in done


async def _set_after(flag: asyncio.Event, other: asyncio.Event) -> None:
    """Set one event once another is set."""
    await other.wait()
    flag.set()
