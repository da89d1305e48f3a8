"""The Kubernetes API as five verbs on plain JSON, over the official client's asyncio side.

No cache, and no retry but where the server asks to be asked later (429 with `Retry-After`), as
client-go does: whatever wakes a model meanwhile must not ask again at once. Beyond that a caller
that fails is called again by its queue.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from slipway_operator.edges.clock import monotonic
from slipway_operator.edges.kubernetes.pages import Page, parse_page, read_item
from slipway_operator.edges.kubernetes.resources import Resource

Json = Mapping[str, Any]
Object = dict[str, Any]
T = TypeVar("T")
TIMEOUT_SECONDS: Final = 15.0
_PAGE: Final = 100
_NOT_FOUND, _CONFLICT, _FORBIDDEN, _TOO_MANY = 404, 409, 403, 429


class ApiRefused(Exception):
    """The API server answered no.

    Attributes:
        status: HTTP's status.
        reason: Kubernetes' own word for it (`Forbidden`, `Conflict`, `Invalid`, …).
        message: its sentence.
        retry_after_seconds: how long it asks to be left alone, where it says so.
    """

    def __init__(
        self, *, status: int, reason: str, message: str, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message
        self.retry_after_seconds = retry_after_seconds

    @property
    def is_conflict(self) -> bool:
        """Somebody else wrote first, or the object is another one by now."""
        return self.status == _CONFLICT

    @property
    def is_forbidden(self) -> bool:
        """A permission is missing."""
        return self.status == _FORBIDDEN

    @property
    def is_absent(self) -> bool:
        """There is no such object, or no such kind."""
        return self.status == _NOT_FOUND


class ApiUnreachable(Exception):
    """The API server gave no answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A whole list, and the version of the store that it shows."""

    items: tuple[Object, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How the API server is reached, for whoever brings a client of its own."""

    server: str
    ca_path: str | None
    is_insecure: bool
    token: str | None
    certificate_path: str | None
    key_path: str | None


