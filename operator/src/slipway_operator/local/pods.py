"""The engine's kubelet: every Pod in the store is processes, and its status says how they are.

Level-triggered by the pod's uid: looks at the pod, at its folder and at its processes, takes what
steps are due and writes the status once. A new engine finds the processes of the old one by their
folders and adopts them. Pods are made by ``jobs`` and ``deployments``, never here.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway_operator.edges.clock import parse_time, utc_now
from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.changes import Change
from slipway_operator.local.container_keeper import ContainerKeeper, PodContext, read_grace
from slipway_operator.local.containers import PodFolder, Secrets, parse_quantity
from slipway_operator.local.datafolder import DataFolder, find_user_folder
from slipway_operator.local.errors import EngineError, NotFound
from slipway_operator.local.kinds import POD, SECRET
from slipway_operator.local.objects import is_deleting, name_of, namespace_of, uid_of
from slipway_operator.local.pod_status import ContainerView, build_status
from slipway_operator.local.ports import PortBook
from slipway_operator.local.processes import RunState
from slipway_operator.local.store import Store

log = logging.getLogger(__name__)

Object = dict[str, Any]
IDLE_SECONDS = 30.0
LOOK_SECONDS = 0.02


@dataclass(slots=True, kw_only=True)
class _Pod:
    context: PodContext
    containers: dict[str, ContainerKeeper] = field(default_factory=dict)

    def keeper(self, name: str) -> ContainerKeeper:
        if name not in self.containers:
            self.containers[name] = ContainerKeeper(name, self.context)
        return self.containers[name]


class _StoreSecrets(Secrets):
    def __init__(self, store: Store, namespace: str) -> None:
        self._store, self._namespace = store, namespace

    def read(self, name: str) -> Mapping[str, Any] | None:
        return self._store.find(SECRET, self._namespace, name)


class PodKeeper:
    """Runs the pods of one store."""

    def __init__(
        self, *, store: Store, data: DataFolder, is_sent_to: Callable[[Object], bool]
    ) -> None:
        """``is_sent_to``: whether a new request may still reach a pod."""
        self._store, self._data, self._is_sent_to = store, data, is_sent_to
        self._cookie = data.read_identity()
        self._ports = PortBook(find_user_folder() / "ports")
        self._pods: dict[str, _Pod] = {}
        self._loop = KeyedLoop(
            name="pod", handler=self._sync, backoff=Backoff(first_seconds=0.5, cap_seconds=10.0)
        )

    # ── Waking ───────────────────────────────────────────────────────────────────────────────
    def notice(self, change: Change) -> None:
        """Wake the pods that a change concerns."""
        if change.kind is POD:
            self._loop.wake(uid_of(change.object))
        elif change.kind is SECRET:
            for pod in self._store.list(POD, namespace=namespace_of(change.object)):
                self._loop.wake(uid_of(pod))

    def resync(self) -> None:
        """Wake every pod, and every folder whose pod is gone."""
        for pod in self._store.list(POD):
            self._loop.wake(uid_of(pod))
        for folder in self._data.pods.iterdir():
            self._loop.wake(folder.name)

    async def recover(self) -> None:
        """Look at every pod once, so that statuses are true before anybody acts on them."""
        for pod in self._store.list(POD):
            if is_deleting(pod):
                continue
            try:
                await self._sync(uid_of(pod))
            except (EngineError, OSError) as error:  # the loop tries again and says so
                log.warning("Pod %s could not be looked at: %s", name_of(pod), error)

    async def close(self) -> None:
        """Leave the processes as they are; they are found again."""
        await self._loop.close()
        for pod in self._pods.values():
            for container in pod.containers.values():
                container.let_go()

    async def stop_all(self, *, grace_seconds: float) -> None:
        """End every process, the engine going down on purpose."""
        await self.close()
        await asyncio.gather(
            *(
                container.end(grace_seconds=grace_seconds, on_purpose=True)
                for pod in self._pods.values()
                for container in pod.containers.values()
            )
        )

    # ── One pod ──────────────────────────────────────────────────────────────────────────────
    async def _sync(self, uid: str) -> float | None:
        pod = self._store.find_by_uid(POD, uid)
        if pod is None:
            if (self._data.pods / uid).exists() or uid in self._pods:
                await self._remove(uid, self._know(uid, ""), grace_seconds=2.0)
            return None
        known = self._know(uid, namespace_of(pod))
        if is_deleting(pod):
            await self._terminate(uid, known, pod)
            return None
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return None
        return await self._advance(uid, known, pod)

    def _know(self, uid: str, namespace: str) -> _Pod:
        if uid not in self._pods:
            self._pods[uid] = _Pod(
                context=PodContext(
                    folder=PodFolder(root=self._data.pods / uid),
                    environments=self._data.environments,
                    store=self._store,
                    secrets=_StoreSecrets(self._store, namespace),
                    ports=self._ports,
                    cookie=self._cookie,
                    wake=lambda: self._loop.wake(uid),
                )
            )
        return self._pods[uid]

    async def _advance(self, uid: str, known: _Pod, pod: Object) -> float | None:
        """Take the steps that are due; returns the seconds until the next look."""
        spec = pod["spec"]
        waits: list[float | None] = []
        passed = True
        for container in spec.get("initContainers") or ():
            if passed:
                keeper = known.keeper(container["name"])
                waits.append(keeper.drive(pod, container, is_init=True))
                passed = _has_passed(keeper.view(container))
        for container in spec["containers"] if passed else ():
            keeper = known.keeper(container["name"])
            waits.append(keeper.drive(pod, container, is_init=False))
        if spec.get("restartPolicy") == "Never" and any(
            keeper.was_interrupted() for keeper in known.containers.values()
        ):
            # ended by `down`, not by itself: its job makes a new pod
            self._store.delete(POD, namespace_of(pod), name_of(pod), uid=uid, now=True)
            return None
        failure = await self._check_limits(known, pod, waits)
        if failure is not None:
            await self._end_all(known, grace_seconds=read_grace(pod))
        status = build_status(
            pod=pod,
            init=[_view(known, container) for container in spec.get("initContainers") or ()],
            main=[_view(known, container) for container in spec["containers"]],
            now=utc_now(),
            failure=failure,
        )
        with contextlib.suppress(NotFound):
            self._store.set_status(POD, namespace_of(pod), name_of(pod), uid, status)
        if status["phase"] in ("Succeeded", "Failed"):
            for keeper in known.containers.values():
                keeper.let_go()
            await asyncio.to_thread(known.context.folder.clear_scratch)
            return None
        return min((wait for wait in waits if wait is not None), default=IDLE_SECONDS)

    async def _check_limits(
        self, known: _Pod, pod: Object, waits: list[float | None]
    ) -> tuple[str, str] | None:
        """Whether the pod took too long or too much disk: reason and message."""
        spec = pod["spec"]
        seconds = spec.get("activeDeadlineSeconds")
        if seconds is not None:
            began = (pod.get("status") or {}).get("startTime")
            age = (utc_now() - parse_time(began)).total_seconds() if began else 0.0
            if age >= float(seconds):
                return (
                    "DeadlineExceeded",
                    f"Pod was active longer than the specified deadline of {seconds} s.",
                )
            waits.append(float(seconds) - age)
        for volume in spec.get("volumes") or ():
            limit = (volume.get("emptyDir") or {}).get("sizeLimit")
            if limit is None:
                continue
            folder = known.context.folder.volume(volume["name"])
            used = await asyncio.to_thread(_measure_folder, folder)
            if used > parse_quantity(limit):
                return (
                    "Evicted",
                    f'Usage of emptyDir volume "{volume["name"]}" exceeds the limit "{limit}".',
                )
            waits.append(2.0 if spec.get("restartPolicy") == "Never" else IDLE_SECONDS)
        return None

    # ── Ends ─────────────────────────────────────────────────────────────────────────────────
    async def _terminate(self, uid: str, known: _Pod, pod: Object) -> None:
        """The end of a deleted pod: preStop, no request comes any more, SIGTERM, SIGKILL, gone."""
        loop = asyncio.get_running_loop()
        began, grace = loop.time(), read_grace(pod)
        if any(known.keeper(c["name"]).is_alive() for c in pod["spec"]["containers"]):
            pause = max((_read_pre_stop(c) for c in pod["spec"]["containers"]), default=0.0)
            await asyncio.sleep(min(pause, grace))
            # half of the grace at most: what is in flight needs its time too
            while self._is_sent_to(pod) and loop.time() - began < grace / 2:  # noqa: ASYNC110  Envoy tells nobody
                await asyncio.sleep(LOOK_SECONDS)
        left = grace - (loop.time() - began)
        await self._remove(uid, known, grace_seconds=max(0.5, left))
        with contextlib.suppress(NotFound):
            self._store.delete(POD, namespace_of(pod), name_of(pod), uid=uid, now=True)

    async def _remove(self, uid: str, known: _Pod, *, grace_seconds: float) -> None:
        root = known.context.folder.root
        for folder in root.glob("containers/*"):
            known.keeper(folder.name)
        await self._end_all(known, grace_seconds=grace_seconds)
        for keeper in known.containers.values():
            keeper.let_go()
        self._pods.pop(uid, None)
        await asyncio.to_thread(shutil.rmtree, root, True)

    async def _end_all(self, known: _Pod, *, grace_seconds: float) -> None:
        await asyncio.gather(
            *(keeper.end(grace_seconds=grace_seconds) for keeper in known.containers.values())
        )


def _has_passed(view: ContainerView) -> bool:
    return view.exit is not None and view.exit.code == 0


def _view(known: _Pod, container: Object) -> ContainerView:
    """A container as it is; one whose turn has not come is merely waiting."""
    keeper = known.containers.get(container["name"])
    if keeper is not None:
        return keeper.view(container)
    return ContainerView(
        name=container["name"], image=container.get("image", ""), run_id="", state=RunState.NEW
    )


def _read_pre_stop(container: Mapping[str, Any]) -> float:
    sleep = ((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
    return float(sleep.get("seconds", 0))


def _measure_folder(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
