"""The engine's kubelet: every Pod in the store is processes, and its status says how they are.

Level-triggered by the pod's uid: looks at the pod, at its folder and at its processes, takes what
steps are due and writes the status once. A new engine finds the processes of the old one by their
folders and adopts them. Pods are made by ``jobs`` and ``deployments``, never here.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from slipway_operator.edges.clock import parse_time, utc_now
from slipway_operator.edges.queue import Backoff, KeyedLoop
from slipway_operator.local.containers import (
    ContainerRefused,
    PodFolder,
    Secrets,
    build_run_spec,
    collect_ports,
    parse_quantity,
    prepare_volumes,
    remove_secret_files,
)
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.errors import NotFound
from slipway_operator.local.kinds import POD, SECRET
from slipway_operator.local.objects import is_deleting, key_of, name_of, namespace_of, uid_of
from slipway_operator.local.pod_status import (
    ContainerView,
    build_status,
    cut_message,
    name_exit,
    read_last_words,
)
from slipway_operator.local.ports import POD_PORTS, find_free_port, is_free
from slipway_operator.local.probes import Prober, parse_probe
from slipway_operator.local.processes import Exit, Run, RunState
from slipway_operator.local.store import Change, Store

log = logging.getLogger(__name__)

Object = dict[str, Any]
PORTS_ANNOTATION: Final = "slipway.dev/ports"
RESTARTS: Final = Backoff(first_seconds=1.0, cap_seconds=60.0)
STEADY_SECONDS: Final = 120.0  # after running this long a crash counts as the first again
KEPT_RUNS: Final = 2
MAX_LOG_BYTES: Final = 10 * 2**20


@dataclass(slots=True, kw_only=True)
class _Container:
    """What is known in memory of one container; everything else lies in its folder."""

    run: Run | None = None
    watcher: asyncio.Task[None] | None = None
    prober: Prober | None = None
    crashes: int = 0  # in a row, of which the last is the run in ``counted``
    counted: Path | None = None
    restarts: bool = False  # whether it will be started again
    ending: str | None = None  # why the engine itself is ending it
    refused: tuple[str, str] | None = None


@dataclass(slots=True, kw_only=True)
class _Pod:
    folder: PodFolder
    containers: dict[str, _Container] = field(default_factory=dict)


class _StoreSecrets(Secrets):
    def __init__(self, store: Store, namespace: str) -> None:
        self._store, self._namespace = store, namespace

    def read(self, name: str) -> Mapping[str, Any] | None:
        return self._store.find(SECRET, self._namespace, name)


class PodKeeper:
    """Runs the pods of one store."""

    def __init__(self, *, store: Store, data: DataFolder) -> None:
        self._store, self._data = store, data
        self._cookie = data.read_identity()
        self._pods: dict[str, _Pod] = {}
        self._closing = False
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
            with contextlib.suppress(Exception):  # the loop will say what is wrong with it
                if not is_deleting(pod):
                    await self._sync(uid_of(pod))

    async def close(self) -> None:
        """Leave the processes as they are; they are found again."""
        self._closing = True
        await self._loop.close()
        for pod in self._pods.values():
            for container in pod.containers.values():
                _let_go(container)

    async def stop_all(self, *, grace_seconds: float) -> None:
        """End every process, the engine going down on purpose."""
        await self.close()
        await asyncio.gather(
            *(
                self._end_container(pod, name, grace_seconds=grace_seconds, on_purpose=True)
                for pod in self._pods.values()
                for name in pod.containers
            )
        )

    # ── One pod ──────────────────────────────────────────────────────────────────────────────
    async def _sync(self, uid: str) -> float | None:
        pod = self._store.find_by_uid(POD, uid)
        known = self._pods.get(uid)
        if known is None:
            known = _Pod(folder=PodFolder(root=self._data.pods / uid))
            self._pods[uid] = known
        if pod is None:
            await self._remove(uid, known, grace_seconds=2.0)
            return None
        if is_deleting(pod):
            await self._terminate(uid, known, pod)
            return None
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return None
        return await self._advance(uid, known, pod)

    async def _advance(self, uid: str, known: _Pod, pod: Object) -> float | None:
        """Take the steps that are due; returns the seconds until the next look."""
        spec = pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        waits: list[float] = []
        init: list[ContainerView] = []
        main: list[ContainerView] = []
        failed = False
        for container in spec.get("initContainers") or ():
            view = ContainerView(name=container["name"], image=container.get("image", ""),
                                 run_id="", state=RunState.NEW)  # fmt: skip
            if not failed and all(v.exit is not None and v.exit.code == 0 for v in init):
                view = self._drive(uid, known, pod, container, is_init=True, waits=waits)
                failed = view.exit is not None and view.exit.code != 0
            init.append(view)
        initialized = all(v.exit is not None and v.exit.code == 0 for v in init)
        for container in spec["containers"]:
            view = ContainerView(name=container["name"], image=container.get("image", ""),
                                 run_id="", state=RunState.NEW)  # fmt: skip
            if initialized:
                view = self._drive(uid, known, pod, container, is_init=False, waits=waits)
            main.append(view)
        if policy == "Never" and self._was_interrupted(known):
            # ended by `down`, not by itself: the job makes a new pod when the engine is back
            self._store.delete(POD, namespace_of(pod), name_of(pod), uid=uid, now=True)
            return None
        failure = await self._check_limits(known, pod, waits)
        if failure is not None:
            await self._end_all(known, grace_seconds=_grace_of(pod))
            init = [self._view(known, c, v) for c, v in zip(spec.get("initContainers") or (), init, strict=True)]  # fmt: skip
            main = [self._view(known, c, v) for c, v in zip(spec["containers"], main, strict=True)]
        status = build_status(pod=pod, init=init, main=main, now=utc_now(), failure=failure)
        with contextlib.suppress(NotFound):
            self._store.set_status(POD, namespace_of(pod), name_of(pod), uid, status)
        if status["phase"] in ("Succeeded", "Failed"):
            known.folder.clear_scratch()
        for name in known.containers:
            _rotate_log(known, name)
        return min(waits, default=30.0)

    def _drive(
        self,
        uid: str,
        known: _Pod,
        pod: Object,
        container: Object,
        *,
        is_init: bool,
        waits: list[float],
    ) -> ContainerView:
        """Start, adopt or restart one container; returns how it is now."""
        name = container["name"]
        mine = known.containers.setdefault(name, _Container())
        if mine.run is None:
            mine.run = _find_newest_run(known.folder, name)
        state = mine.run.state() if mine.run is not None else RunState.NEW
        if state is RunState.NEW:
            self._start(known, pod, container, mine, restarts=_restarts(mine.run), waits=waits)
        elif state in (RunState.EXITED, RunState.LOST):
            self._consider_restart(known, pod, container, mine, is_init=is_init, waits=waits)
        if mine.run is not None:
            state = mine.run.state()
            if state in (RunState.STARTING, RunState.RUNNING):
                self._attend(uid, pod, container, mine, is_init=is_init)
            if state is RunState.STARTING:
                waits.append(0.03)
        view = ContainerView(
            name=name, image=container.get("image", ""), run_id="", state=RunState.NEW
        )
        return self._view(known, container, view)

    def _consider_restart(
        self,
        known: _Pod,
        pod: Object,
        container: Object,
        mine: _Container,
        *,
        is_init: bool,
        waits: list[float],
    ) -> None:
        assert mine.run is not None
        ended = mine.run.read_exit()
        if ended is None:
            return
        self._settle(known, pod, container, mine)
        if mine.counted != mine.run.folder:
            steady = ended.finished - ended.started > STEADY_SECONDS
            before = mine.crashes or min(_restarts(mine.run), 6)
            mine.crashes, mine.counted = 1 if steady else before + 1, mine.run.folder
        policy = pod["spec"].get("restartPolicy", "Always")
        if mine.run.was_stopped() and policy != "Never":
            self._start(known, pod, container, mine, restarts=_restarts(mine.run), waits=waits)
            return
        again = ended.code != 0 if is_init or policy == "OnFailure" else True
        mine.restarts = policy != "Never" and again
        if not mine.restarts:
            return
        due = ended.finished + RESTARTS.compute_ceiling(mine.crashes) - time.time()
        if due > 0:
            waits.append(due)
            return
        self._start(known, pod, container, mine, restarts=_restarts(mine.run) + 1, waits=waits)

    def _start(
        self,
        known: _Pod,
        pod: Object,
        container: Object,
        mine: _Container,
        *,
        restarts: int,
        waits: list[float],
    ) -> None:
        name = container["name"]
        fresh = mine.run is None or mine.run.state() is not RunState.NEW
        number = int(mine.run.folder.name) + (1 if fresh else 0) if mine.run is not None else 0
        folder = known.folder.runs(name) / str(number)
        _let_go(mine)
        try:
            mounts = prepare_volumes(
                pod, container, known.folder, _StoreSecrets(self._store, namespace_of(pod))
            )
            ports = self._allocate_ports(pod, container)
            spec = build_run_spec(
                pod, container, folder=known.folder, run_folder=folder, mounts=mounts, ports=ports
            )
            for field_name in ("startupProbe", "readinessProbe", "livenessProbe"):
                parse_probe(container, field_name, ports)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "restarts").write_text(str(restarts))
            run = Run(folder)
            run.start(spec, cookie=self._cookie)
        except ContainerRefused as refused:
            mine.refused = ("CreateContainerConfigError", f"{str(refused).rstrip('.')}.")
            waits.append(5.0)
            return
        except OSError as error:
            mine.refused = ("CreateContainerError", f"Cannot start container: {error}.")
            waits.append(2.0)
            return
        mine.run, mine.refused, mine.ending = run, None, None
        _forget_old_runs(known.folder.runs(name), newest=number)
        waits.append(0.05)

    def _attend(
        self, uid: str, pod: Object, container: Object, mine: _Container, *, is_init: bool
    ) -> None:
        """See that its end is noticed and its probes are asked."""
        assert mine.run is not None
        run = mine.run
        if mine.watcher is None:

            async def watch() -> None:
                await run.wait()
                self._loop.wake(uid)

            mine.watcher = asyncio.get_running_loop().create_task(watch())
        if is_init or mine.prober is not None or run.state() is not RunState.RUNNING:
            return
        ports = read_ports(self._store.find_by_uid(POD, uid) or pod)
        before = _find_status(pod, container["name"], _run_id(run))

        def failed(why: str) -> None:
            mine.ending = why
            asyncio.get_running_loop().create_task(run.end(grace_seconds=_grace_of(pod)))

        mine.prober = Prober(
            startup=parse_probe(container, "startupProbe", ports),
            readiness=parse_probe(container, "readinessProbe", ports),
            liveness=parse_probe(container, "livenessProbe", ports),
            started=bool(before.get("started")),
            ready=bool(before.get("ready")),
            changed=lambda: self._loop.wake(uid),
            failed=failed,
        )

    def _settle(
        self, known: _Pod, pod: Mapping[str, Any], container: Mapping[str, Any], mine: _Container
    ) -> None:
        """After an end: no probes, no watcher, and no Secret left on disk."""
        _let_go(mine)
        remove_secret_files(pod, container, known.folder)

    def _view(self, known: _Pod, container: Object, fallback: ContainerView) -> ContainerView:
        name = container["name"]
        mine = known.containers.get(name)
        if mine is None or mine.run is None:
            if mine is not None and mine.refused is not None:
                return ContainerView(name=name, image=container.get("image", ""), run_id="",
                                     state=RunState.NEW, waiting=mine.refused)  # fmt: skip
            return fallback
        run = mine.run
        state, ended = run.state(), run.read_exit()
        number = int(run.folder.name)
        older = Run(run.folder.with_name(str(number - 1))) if number else None
        previous = older.read_exit() if older is not None and older.folder.exists() else None
        waiting = mine.refused
        message = _read_message(run, container, ended, mine.ending) if ended else ""
        if waiting is None and ended is not None and mine.counted == run.folder and mine.restarts:
            wait = RESTARTS.compute_ceiling(mine.crashes)
            words = mine.ending or read_last_words(_read_tail(run.log))
            waiting = (
                "CrashLoopBackOff",
                f"Back-off {wait:g} s restarting failed container {name} "
                f"({name_exit(ended)}, exit code {ended.code}): {words}",
            )
            previous, older = ended, run
        running = state is RunState.RUNNING
        return ContainerView(
            name=name,
            image=container.get("image", ""),
            run_id=_run_id(run),
            state=state,
            restarts=_restarts(run),
            started_at=run.started_at() if running else 0.0,
            started=running and (mine.prober is None or mine.prober.started),
            ready=running and mine.prober is not None and mine.prober.ready,
            exit=ended,
            exit_message=message,
            previous=previous,
            previous_message=_read_message(older, container, previous, None)
            if older is not None and previous is not None
            else "",
            waiting=waiting,
        )

    # ── Ports, limits, ends ──────────────────────────────────────────────────────────────────
    def _allocate_ports(self, pod: Object, container: Object) -> dict[str, int]:
        """The loopback port of every named port; kept while free, written before they are used."""
        key = key_of(pod)
        live = self._store.get(POD, *key.split("/", 1))
        ports = read_ports(live)
        mine = collect_ports([container])
        taken = {port for other in self._store.list(POD) for port in read_ports(other).values()}
        changed = False
        for name in mine:
            if name in ports and is_free(ports[name]):
                continue
            found = find_free_port(POD_PORTS, taken=taken)
            if found is None:
                raise ContainerRefused("no free port on 127.0.0.1 between 20000 and 29999")
            ports[name], changed = found, True
            taken.add(found)
        if changed:
            patch = {"metadata": {"annotations": {PORTS_ANNOTATION: json.dumps(ports)}}}
            self._store.patch(POD, namespace_of(pod), name_of(pod), patch)
        return {name: ports[name] for name in mine}

    async def _check_limits(
        self, known: _Pod, pod: Object, waits: list[float]
    ) -> tuple[str, str] | None:
        spec = pod["spec"]
        seconds = spec.get("activeDeadlineSeconds")
        began = (pod.get("status") or {}).get("startTime")
        if seconds is not None:
            left = float(seconds)
            if began is not None:
                left -= (utc_now() - parse_time(began)).total_seconds()
            if left <= 0:
                return (
                    "DeadlineExceeded",
                    f"Pod was active on the node longer than the specified deadline of {seconds} s.",
                )
            waits.append(left)
        for volume in spec.get("volumes") or ():
            limit = (volume.get("emptyDir") or {}).get("sizeLimit")
            if limit is None:
                continue
            waits.append(2.0)
            used = await asyncio.to_thread(_measure_folder, known.folder.volume(volume["name"]))
            if used > parse_quantity(limit):
                return (
                    "Evicted",
                    f'Usage of emptyDir volume "{volume["name"]}" exceeds the limit "{limit}".',
                )
        return None

    async def _end_all(self, known: _Pod, *, grace_seconds: float) -> None:
        await asyncio.gather(
            *(
                self._end_container(known, name, grace_seconds=grace_seconds)
                for name in known.containers
            )
        )

    async def _end_container(
        self, known: _Pod, name: str, *, grace_seconds: float, on_purpose: bool = False
    ) -> None:
        run = known.containers[name].run
        if run is not None and run.state() in (RunState.STARTING, RunState.RUNNING):
            if on_purpose:
                run.mark_stopped()
            await run.end(grace_seconds=grace_seconds)

    async def _terminate(self, uid: str, known: _Pod, pod: Object) -> None:
        """The end of a deleted pod: no longer ready, preStop, SIGTERM, grace, SIGKILL, gone."""
        for container in pod["spec"]["containers"]:
            mine = known.containers.setdefault(container["name"], _Container())
            if mine.run is None:
                mine.run = _find_newest_run(known.folder, container["name"])
        grace = _grace_of(pod)
        pauses = [_read_pre_stop(c) for c in pod["spec"]["containers"]]
        running = any(
            mine.run is not None and mine.run.state() is RunState.RUNNING
            for mine in known.containers.values()
        )
        if running and any(pauses):
            await asyncio.sleep(min(max(pauses), grace))
        await self._remove(uid, known, grace_seconds=max(0.5, grace - max(pauses, default=0.0)))
        with contextlib.suppress(NotFound):
            self._store.delete(POD, namespace_of(pod), name_of(pod), uid=uid, now=True)

    async def _remove(self, uid: str, known: _Pod, *, grace_seconds: float) -> None:
        for folder in known.folder.root.glob("containers/*"):
            mine = known.containers.setdefault(folder.name, _Container())
            if mine.run is None:
                mine.run = _find_newest_run(known.folder, folder.name)
        await self._end_all(known, grace_seconds=grace_seconds)
        for mine in known.containers.values():
            _let_go(mine)
        self._pods.pop(uid, None)
        await asyncio.to_thread(shutil.rmtree, known.folder.root, True)

    def _was_interrupted(self, known: _Pod) -> bool:
        return any(
            mine.run is not None
            and mine.run.was_stopped()
            and mine.run.state() in (RunState.EXITED, RunState.LOST)
            for mine in known.containers.values()
        )


def _let_go(container: _Container) -> None:
    if container.prober is not None:
        container.prober.stop()
    if container.watcher is not None:
        container.watcher.cancel()
    container.prober = container.watcher = None


def _find_newest_run(folder: PodFolder, container: str) -> Run | None:
    try:
        numbers = [int(p.name) for p in folder.runs(container).iterdir() if p.name.isdigit()]
    except FileNotFoundError:
        return None
    return Run(folder.runs(container) / str(max(numbers))) if numbers else None


def _forget_old_runs(folder: Path, *, newest: int) -> None:
    for path in folder.iterdir():
        if path.name.isdigit() and int(path.name) <= newest - KEPT_RUNS:
            shutil.rmtree(path, ignore_errors=True)


def _restarts(run: Run | None) -> int:
    if run is None:
        return 0
    try:
        return int((run.folder / "restarts").read_text())
    except (OSError, ValueError):
        return 0


def _run_id(run: Run) -> str:
    pod, _, name, number = run.folder.parts[-4:]
    return f"process://{pod}/{name}/{number}"


def read_ports(pod: Mapping[str, Any]) -> dict[str, int]:
    """The loopback port of each named port of a pod, as far as chosen."""
    found = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION, "{}"))
    return {str(name): int(port) for name, port in found.items()}


def _find_status(pod: Mapping[str, Any], container: str, run_id: str) -> Mapping[str, Any]:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status["name"] == container and status.get("containerID") == run_id:
            return dict(status)
    return {}


def _grace_of(pod: Mapping[str, Any]) -> float:
    return float(pod["spec"].get("terminationGracePeriodSeconds", 30))


def _read_pre_stop(container: Mapping[str, Any]) -> float:
    sleep = ((container.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
    return float(sleep.get("seconds", 0))


def _read_tail(path: Path, limit: int = 4096) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - limit))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _read_message(
    run: Run, container: Mapping[str, Any], ended: Exit | None, ending: str | None
) -> str:
    try:
        said = (run.folder / "termination").read_bytes()[:65536].decode(errors="replace")
    except OSError:
        said = ""
    if said or ending:
        return cut_message(said or ending or "")
    if ended is not None and ended.lost:
        return "The process was gone when the engine came back; how it ended is not known."
    fallback = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    if fallback and ended is not None and ended.code != 0:
        return cut_message(_read_tail(run.log, 2048))
    return ""


def _measure_folder(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def _rotate_log(known: _Pod, name: str) -> None:
    """Keep the newest part of a log that has grown too long; the process appends on."""
    run = known.containers[name].run
    if run is None:
        return
    with contextlib.suppress(OSError):
        if run.log.stat().st_size > MAX_LOG_BYTES:
            shutil.copyfile(run.log, run.folder / "log.1")
            os.truncate(run.log, 0)
