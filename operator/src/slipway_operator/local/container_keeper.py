"""One container of one pod: started, adopted, probed, restarted with back-off, ended.

All its facts lie in its folder, a numbered folder a life, so a new engine's keeper goes on where
the old one was. ``pods`` decides when a container may run; ``pod_status`` words what is found.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from slipway_operator.edges.queue import Backoff
from slipway_operator.local.containers import (
    ContainerRefused,
    PodFolder,
    Secrets,
    build_run_spec,
    collect_ports,
    prepare_volumes,
    remove_secret_files,
)
from slipway_operator.local.kinds import POD
from slipway_operator.local.objects import name_of, namespace_of
from slipway_operator.local.pod_status import ContainerView, name_exit, read_last_words
from slipway_operator.local.ports import POD_PORTS, PortBook, is_free
from slipway_operator.local.probes import Prober, parse_probe
from slipway_operator.local.processes import Exit, Run, RunState
from slipway_operator.local.run_files import (
    MAX_LOG_BYTES,
    find_newest_run,
    forget_old_runs,
    note_end,
    read_end_note,
    read_message,
    read_restarts,
    read_run_id,
    read_tail,
    rotate_log,
)
from slipway_operator.local.store import Store
from slipway_operator.state.identity import ANNOTATION_PORTS

Object = dict[str, Any]
RESTARTS: Final = Backoff(first_seconds=1.0, cap_seconds=60.0)
STEADY_SECONDS: Final = 120.0  # after running this long a crash counts as the first again


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContext:
    """What all containers of a pod share; ``wake`` has the pod looked at again."""

    folder: PodFolder
    environments: Path
    store: Store
    secrets: Secrets
    ports: PortBook
    cookie: str
    wake: Callable[[], None]


class ContainerKeeper:
    """Keeps one container."""

    def __init__(self, name: str, context: PodContext) -> None:
        self._name, self._context = name, context
        self._run = find_newest_run(context.folder.runs(name))
        self._watcher: asyncio.Task[None] | None = None
        self._ender: asyncio.Task[None] | None = None
        self._prober: Prober | None = None
        self._crashes = 0  # in a row, the last of them being the life in ``_counted``
        self._counted: Path | None = None
        self._comes_back = False
        self._refused: tuple[str, str] | None = None

    # ── Going forward ────────────────────────────────────────────────────────────────────────
    def drive(self, pod: Object, container: Object, *, is_init: bool) -> float | None:
        """Take the step that is due; returns the seconds until the next one, None for an event."""
        state = self._run.state() if self._run is not None else RunState.NEW
        wait: float | None = None
        if state is RunState.NEW:
            wait = self._start(pod, container, restarts=read_restarts(self._run))
        elif state in (RunState.EXITED, RunState.LOST):
            wait = self._consider_restart(pod, container, is_init=is_init)
        if self._run is not None and self._run.state() in (RunState.STARTING, RunState.RUNNING):
            self._attend(pod, container, self._run, is_init=is_init)
            if self._run.state() is RunState.STARTING:
                return 0.03
            if self._run.log.exists() and self._run.log.stat().st_size > MAX_LOG_BYTES:
                rotate_log(self._run)
        return wait

    def _consider_restart(self, pod: Object, container: Object, *, is_init: bool) -> float | None:
        run = self._run
        ended = run.read_exit() if run is not None else None
        if run is None or ended is None:
            return None
        self.let_go()
        remove_secret_files(pod, container, self._context.folder)
        policy = pod["spec"].get("restartPolicy", "Always")
        restarts = read_restarts(run)
        if run.was_stopped() and policy != "Never":
            return self._start(pod, container, restarts=restarts)
        if self._counted != run.folder:
            steady = ended.finished - ended.started > STEADY_SECONDS
            self._crashes = 1 if steady else (self._crashes or min(restarts, 6)) + 1
            self._counted = run.folder
        wanted_again = ended.code != 0 if is_init or policy == "OnFailure" else True
        self._comes_back = policy != "Never" and wanted_again
        if not self._comes_back:
            return None
        due = ended.finished + RESTARTS.compute_ceiling(self._crashes) - time.time()
        if due > 0:
            return due
        return self._start(pod, container, restarts=restarts + 1)

    def _start(self, pod: Object, container: Object, *, restarts: int) -> float:
        number = 0
        if self._run is not None:  # a life that was prepared but never began is begun now
            number = int(self._run.folder.name) + (self._run.state() is not RunState.NEW)
        context = self._context
        folder = context.folder.runs(self._name) / str(number)
        self.let_go()
        try:
            mounts = prepare_volumes(pod, container, context.folder, context.secrets)
            ports = self._allocate_ports(pod, container)
            spec = build_run_spec(
                pod,
                container,
                folder=context.folder,
                run_folder=folder,
                mounts=mounts,
                ports=ports,
                environments=context.environments,
            )
            for field in ("startupProbe", "readinessProbe", "livenessProbe"):
                parse_probe(container, field, ports)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "restarts").write_text(str(restarts))
            run = Run(folder)
            run.start(spec, cookie=context.cookie)
        except ContainerRefused as refused:
            self._refused = ("CreateContainerConfigError", f"{str(refused).rstrip('.')}.")
            return 5.0
        except OSError as error:
            self._refused = ("CreateContainerError", f"Cannot start the container: {error}.")
            return 2.0
        self._run, self._refused = run, None
        forget_old_runs(context.folder.runs(self._name), newest=number)
        return 0.03

    def _allocate_ports(self, pod: Object, container: Object) -> dict[str, int]:
        """The loopback port of every named port; kept while free, written before they are used."""
        store, book = self._context.store, self._context.ports
        live = store.get(POD, namespace_of(pod), name_of(pod))
        ports = read_ports(live)
        mine = collect_ports([container])
        taken = {port for other in store.list(POD) for port in read_ports(other).values()}
        changed = False
        for name in mine:
            if name in ports and book.claim(ports[name]) and is_free(ports[name]):
                continue
            found = book.choose(POD_PORTS, taken=taken)
            if found is None:
                raise ContainerRefused("no free port on 127.0.0.1 between 20000 and 29999")
            ports[name], changed = found, True
            taken.add(found)
        if changed:
            patch = {"metadata": {"annotations": {ANNOTATION_PORTS: json.dumps(ports)}}}
            store.patch(POD, namespace_of(pod), name_of(pod), patch)
        return {name: ports[name] for name in mine}

    def _attend(self, pod: Object, container: Object, run: Run, *, is_init: bool) -> None:
        """See that its end is noticed and its probes are asked."""
        context = self._context
        loop = asyncio.get_running_loop()
        if self._watcher is None:

            async def watch() -> None:
                await run.wait()
                context.wake()

            self._watcher = loop.create_task(watch())
        if is_init or self._prober is not None or run.state() is not RunState.RUNNING:
            return
        ports = read_ports(context.store.get(POD, namespace_of(pod), name_of(pod)))
        before = _find_status(pod, self._name, read_run_id(run))

        def failed(why: str) -> None:
            note_end(run, why)
            self._ender = loop.create_task(run.end(grace_seconds=read_grace(pod)))

        self._prober = Prober(
            startup=parse_probe(container, "startupProbe", ports),
            readiness=parse_probe(container, "readinessProbe", ports),
            liveness=parse_probe(container, "livenessProbe", ports),
            started=bool(before.get("started")),
            ready=bool(before.get("ready")),
            changed=context.wake,
            failed=failed,
        )

    # ── Ending ───────────────────────────────────────────────────────────────────────────────
    def is_alive(self) -> bool:
        """Whether a process of it lives."""
        return self._run is not None and self._run.state() in (RunState.STARTING, RunState.RUNNING)

    def was_interrupted(self) -> bool:
        """Whether it was ended by the engine going down, not by itself."""
        return self._run is not None and self._run.was_stopped() and not self.is_alive()

    async def end(self, *, grace_seconds: float, on_purpose: bool = False) -> None:
        """End its process; ``on_purpose`` when the engine goes down and will start it again."""
        if self._run is not None and self.is_alive():
            if on_purpose:
                self._run.mark_stopped()
            await self._run.end(grace_seconds=grace_seconds)

    def let_go(self) -> None:
        """Watch it no more; its process stays as it is."""
        if self._prober is not None:
            self._prober.stop()
        for task in (self._watcher, self._ender):
            if task is not None:
                task.cancel()
        self._prober = self._watcher = self._ender = None

    # ── Telling ──────────────────────────────────────────────────────────────────────────────
    def view(self, container: Object) -> ContainerView:
        """How it is now."""
        run = self._run
        image = container.get("image", "")
        if run is None:
            return ContainerView(
                name=self._name, image=image, run_id="", state=RunState.NEW, waiting=self._refused
            )
        state, ended = run.state(), run.read_exit()
        message = read_message(run, container, ended) if ended else ""
        previous, previous_message = self._read_previous(run, container)
        waiting = self._refused
        if (
            waiting is None
            and ended is not None
            and self._comes_back
            and self._counted == run.folder
        ):
            waiting = self._explain_wait(run, ended)
            previous, previous_message = ended, message
        running = state is RunState.RUNNING
        return ContainerView(
            name=self._name,
            image=image,
            run_id=read_run_id(run),
            state=state,
            restarts=read_restarts(run),
            started_at=run.started_at() if running else 0.0,
            started=running and (self._prober is None or self._prober.started),
            ready=running and self._prober is not None and self._prober.ready,
            exit=ended,
            exit_message=message,
            previous=previous,
            previous_message=previous_message,
            waiting=waiting,
        )

    def _read_previous(self, run: Run, container: Object) -> tuple[Exit | None, str]:
        number = int(run.folder.name)
        older = Run(run.folder.with_name(str(number - 1)))
        if number == 0 or not older.folder.exists():
            return None, ""
        ended = older.read_exit()
        return ended, read_message(older, container, ended)

    def _explain_wait(self, run: Run, ended: Exit) -> tuple[str, str]:
        wait = RESTARTS.compute_ceiling(self._crashes)
        words = read_end_note(run) or read_last_words(read_tail(run.log)) or "it said nothing"
        return (
            "CrashLoopBackOff",
            f"Back-off {wait:g} s restarting failed container {self._name} "
            f"({name_exit(ended)}, exit code {ended.code}): {words}",
        )


def read_ports(pod: Mapping[str, Any]) -> dict[str, int]:
    """The loopback port of each named port of a pod, as far as chosen."""
    found = json.loads((pod["metadata"].get("annotations") or {}).get(ANNOTATION_PORTS, "{}"))
    return {str(name): int(port) for name, port in found.items()}


def read_grace(pod: Mapping[str, Any]) -> float:
    """Seconds between SIGTERM and SIGKILL."""
    return float(pod["spec"].get("terminationGracePeriodSeconds", 30))


def _find_status(pod: Mapping[str, Any], container: str, run_id: str) -> Mapping[str, Any]:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status["name"] == container and status.get("containerID") == run_id:
            return dict(status)
    return {}
