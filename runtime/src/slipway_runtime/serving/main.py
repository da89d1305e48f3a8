"""`slipway-runtime serve`: load, prove, serve, drain, exit. The process edge of serving."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from slipway_runtime import contract
from slipway_runtime.artifact.manifest import Environment, load_manifest
from slipway_runtime.environment.open import open_environment
from slipway_runtime.errors import BuildError
from slipway_runtime.serving.batcher import MAX_ROWS, is_row_by_row
from slipway_runtime.serving.core.faults import ModelInvalid
from slipway_runtime.serving.core.gate import Gate
from slipway_runtime.serving.core.golden import check_golden
from slipway_runtime.serving.core.policies import Policies, compile_policies
from slipway_runtime.serving.core.schema import ModelSchema, compile_schema
from slipway_runtime.serving.core.session import OnnxSession, Session
from slipway_runtime.serving.core.table import table_from_rows
from slipway_runtime.serving.dataplane import INLINE_SECONDS, DataPlane
from slipway_runtime.serving.http import App
from slipway_runtime.serving.lane import Lane
from slipway_runtime.serving.metrics import Metrics
from slipway_runtime.serving.metrics_port import serve_metrics
from slipway_runtime.serving.native import NativeSession
from slipway_runtime.serving.recorder import Recorder
from slipway_runtime.serving.settings import Settings, SettingsInvalid, count_cpus, read_settings

_QUIET_SECONDS = 0.5  # draining ends when no request was in flight for this long
_TICK_SECONDS = 0.02
_HEADER_BYTES = 16 << 10
# granian counts the wait for the next head of a kept connection as well
_HEADER_MILLISECONDS = contract.SERVER_IDLE_SECONDS * 1000
_BACKLOG = 1024
_QUEUE_PER_PLACE = 8

log = logging.getLogger("slipway.serve")


class CannotServe(Exception):
    """The process cannot do its work; the message is one sentence."""


def run() -> int:
    """Serve until SIGTERM; returns the exit code (0: drained, 1: cannot serve)."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        settings = read_settings(os.environ)
        return uvloop.run(_serve(settings))
    except (SettingsInvalid, ModelInvalid, CannotServe) as error:
        log.error("%s", error)
        return 1


