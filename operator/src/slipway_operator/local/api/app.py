"""The API as an ASGI application: one handler a verb over the store.

Every request needs the bearer token. Errors are ``kind: Status``. It decides nothing about models:
that is the core's, which wakes by the store's changes.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from slipway_operator.edges.clock import utc_now
from slipway_operator.local.api.admission import Validate, admit
from slipway_operator.local.api.answers import build_failure, build_list, build_success, render
from slipway_operator.local.api.discovery import describe_path
from slipway_operator.local.api.logs import choose_container, find_run, stream_log
from slipway_operator.local.api.reading import (
    Target,
    is_set,
    parse_match,
    parse_path,
    place,
    read_document,
    refuse_dry_run,
)
from slipway_operator.local.api.scale import build_scale, read_scale
from slipway_operator.local.api.tables import build_table, wants_table
from slipway_operator.local.api.watching import stream_changes
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.errors import BadRequest, EngineError, NotFound, UnsupportedMedia
from slipway_operator.local.kinds import POD, SECRET, Kind
from slipway_operator.local.merge import is_plain_merge, merge_patch
from slipway_operator.local.store import Store

log = logging.getLogger(__name__)
Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


class Unauthorized(EngineError):
    """No token, or not ours."""

    code, reason = 401, "Unauthorized"


class MethodNotAllowed(EngineError):
    """The path has no such verb."""

    code, reason = 405, "MethodNotAllowed"


class Api:
    """The handlers; ``stop`` is called when the engine is asked to end."""

    def __init__(
        self,
        *,
        store: Store,
        data: DataFolder,
        token: str,
        validate: Validate,
        stop: Callable[[], None],
        describe: Callable[[], Object],
    ) -> None:
        self._store, self._data, self._token = store, data, token
        self._validate, self._stop, self._describe = validate, stop, describe

    def build(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/slipway/v1/stop", self._guard(self._on_stop), methods=["POST"]),
                Route("/slipway/v1/engine", self._guard(self._on_engine), methods=["GET"]),
                Route(
                    "/{path:path}",
                    self._guard(self._on_path),
                    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
                ),
            ]
        )

    def _guard(
        self, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                given = request.headers.get("authorization", "")
                if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                    raise Unauthorized("The token is missing or wrong; it stands in engine.json.")
                return await handler(request)
            except EngineError as error:
                return render(build_failure(error), code=error.code)

        return guarded

    # ── The engine itself ────────────────────────────────────────────────────────────────────
    async def _on_stop(self, _: Request) -> Response:
        asyncio.get_running_loop().call_later(0.05, self._stop)
        return render(build_success("The engine stops."), code=202)

    async def _on_engine(self, _: Request) -> Response:
        return render(self._describe())

    # ── Objects ──────────────────────────────────────────────────────────────────────────────
    async def _on_path(self, request: Request) -> Response:
        described = describe_path(request.url.path) if request.method == "GET" else None
        return await self._on_object(request) if described is None else render(described)

    async def _on_object(self, request: Request) -> Response:
        target = parse_path(request.url.path)
        refuse_dry_run(request, {})
        if target.part == "log" and target.kind is POD and request.method == "GET":
            return self._log(request, target)
        if target.part == "scale" and target.kind.has_scale:
            return await self._scale(request, target, target.name or "")
        if target.part not in (None, "status") or (target.part and not target.kind.has_status):
            raise NotFound(f'The engine serves no path "{request.url.path}".')
        match request.method, target.name:
            case "GET", None:
                return self._list(request, target)
            case "GET", str(name):
                item = self._store.get(target.kind, target.namespace or "", name)
                return render(_choose_form(request, target.kind)(item))
            case "POST", None if target.namespace is not None:
                document = place(await read_document(request), target)
                document = admit(document, target.kind, validate=self._validate)
                return render(self._store.create(document), code=201)
            case "PUT", str(name):
                return await self._replace(request, target, name)
            case "PATCH", str(name):
                return await self._patch(request, target, name)
            case "DELETE", str(name):
                return await self._delete(request, target, name)
            case _:
                raise MethodNotAllowed(f"{request.method} is not for {request.url.path}.")

    def _list(self, request: Request, target: Target) -> Response:
        if is_set(request, "watch"):
            return self._watch(request, target)
        matches = parse_match(request)
        items = self._store.list(target.kind, namespace=target.namespace)
        items = [item for item in items if matches(item)]
        if wants_table(request.headers.get("accept", "")):
            return render(_build_table(request, target.kind, items, str(self._store.version)))
        return render(build_list(target.kind, items, self._store.version))

    def _watch(self, request: Request, target: Target) -> Response:
        since = request.query_params.get("resourceVersion") or None
        seconds = request.query_params.get("timeoutSeconds")
        for name, value in (("resourceVersion", since), ("timeoutSeconds", seconds)):
            if value is not None and not value.isdigit():
                raise BadRequest(f'{name} "{value}" is no number.')
        stream = stream_changes(
            self._store,
            target,
            show=_choose_form(request, target.kind),
            since=int(since) if since else None,
            seconds=float(seconds) if seconds else None,
            matches=parse_match(request),
        )
        return StreamingResponse(stream, media_type="application/json")

    async def _replace(self, request: Request, target: Target, name: str) -> Response:
        document = place(await read_document(request), target)
        if target.part == "status":
            live = self._store.get(target.kind, target.namespace or "", name)
            uid = document["metadata"].get("uid") or live["metadata"]["uid"]
            return render(
                self._store.set_status(
                    target.kind, target.namespace or "", name, uid, document.get("status") or {}
                )
            )
        return render(self._store.replace(admit(document, target.kind, validate=self._validate)))

    async def _patch(self, request: Request, target: Target, name: str) -> Response:
        media = request.headers.get("content-type", "").partition(";")[0].strip()
        document = await read_document(request)
        namespace = target.namespace or ""
        if media == APPLY and target.part is None:
            return self._apply(request, target, name, document)
        if media != MERGE and not (media == STRATEGIC and is_plain_merge(document)):
            raise UnsupportedMedia(
                f'This patch of type "{media}" is not spoken here; use {APPLY} (kubectl: '
                f"--server-side) or {MERGE} (kubectl: --type=merge)."
            )
        if target.part == "status":
            return render(self._store.patch(target.kind, namespace, name, document, status=True))
        live = self._store.get(target.kind, namespace, name)
        admit(merge_patch(live, document), target.kind, validate=self._validate)
        return render(self._store.patch(target.kind, namespace, name, document))

    def _apply(self, request: Request, target: Target, name: str, document: Object) -> Response:
        manager = request.query_params.get("fieldManager")
        if not manager:
            raise BadRequest("An apply needs the query parameter fieldManager.")
        placed = place(document, target)
        if target.kind is SECRET:
            placed = admit(placed, target.kind, validate=self._validate)
        # several managers may own a part each: what must be right is the whole
        whole = self._store.preview_apply(placed, manager=manager)
        admit(whole, target.kind, validate=self._validate)
        existed = self._store.find(target.kind, target.namespace or "", name) is not None
        return render(self._store.apply(placed, manager=manager), code=200 if existed else 201)

    async def _scale(self, request: Request, target: Target, name: str) -> Response:
        namespace = target.namespace or ""
        live = self._store.get(target.kind, namespace, name)
        match request.method:
            case "GET":
                return render(build_scale(target.kind, live))
            case "PUT" | "PATCH":
                patch = read_scale(await read_document(request))
                admit(merge_patch(live, patch), target.kind, validate=self._validate)
                changed = self._store.patch(target.kind, namespace, name, patch)
                return render(build_scale(target.kind, changed))
            case _:
                raise MethodNotAllowed(f"{request.method} is not for {request.url.path}.")

    async def _delete(self, request: Request, target: Target, name: str) -> Response:
        options = await read_document(request) if await _has_body(request) else {}
        policy = options.get("propagationPolicy") or request.query_params.get("propagationPolicy")
        if policy not in (None, "Background"):
            raise BadRequest(f'propagationPolicy "{policy}" is not spoken here; use Background.')
        refuse_dry_run(request, options)
        if options.get("gracePeriodSeconds") is not None:
            raise BadRequest("gracePeriodSeconds is the pod's own; leave it out.")
        conditions = options.get("preconditions") or {}
        gone = self._store.delete(
            target.kind,
            target.namespace or "",
            name,
            uid=conditions.get("uid"),
            version=conditions.get("resourceVersion"),
        )
        return render(
            build_success(
                f'{target.kind.kind} "{name}" deleted.',
                name=name,
                kind=target.kind.plural,
                uid=gone["metadata"]["uid"],
            )
        )

    def _log(self, request: Request, target: Target) -> Response:
        pod = self._store.get(POD, target.namespace or "", target.name or "")
        container = choose_container(pod, request.query_params.get("container"))
        run = find_run(self._data, pod, container, previous=is_set(request, "previous"))
        for name in ("timestamps", "sinceSeconds", "sinceTime", "limitBytes"):
            if request.query_params.get(name, "false") != "false":
                raise BadRequest(f"{name} is not spoken here; use tailLines.")
        tail = request.query_params.get("tailLines")
        if tail is not None and not tail.isdigit():
            raise BadRequest(f'tailLines "{tail}" is no number.')
        stream = stream_log(
            run, follow=is_set(request, "follow"), tail_lines=int(tail) if tail else None
        )
        return StreamingResponse(stream, media_type="text/plain; charset=utf-8")


def _build_table(request: Request, kind: Kind, items: list[Object], version: str) -> Object:
    whole = request.query_params.get("includeObject") == "Object"
    return build_table(kind, items, version=version, now=utc_now(), whole=whole)


def _choose_form(request: Request, kind: Kind) -> Callable[[Object], Object]:
    """How one object is answered: as it is, or as a Table of one row."""
    if not wants_table(request.headers.get("accept", "")):
        return lambda item: item
    return lambda item: _build_table(request, kind, [item], item["metadata"]["resourceVersion"])


async def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or (
        "transfer-encoding" in request.headers
    )
