"""Download one object from S3, Google Cloud Storage or Azure Blob Storage (by obstore)."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore import exceptions

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.receive import Body, receive
from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.artifact.uri import redact_uri
from slipway_runtime.errors import BuildError

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, GetResult
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_RETRY_SECONDS = 10
_MIN_CHUNK = 1 << 20
_NO_CONTAINER = ("NoSuchBucket", "ContainerNotFound")
_DENIED = ("403 Forbidden", "401 Unauthorized", "AccessDenied", "ExpiredToken", "InvalidToken")
# What S3 says to a request that was signed for another region.
_ELSEWHERE = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraint")

T = TypeVar("T")


def download_object(
    errand: Errand, sink: FileSink, make_store: Callable[[], "ObjectStore"], *, keys: str
) -> None:
    """Stream the object into the sink.

    Args:
        make_store: makes the client; called here, so that what it raises is explained.
        keys: the Secret's keys that such a store takes, for messages.

    Raises:
        BuildError: the errand's `not_found`, `ModelAccessDenied`, `URIForbidden`, `FetchTimeout`,
            `SourceUnavailable`, or what the sink raises.
    """
    with asyncio.Runner() as runner:
        try:
            store = make_store()
        except exceptions.BaseError as error:
            # The client reads its keys when it is made. What it says may hold them.
            raise errand.unusable(keys, "they are not of the form that the store takes") from error

        def _wait_for(step: Coroutine[Any, Any, T]) -> T:
            with _explained(errand, keys):
                return runner.run(_in_time(step, errand.deadline.next_wait()))

        def _chunks(stream: "BytesStream") -> Iterator[bytes]:
            while (chunk := _wait_for(_next(stream))) is not None:
                yield chunk

        @contextmanager
        def _open(offset: int, version: str | None) -> Iterator[Body]:
            options: GetOptions = {}
            if offset:
                options = {"range": {"offset": offset}, "if_match": version}
            try:
                answer = _wait_for(_get(store, errand.uri.path, options))
            except exceptions.PreconditionError:  # it changed since the first part came
                answer = _wait_for(_get(store, errand.uri.path, {}))
            meta = answer.meta
            yield Body(
                start=answer.range[0],
                total=meta["size"],
                version=meta["e_tag"],
                chunks=_chunks(answer.stream(min_chunk_size=_MIN_CHUNK)),
            )

        receive(_open, sink, errand)


def read_endpoint(errand: Errand, *names: str) -> str | None:
    """The endpoint of the spec, else that of the Secret (by these keys), checked; None if neither.

    Raises:
        BuildError: `URIForbidden`.
    """
    endpoint = errand.access.endpoint or errand.key(*names)
    if endpoint is None:
        return None
    where = "spec.model.access.endpoint" if errand.access.endpoint else f"{names[0]} of the Secret"
    shown = f'{where} "{redact_uri(endpoint)}"'
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise BuildError("URIForbidden", f"Cannot use {shown}: {error}.") from error
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        raise BuildError(
            "URIForbidden",
            f"Cannot use {shown}: it must be https://HOST[:PORT], without user and query.",
        )
    if parts.scheme == "http" and not errand.allowed.has(parts.hostname, port or 80):
        raise BuildError(
            "URIForbidden",
            f"Cannot use {shown}: it is not https; an administrator can allow plain HTTP to one "
            f"host with SLIPWAY_FETCH_ALLOW={parts.hostname}:{port or 80}.",
        )
    return endpoint.rstrip("/")


def client_options(errand: Errand, endpoint: str | None) -> "ClientConfig":
    """How a store's client connects: through the proxy, in time."""
    return {
        "proxy_url": errand.proxy.url,
        "allow_http": endpoint is not None and endpoint.startswith("http://"),
        "timeout": timedelta(seconds=errand.deadline.left() + 1),
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": timedelta(seconds=errand.deadline.stall_seconds + 1),
    }


def retry_config() -> "RetryConfig":
    """Few and short retries: the whole build is tried again anyway."""
    return {"max_retries": 2, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}


async def _in_time(step: Coroutine[Any, Any, T], seconds: float) -> T:
    return await asyncio.wait_for(step, seconds)


async def _get(store: "ObjectStore", key: str, options: "GetOptions") -> "GetResult":
    return await obstore.get_async(store, key, options=options)


async def _next(stream: "BytesStream") -> bytes | None:
    try:
        return bytes(await anext(stream))
    except StopAsyncIteration:
        return None


@contextmanager
def _explained(errand: Errand, keys: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        errand.raise_refusal()
        raise errand.too_late() from error
    except FileNotFoundError as error:
        container, key = errand.uri.host, errand.uri.path
        if _code(error) in _NO_CONTAINER:
            why = f'there is no bucket or container "{container}"; check its name'
        else:
            why = f'"{container}" has no object "{key}"; check both'
        raise errand.missing(why) from error
    except exceptions.PreconditionError:
        raise
    except exceptions.InvalidPathError as error:
        raise errand.forbidden(f'"{errand.uri.path}" is no key of an object') from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        errand.raise_refusal()
        raise errand.denied(keys, code=_code(error)) from error
    except exceptions.BaseError as error:
        errand.raise_refusal()
        raise _explain(error, errand, keys) from error


def _explain(error: Exception, errand: Errand, keys: str) -> BuildError:
    """Read the kinds that the library has no class for."""
    text = " ".join(str(error).split())
    if any(sign in text for sign in _DENIED):
        return errand.denied(keys, code=_code(error))
    if "timed out" in text or "TimedOut" in text:
        return BuildError(
            "FetchTimeout",
            f"Cannot fetch {errand.what}: the store did not answer in time; try again later.",
            retryable=True,
        )
    code = _code(error)
    if code.startswith(_ELSEWHERE):
        return errand.unavailable(
            f"the bucket is in another region ({code}); set spec.model.access.region",
            retryable=False,
        )
    said = f" ({code})" if code else ""
    return errand.unavailable(
        f"the store could not be reached or failed{said}; check spec.model.access.endpoint, or try "
        "again later"
    )


def _code(error: Exception) -> str:
    """The store's own word for it, such as `SignatureDoesNotMatch`; letters only."""
    found = re.search(r"<Code>([A-Za-z]{1,64})</Code>", str(error))
    return found[1] if found else ""
