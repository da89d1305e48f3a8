"""Download one object from S3 (or what speaks its protocol), through the egress proxy."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import S3Store

from slipway_runtime.artifact.addresses import AllowList
from slipway_runtime.artifact.egress import EgressProxy, raise_refusal
from slipway_runtime.artifact.sink import FetchDeadline, FileSink
from slipway_runtime.artifact.uri import SourceUri, redact_uri
from slipway_runtime.build_request import Access
from slipway_runtime.errors import BuildError

if TYPE_CHECKING:
    from obstore.store import S3Config

_DEFAULT_REGION = "us-east-1"
_RETRY_SECONDS = 10


def download_s3(
    uri: SourceUri,
    sink: FileSink,
    *,
    what: str,
    not_found: str,
    access: Access,
    secrets: Mapping[str, str],
    secret_name: str,
    proxy: EgressProxy,
    allowed: AllowList,
    deadline: FetchDeadline,
) -> None:
    """Stream the object `s3://BUCKET/KEY` into the sink.

    Args:
        access: endpoint and region of the spec; they win over those of the Secret.
        secrets: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`,
            `AWS_ENDPOINT_URL`; without a key the bucket is read without credentials.

    Raises:
        BuildError: `not_found` (a reason), `ModelAccessDenied`, `URIForbidden`, `FetchTimeout`,
            `SourceUnavailable`, or what the sink raises.
    """
    endpoint = access.endpoint or secrets.get("AWS_ENDPOINT_URL")
    if endpoint is not None:
        _check_endpoint(endpoint, allowed)
    config: S3Config = {
        "bucket": uri.host,
        "region": access.region or secrets.get("AWS_REGION") or _DEFAULT_REGION,
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    if key_id := secrets.get("AWS_ACCESS_KEY_ID"):
        config["access_key_id"] = key_id
        config["secret_access_key"] = secrets.get("AWS_SECRET_ACCESS_KEY", "")
        if token := secrets.get("AWS_SESSION_TOKEN"):
            config["session_token"] = token
    else:
        config["skip_signature"] = True  # a public bucket; never ask the machine for credentials
    store = S3Store(
        config=config,
        client_options={
            "proxy_url": proxy.url,
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
            "timeout": timedelta(seconds=deadline.left() + 1),
            "connect_timeout": timedelta(seconds=10),
            "read_timeout": timedelta(seconds=deadline.stall_seconds + 1),
        },
        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)},
    )
    try:
        asyncio.run(_stream(store, uri.path, sink, deadline))
    except TimeoutError as error:
        raise_refusal(proxy, what)
        raise deadline.error(what) from error
    except FileNotFoundError as error:
        raise BuildError(
            not_found,
            f'Cannot find {what}: bucket "{uri.host}" has no object "{uri.path}"; check both.',
        ) from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise_refusal(proxy, what)
        raise _denied(what, secret_name) from error
    except exceptions.BaseError as error:
        raise_refusal(proxy, what)
        raise _explain(error, what=what, secret_name=secret_name) from error


async def _stream(store: S3Store, key: str, sink: FileSink, deadline: FetchDeadline) -> None:
    answer = await asyncio.wait_for(obstore.get_async(store, key), deadline.next_wait())
    sink.expect(answer.meta["size"])
    chunks = answer.stream(min_chunk_size=1 << 20).__aiter__()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks), deadline.next_wait())
        except StopAsyncIteration:
            return
        sink.write(bytes(chunk))


def _check_endpoint(endpoint: str, allowed: AllowList) -> None:
    shown = f'spec.model.access.endpoint "{redact_uri(endpoint)}"'
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise BuildError("URIForbidden", f"Cannot use {shown}: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise BuildError(
            "URIForbidden", f"Cannot use {shown}: it must be https://HOST[:PORT], without a user."
        )
    if parts.scheme == "http" and not allowed.has(parts.hostname, port or 80):
        raise BuildError(
            "URIForbidden",
            f"Cannot use {shown}: it is not https; an administrator can allow plain HTTP to one "
            f"host with SLIPWAY_FETCH_ALLOW={parts.hostname}:{port or 80}.",
        )


def _denied(what: str, secret_name: str) -> BuildError:
    return BuildError(
        "ModelAccessDenied",
        f"Cannot fetch {what}: the store refused the credentials in {secret_name} "
        "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); check them and their rights.",
    )


def _explain(error: Exception, *, what: str, secret_name: str) -> BuildError:
    """Read the kinds that the library has no class for."""
    text = " ".join(str(error).split())
    if any(sign in text for sign in ("403 Forbidden", "401 Unauthorized", "AccessDenied")):
        return _denied(what, secret_name)
    if "timed out" in text or "TimedOut" in text:
        return BuildError(
            "FetchTimeout",
            f"Cannot fetch {what}: the store did not answer in time; try again later.",
            retryable=True,
        )
    return BuildError(
        "SourceUnavailable",
        f"Cannot fetch {what}: the store could not be reached or failed; "
        "check spec.model.access.endpoint, or try again later.",
        retryable=True,
    )
