"""HTTP around the data plane: routes, limits, codes and headers. An RSGI application for granian.

Knows no model; says `ModelNotReady` until it is given a data plane, and `Connection: close` once
the process drains. Every answer carries the revision and a request id.
"""

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Awaitable, Callable
from importlib import metadata
from typing import Any, Final

import orjson

from slipway_runtime import contract
from slipway_runtime.serving.admission import ClientGone
from slipway_runtime.serving.codes import CODES
from slipway_runtime.serving.core.answer import render_predictions
from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.gate import Admitted
from slipway_runtime.serving.dataplane import DataPlane
from slipway_runtime.serving.http_bodies import (
    JSON_TYPE,
    MEDIA_TYPES,
    check_media_type,
    read_table,
)
from slipway_runtime.serving.lane import PATHS as LANE_PATHS
from slipway_runtime.serving.lane import Lane
from slipway_runtime.serving.metrics import Metrics
from slipway_runtime.serving.recorder import Recorder
from slipway_runtime.serving.sources import find_source
from slipway_runtime.serving.v2 import render_outputs, render_violations

_CLIENT_GONE: Final = 499  # as nginx counts it
_RETRY_SECONDS: Final = "1"
_BODY_SECONDS: Final = 10.0
_SWEEP_SECONDS: Final = 0.5
_DEFECT: Final = RequestFault("InferenceFailed", "The server failed to answer; its log says why.")
_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY

log = logging.getLogger("slipway.serve")

Handler = Callable[[Any, Any, str, str], Awaitable[None]]  # headers, proto, request id, source