class KubernetesApi:
    """One connection pool to one API server."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def describe_connection(self) -> Connection:
        """The connection as it is now: a pod's token is another one every hour."""
        settings = self._client.configuration
        found = settings.get_api_key_with_prefix("BearerToken")
        if hasattr(found, "__await__"):
            found = await found
        return Connection(
            server=settings.host,
            ca_path=settings.ssl_ca_cert,
            is_insecure=not settings.verify_ssl,
            token=str(found).removeprefix("Bearer ").removeprefix("bearer ") if found else None,
            certificate_path=settings.cert_file,
            key_path=settings.key_file,
        )

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None) -> "KubernetesApi":
        """Connect as the pod's ServiceAccount, or as a kubeconfig says.

        Raises:
            ConfigException: neither is there.
        """
        from kubernetes.aio import client, config

        settings = client.Configuration()
        # Not 0, with which the client asks again for ever after a 5xx, past every limit of time.
        settings.retries = None
        if kubeconfig is None:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=str(kubeconfig), client_configuration=settings
            )
        return cls(client.ApiClient(settings))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Listing:
        """All objects of a kind, in pages, as of one moment."""
        found: list[Object] = []
        version = 0
        pages = self.list_pages(resource, namespace=namespace, labels=labels, fields=fields)
        async for page in pages:
            found += [
                read_item(item, api_version=resource.api_version, kind=resource.kind)
                for item in page.items
            ]
            version = int(page.metadata.resource_version)
        return Listing(items=tuple(found), version=version)

    async def list_pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> AsyncIterator[Page]:
        """All objects of a kind as of one moment, a page at a time, their items unread."""
        query: dict[str, str] = {"limit": str(_PAGE)}
        if labels is not None:
            query["labelSelector"] = labels
        if fields is not None:
            query["fieldSelector"] = fields
        while True:
            answer = await self._ask_bytes("GET", resource.path(namespace=namespace), query=query)
            page = _read(parse_page, answer)
            del answer
            yield page
            if not page.metadata.continue_:
                return
            query["continue"] = page.metadata.continue_

    async def find(self, resource: Resource, name: str, *, namespace: str | None) -> Object | None:
        """One object as it is now; None where there is none."""
        try:
            return await self._ask("GET", resource.path(namespace=namespace, name=name))
        except ApiRefused as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise

    async def apply(
        self,
        resource: Resource,
        obj: Json,
        *,
        manager: str,
        within_seconds: float = TIMEOUT_SECONDS,
    ) -> Object:
        """Server-side apply, forced: what the manager says about its fields holds."""
        metadata = obj["metadata"]
        return await self._ask(
            "PATCH",
            resource.path(namespace=metadata.get("namespace"), name=metadata["name"]),
            query={"fieldManager": manager, "force": "true"},
            body=obj,
            content="application/apply-patch+yaml",
            within_seconds=within_seconds,
        )

    async def create(
        self, resource: Resource, obj: Json, *, within_seconds: float = TIMEOUT_SECONDS
    ) -> Object:
        """Create; an object of that name that is there is a conflict."""
        namespace = obj.get("metadata", {}).get("namespace")
        return await self._ask(
            "POST", resource.path(namespace=namespace), body=obj, within_seconds=within_seconds
        )

    async def replace(
        self,
        resource: Resource,
        obj: Json,
        *,
        part: str | None = None,
        within_seconds: float = TIMEOUT_SECONDS,
    ) -> Object:
        """Replace the object (or its `part`) as it was read: its resourceVersion is a condition."""
        metadata = obj["metadata"]
        path = resource.path(namespace=metadata.get("namespace"), name=metadata["name"], part=part)
        return await self._ask("PUT", path, body=obj, within_seconds=within_seconds)

    async def merge(
        self,
        resource: Resource,
        name: str,
        namespace: str,
        patch: Json,
        *,
        within_seconds: float = TIMEOUT_SECONDS,
    ) -> Object:
        """Change some fields of an object."""
        return await self._ask(
            "PATCH",
            resource.path(namespace=namespace, name=name),
            body=patch,
            content="application/merge-patch+json",
            within_seconds=within_seconds,
        )

    async def delete(
        self, resource: Resource, obj: Json, *, within_seconds: float = TIMEOUT_SECONDS
    ) -> bool:
        """Delete this very object in this very state, its own children with it.

        False: it was gone already, is another one by now, or was changed meanwhile.
        """
        metadata = obj["metadata"]
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        try:
            path = resource.path(namespace=metadata["namespace"], name=metadata["name"])
            await self._ask("DELETE", path, body=options, within_seconds=within_seconds)
        except ApiRefused as refused:
            if refused.status in (_NOT_FOUND, _CONFLICT):
                return False
            raise
        return True

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content: str = "application/json",
        within_seconds: float = TIMEOUT_SECONDS,
    ) -> Object:
        answer = await self._ask_bytes(
            method, path, query=query, body=body, content=content, within_seconds=within_seconds
        )
        return _read(_read_object, answer)

    async def _ask_bytes(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        content: str = "application/json",
        within_seconds: float = TIMEOUT_SECONDS,
    ) -> bytes:
        """Ask, and again when the server asked for time and there is as much."""
        until = monotonic() + within_seconds
        while True:
            try:
                return await self._ask_once(
                    method, path, query=query, body=body, content=content,
                    within_seconds=until - monotonic(),
                )  # fmt: skip
            except ApiRefused as refused:
                wait = refused.retry_after_seconds
                if refused.status != _TOO_MANY or wait is None or monotonic() + wait >= until:
                    raise
                await asyncio.sleep(wait)

    async def _ask_once(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        body: Json | None,
        content: str,
        within_seconds: float,
    ) -> bytes:
        headers = {"Accept": "application/json", "Content-Type": content}
        try:
            request = await self._client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*request, _request_timeout=within_seconds)
            content_bytes: bytes = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiUnreachable(
                f"The API server gave no answer to {method} {path} "
                f"({type(error).__name__}: {error})."
            ) from error
        if not 200 <= answer.status <= 299:
            raise _refusal(answer.status, content_bytes, answer.headers.get("Retry-After"))
        return content_bytes


def _read_object(content: bytes) -> Object:
    return msgspec.json.decode(content, type=dict[str, Any])


def _read(decode: Callable[[bytes], T], content: bytes) -> T:
    """A success that is not what was asked for comes from something between here and the server."""
    try:
        return decode(content)
    except msgspec.MsgspecError as error:
        raise ApiUnreachable(
            f"The answer is not the API server's ({error}): {content[:80]!r}."
        ) from error


def _refusal(status: int, content: bytes, retry_after: str | None) -> ApiRefused:
    try:
        told = json.loads(content)
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    message = str(told.get("message") or content[:200].decode(errors="replace"))
    return ApiRefused(
        status=status,
        reason=str(told.get("reason") or status),
        message=message,
        retry_after_seconds=float(retry_after) if retry_after and retry_after.isdecimal() else None,
    )