async def _serve(settings: Settings) -> int:
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _check_port_is_free(settings.bind, settings.port_http)
    metrics = Metrics(model=settings.model_name, revision=settings.revision)
    recorder = Recorder()
    try:
        metrics_server, _ = serve_metrics(
            metrics, recorder, bind=settings.bind, port=settings.port_metrics
        )
    except OSError as error:
        raise CannotServe(_port_taken(settings.bind, settings.port_metrics, error)) from error
    app = App(
        name=settings.model_name,
        revision=settings.revision,
        metrics=metrics,
        recorder=recorder,
        max_bytes=settings.serving.max_request_bytes,
        timeout_seconds=settings.serving.timeout_seconds,
        in_flight_limit=_BACKLOG,
    )
    server = Server(
        app,
        settings.bind,
        settings.port_http,
        interface=Interfaces.RSGI,
        backlog=_BACKLOG,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEADER_MILLISECONDS, max_buffer_size=_HEADER_BYTES
        ),
    )
    serving = loop.create_task(server.serve())
    loading = loop.create_task(asyncio.to_thread(_load, settings, metrics))
    try:
        stopping = loop.create_task(stop.wait())
        await asyncio.wait({loading, stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            loaded = loading.result()
            app.lane = Lane(loaded.make_application) if loaded.make_application else None
            gc.freeze()  # what was loaded stays; the collector need not look at it again
            app.plane = loaded.plane
            log.info("ready: model %s revision %s", settings.model_name, settings.revision)
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done() and not stop.is_set():
            serving.result()
            raise CannotServe("Cannot go on serving: the HTTP server ended by itself.")
        await _drain(app, metrics, settings.serving.drain_seconds)
        return 0
    finally:
        metrics_server.shutdown()
        metrics_server.server_close()
        await _stop(server, serving)
        if app.lane is not None:
            await app.lane.close()
        if app.plane is not None:
            app.plane.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that gave the right answers; `make_application` builds its BentoML side."""

    plane: DataPlane
    make_application: Callable[[], Any] | None


def _load(settings: Settings, metrics: Metrics) -> Loaded:
    """Open the model and prove it with its golden rows.

    Raises:
        ModelInvalid, CannotServe: with the sentence for the log.
    """
    manifest = _read_manifest(settings.model_dir)
    schema = compile_schema(manifest)
    serving = settings.serving
    policies = compile_policies(schema, serving.contract.on_violation, serving.contract.stated)
    cpus = count_cpus()
    session = _open_session(settings, manifest, schema)
    is_native = manifest["runtime"] == "Native"
    missing_text = None if is_native else ""
    checked = check_golden(manifest, schema=schema, session=session, missing_text=missing_text)
    log.info("%d golden rows answered as the build saw them", checked)
    gate = Gate(schema, policies, missing_text=missing_text)
    # No rule that somebody stated applies to the golden rows: they are the build's own.
    unruled = Gate(schema, Policies(), missing_text=missing_text)
    inline = 0 if is_native else _measure_inline_rows(manifest, schema, session, unruled)
    plane = DataPlane(
        schema=schema,
        gate=gate,
        session=session,
        metrics=metrics,
        places=1 if is_native else cpus,
        queue=cpus * _QUEUE_PER_PLACE,
        max_rows=serving.max_batch_rows,
        inline_rows=inline,
        batch_rows=0
        if serving.batching == "Off"
        else _measure_batch_rows(manifest, session, unruled, inline),
    )

    def make_application() -> Any:
        from slipway_runtime.bento.mount import make_application

        return make_application(manifest, schema=schema, session=session, missing_text=missing_text)

    return Loaded(plane=plane, make_application=make_application if schema.is_table else None)


def _open_session(
    settings: Settings, manifest: Mapping[str, Any], schema: ModelSchema
) -> OnnxSession | NativeSession:
    """Open the model: ONNX here, anything else in a sandboxed worker.

    Raises:
        ModelInvalid, CannotServe
    """
    if manifest["runtime"] == "ONNX":
        path = settings.model_dir / manifest["files"]["model"]
        return OnnxSession(path, schema=schema, threads=count_cpus())
    serving = settings.serving
    loader = manifest["files"]["loader"]
    if serving.unpickle == "Never" and loader != "skops":
        raise CannotServe(
            f'Cannot serve model "{settings.model_name}": it is a {loader} file, opening it runs '
            'its code, and spec.model.unpickle is "Never".'
        )
    told = manifest["environment"]
    environment = None if told is None else msgspec.convert(told, Environment)
    try:
        interpreter = open_environment(environment, folder=settings.environments)
    except BuildError as error:
        raise CannotServe(
            f'Cannot serve model "{settings.model_name}" natively: {error.message}'
        ) from error
    return NativeSession(
        settings.model_dir,
        schema=schema,
        unpickle=serving.unpickle,
        timeout_seconds=serving.timeout_seconds,
        memory_bytes=serving.memory_bytes,
        interpreter=interpreter,
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = msgspec.to_builtins(load_manifest(path))
    except (OSError, ValueError) as error:
        raise CannotServe(f"Cannot serve the artifact in {folder}: {error}") from error
    return manifest


def _measure_inline_rows(
    manifest: Mapping[str, Any], schema: Any, session: Session, gate: Gate
) -> int:
    """How many rows take less than `INLINE_SECONDS`: these may run on the event loop."""
    rows = _golden(manifest)[:1]
    if not rows or not schema.is_table:
        return 0
    tensors = gate.admit(table_from_rows(rows, limit=1)).tensors
    seconds = min(_time(session, tensors) for _ in range(5))
    return 0 if seconds > INLINE_SECONDS else max(1, min(64, int(INLINE_SECONDS / seconds)))


def _measure_batch_rows(
    manifest: Mapping[str, Any], session: Session, gate: Gate, inline_rows: int
) -> int:
    """How many rows of different requests may run together, or 0."""
    size = min(inline_rows, MAX_ROWS)
    if size < 2:
        return 0
    rows = [gate.admit(table_from_rows([row], limit=1)).tensors for row in _golden(manifest)]
    return size if is_row_by_row(session, rows, max_rows=size) else 0


def _golden(manifest: Mapping[str, Any]) -> list[Any]:
    return list(manifest["golden"]["rows"])


def _time(session: Session, tensors: Any) -> float:
    started = time.perf_counter()
    session.run(tensors)
    return time.perf_counter() - started


async def _drain(app: App, metrics: Metrics, limit_seconds: float) -> None:
    """Keep serving, say `Connection: close`, and come back when nothing is in flight any more."""
    app.is_draining = True
    log.info("draining, %d requests in flight", metrics.in_flight)
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_seconds
    quiet_since = loop.time()
    answered = metrics.requests.total()
    while loop.time() < end and loop.time() - quiet_since < _QUIET_SECONDS:
        await asyncio.sleep(_TICK_SECONDS)
        if metrics.in_flight or metrics.requests.total() != answered:
            answered = metrics.requests.total()
            quiet_since = loop.time()
    app.is_refusing = True
    log.info("drained, %d requests left", metrics.in_flight)


async def _stop(server: Any, serving: "asyncio.Task[Any]") -> None:
    server.stop()
    try:
        async with asyncio.timeout(2):
            await serving
    except TimeoutError:
        log.warning("the HTTP server did not stop in time")


def _check_port_is_free(bind: str, port: int) -> None:
    """granian shares ports with whoever holds them already, so ask first."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            raise CannotServe(_port_taken(bind, port, error)) from error


def _port_taken(bind: str, port: int, error: OSError) -> str:
    return (
        f"Cannot listen on {bind}:{port}: {error.strerror}; end the process that holds it or "
        "give another port."
    )