class App:
    """The HTTP application of one serving process.

    Args:
        name: the model's name in paths.
        revision: which revision this process serves.
        recorder: keeps answers while somebody compares them.
        max_bytes: largest body.
        timeout_seconds: for one request, from its head to its answer.
        in_flight_limit: requests held at once; more are refused at once.
    """

    def __init__(
        self,
        *,
        name: str,
        revision: str,
        metrics: Metrics,
        recorder: Recorder,
        max_bytes: int,
        timeout_seconds: float,
        in_flight_limit: int,
    ) -> None:
        self.metrics = metrics
        self.recorder = recorder
        self.is_draining = False
        self.is_refusing = False
        self.plane: DataPlane | None = None
        self.lane: Lane | None = None
        self._name = name
        self._revision = revision
        self._max_bytes = max_bytes
        self._timeout = timeout_seconds
        self._in_flight_limit = in_flight_limit
        self._json = [("content-type", JSON_TYPE), (contract.HEADER_REVISION, revision)]
        self._prefix = os.urandom(6).hex()
        self._numbers = itertools.count(1)
        self._reading: dict[asyncio.Task[Any], float] = {}
        model = f"/v2/models/{name}"
        version = f"{model}/versions/{revision}"
        self._posts: dict[str, tuple[str, Handler]] = {
            f"{model}/infer": ("v2", self._infer),
            f"{version}/infer": ("v2", self._infer),
            contract.PATH_PREDICT: ("rows", self._predict),
        }
        self._gets: dict[str, Callable[[], tuple[int, Any]]] = {
            "/v2": self._server,
            contract.PATH_LIVE: lambda: (200, {"live": True}),
            contract.PATH_READY: self._ready,
            model: self._model,
            version: self._model,
            f"{model}/ready": self._ready,
            f"{version}/ready": self._ready,
        }

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer one request."""
        path = scope.path
        route = self._posts.get(path)
        headers = scope.headers  # a copy every time it is asked for
        request_id = headers.get(contract.HEADER_REQUEST_ID)
        if request_id is None or not _is_plain(request_id):
            request_id = f"{self._prefix}-{next(self._numbers):x}"
        if route is None:
            await self._answer_other(scope, proto, path, request_id)
            return
        if scope.method != "POST":
            self._refuse(proto, RequestFault("MethodNotAllowed", f"Use POST {path}."), request_id)
            return
        protocol, handler = route
        source = find_source(headers, self._revision)
        started = time.perf_counter()
        metrics = self.metrics
        metrics.in_flight += 1
        try:
            await handler(headers, proto, request_id, source)
            code = 200
        except RequestFault as fault:
            code = CODES[fault.reason]
            self._refuse(proto, fault, request_id)
        except ClientGone:
            code = _CLIENT_GONE
            proto.response_empty(code, [])  # nobody reads it
        except Exception:  # the process edge: a defect answers one request, and is logged
            log.exception("request %s failed", request_id)
            code = 500
            self._refuse(proto, _DEFECT, request_id)
        finally:
            metrics.in_flight -= 1
        metrics.observe_request(protocol, code, time.perf_counter() - started, source)
        if self.recorder.is_on and code not in (200, _CLIENT_GONE):
            self.recorder.record_failure(request_id, source, code)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start to watch for bodies that do not arrive."""
        self._loop = loop
        self._sweep()

    # ── inference ───────────────────────────────────────────────────────────────────────────

    async def _infer(self, headers: Any, proto: Any, request_id: str, source: str) -> None:
        plane = self._check_in(headers)
        check_media_type(headers.get("content-type"), (JSON_TYPE,))
        now = self._loop.time()
        body = await self._read_body(headers, proto, now)
        started = time.perf_counter()
        asked = plane.read_v2(body, source)
        plane.metrics.observe_stage("decode", time.perf_counter() - started)
        outputs = await plane.infer(
            asked.admitted, now + self._timeout, proto.client_disconnect, source
        )
        started = time.perf_counter()
        answer: dict[str, Any] = {"model_name": self._name, "model_version": self._revision}
        if asked.id is not None:
            answer["id"] = asked.id
        if asked.admitted.violations:
            answer["parameters"] = {"violations": render_violations(asked.admitted.violations)}
        answer["outputs"] = render_outputs(outputs, plane.schema.outputs, asked.wanted)
        self._send(proto, 200, answer, request_id)
        plane.metrics.observe_stage("encode", time.perf_counter() - started)
        if self.recorder.is_on:
            self._record(plane, request_id, source, asked.admitted, outputs)

    async def _predict(self, headers: Any, proto: Any, request_id: str, source: str) -> None:
        plane = self._check_in(headers)
        media_type = check_media_type(headers.get("content-type"), MEDIA_TYPES)
        now = self._loop.time()
        body = await self._read_body(headers, proto, now)
        started = time.perf_counter()
        table = read_table(
            body,
            media_type,
            max_rows=plane.max_rows,
            max_bytes=self._max_bytes,
        )
        admitted = plane.admit_table(table, source)
        plane.metrics.observe_stage("decode", time.perf_counter() - started)
        outputs = await plane.infer(admitted, now + self._timeout, proto.client_disconnect, source)
        started = time.perf_counter()
        answer = {
            "predictions": render_predictions(outputs, plane.schema.outputs),
            "model": self._name,
            "revision": self._revision,
            "violations": render_violations(admitted.violations),
        }
        self._send(proto, 200, answer, request_id)
        plane.metrics.observe_stage("encode", time.perf_counter() - started)
        if self.recorder.is_on:
            self._record(plane, request_id, source, admitted, outputs)

    def _record(
        self, plane: DataPlane, request_id: str, source: str, admitted: Admitted, outputs: Any
    ) -> None:
        """The answer is on its way already: what goes wrong here is nobody's error."""
        try:
            self.recorder.record(
                request_id,
                source,
                plane.schema,
                inputs=admitted.tensors,
                outputs=outputs,
                rows=admitted.rows,
            )
        except Exception:
            log.exception("the answer to request %s is not compared", request_id)

    def _check_in(self, headers: Any) -> DataPlane:
        """What can be known before the body is read."""
        if self.is_refusing:
            raise RequestFault("Draining", "This server is shutting down; try again.")
        if self.plane is None:
            raise RequestFault("ModelNotReady", "The model is still being loaded; try again.")
        if self.metrics.in_flight > self._in_flight_limit:
            raise RequestFault("Overloaded", "Too many requests at once; try again shortly.")
        encoding = headers.get("content-encoding")
        if encoding is not None and encoding != "identity":
            raise RequestFault(
                "MediaTypeUnsupported",
                "A compressed body (Content-Encoding) is not accepted; send it as it is.",
            )
        return self.plane

    async def _read_body(self, headers: Any, proto: Any, now: float) -> bytes:
        """The body, never more of it than the limit, and not slower than it must be.

        Raises:
            RequestFault: BodyTooLarge, BodyUnreadable.
        """
        length = headers.get("content-length")
        if length is not None and int(length) > self._max_bytes:
            raise self._too_large()
        task = asyncio.current_task(self._loop)
        assert task is not None  # noqa: S101 granian runs every request as a task
        self._reading[task] = now + _BODY_SECONDS
        try:
            if length is not None:  # the HTTP server reads no more than it was told
                body: bytes = await proto()
                return body
            return await self._read_chunks(proto)
        except asyncio.CancelledError as error:
            if task.cancelling() and task in self._reading:
                raise
            task.uncancel()
            raise RequestFault(
                "BodyUnreadable", f"The body did not arrive within {_BODY_SECONDS:g} seconds."
            ) from error
        except RequestFault:
            raise
        except Exception as error:  # granian's own types: the client left, or sent no valid chunks
            raise RequestFault("BodyUnreadable", "The body ended before it was whole.") from error
        finally:
            self._reading.pop(task, None)

    async def _read_chunks(self, proto: Any) -> bytes:
        received = bytearray()
        async for chunk in proto:
            received += chunk
            if len(received) > self._max_bytes:
                raise self._too_large()
        return bytes(received)

    def _too_large(self) -> RequestFault:
        return RequestFault(
            "BodyTooLarge",
            f"The body is larger than {self._max_bytes} bytes; send fewer rows at a time.",
        )

    def _sweep(self) -> None:
        self.recorder.expire()
        now = self._loop.time()
        for task, deadline in list(self._reading.items()):
            if now > deadline:
                del self._reading[task]
                task.cancel()
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    # ── everything else ─────────────────────────────────────────────────────────────────────

    async def _answer_other(self, scope: Any, proto: Any, path: str, request_id: str) -> None:
        get = self._gets.get(path)
        started = time.perf_counter()
        if get is not None:
            if scope.method != "GET":
                fault = RequestFault("MethodNotAllowed", f"Use GET {path}.")
                self._refuse(proto, fault, request_id)
                return
            code, document = get()
            self._send(proto, code, document, request_id)
            return
        try:
            if path not in LANE_PATHS:
                raise self._not_found(path)
            code = await self._ask_lane(scope, proto, request_id)
        except RequestFault as fault:
            code = CODES[fault.reason]
            self._refuse(proto, fault, request_id)
        except Exception:  # the process edge, as above
            log.exception("request %s failed", request_id)
            code = 500
            self._refuse(proto, _DEFECT, request_id)
        source = find_source(scope.headers, self._revision)
        self.metrics.observe_request("other", code, time.perf_counter() - started, source)

    async def _ask_lane(self, scope: Any, proto: Any, request_id: str) -> int:
        """Let the Bento answer."""
        self._check_in(scope.headers)
        if self.lane is None:
            raise RequestFault("PathNotFound", "This model has no BentoML service here.")
        media_type = scope.headers.get("content-type")
        if scope.method == "POST":
            check_media_type(media_type, (JSON_TYPE,))
        self.metrics.in_flight += 1
        try:
            answer = await self.lane.ask(
                scope, await self._read_body(scope.headers, proto, self._loop.time())
            )
        finally:
            self.metrics.in_flight -= 1
        headers = [each for each in answer.headers if each[0] != contract.HEADER_REQUEST_ID]
        headers += [(contract.HEADER_REVISION, self._revision)]
        headers += [(contract.HEADER_REQUEST_ID, request_id)]
        if self.is_draining:
            headers.append(("connection", "close"))
        proto.response_bytes(answer.code, headers, bytes(answer.body))
        return answer.code

    def _not_found(self, path: str) -> RequestFault:
        if path.startswith("/v2/models/"):
            other = path.removeprefix("/v2/models/").partition("/")[0]
            if other != self._name:
                return RequestFault(
                    "ModelNotFound",
                    f'There is no model "{other[:64]}" here; this server has "{self._name}".',
                )
            if "/versions/" in path:
                return RequestFault(
                    "ModelNotFound",
                    f'Model "{self._name}" is served here in version "{self._revision}" only.',
                )
        return RequestFault(
            "PathNotFound",
            f"Nothing is here; ask POST {contract.PATH_PREDICT} or "
            f"POST /v2/models/{self._name}/infer.",
        )

    def _server(self) -> tuple[int, Any]:
        version = metadata.version("slipway-runtime")
        return 200, {"name": "slipway", "version": version, "extensions": []}

    def _ready(self) -> tuple[int, Any]:
        is_ready = self.plane is not None and not self.is_draining
        document: dict[str, Any] = {"ready": is_ready, "name": self._name}
        if not is_ready:
            document["error"] = "draining" if self.is_draining else "the model is being loaded"
        return (200 if is_ready else 503), document

    def _model(self) -> tuple[int, Any]:
        if self.plane is None:
            return 503, {"error": "The model is still being loaded; try again."}
        return 200, {**self.plane.describe(self._revision), "name": self._name}

    # ── answers ─────────────────────────────────────────────────────────────────────────────

    def _send(self, proto: Any, code: int, document: Any, request_id: str) -> None:
        headers = [*self._json, (contract.HEADER_REQUEST_ID, request_id)]
        if self.is_draining:
            headers.append(("connection", "close"))
        proto.response_bytes(code, headers, orjson.dumps(document, option=_NUMPY))

    def _refuse(self, proto: Any, fault: RequestFault, request_id: str) -> None:
        code = CODES[fault.reason]
        document: dict[str, Any] = {
            "error": fault.message,
            "reason": fault.reason,
            "request_id": request_id,
        }
        if fault.violations:
            document["violations"] = render_violations(fault.violations)
        headers = [*self._json, (contract.HEADER_REQUEST_ID, request_id)]
        if code == 503:
            headers.append(("retry-after", _RETRY_SECONDS))
        if code == 413 or self.is_draining:
            headers.append(("connection", "close"))
        proto.response_bytes(code, headers, orjson.dumps(document))


def _is_plain(text: str) -> bool:
    return len(text) <= 128 and text.isascii() and text.isprintable()
