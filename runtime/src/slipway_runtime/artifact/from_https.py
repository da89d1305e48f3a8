"""Download over HTTPS, through the egress proxy, following few and checked redirects."""

import base64
import os
import ssl
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import httpx

from slipway_runtime.artifact.addresses import AllowList
from slipway_runtime.artifact.egress import EgressProxy, raise_refusal
from slipway_runtime.artifact.sink import FetchDeadline, FileSink
from slipway_runtime.artifact.uri import SourceUri, redact_uri
from slipway_runtime.errors import BuildError

MAX_REDIRECTS = 3
_CHUNK = 1 << 18


def download_https(
    uri: SourceUri,
    sink: FileSink,
    *,
    what: str,
    not_found: str,
    secrets: Mapping[str, str],
    secret_name: str,
    proxy: EgressProxy,
    allowed: AllowList,
    deadline: FetchDeadline,
) -> None:
    """Stream the body of `uri` into the sink.

    Args:
        secrets: `token`, or `username` and `password`; sent to the first origin only.
        secret_name: how the Secret is called in messages.

    Raises:
        BuildError: `URIForbidden`, `not_found` (a reason), `ModelAccessDenied`, `FetchTimeout`,
            `SourceUnavailable`, or what the sink raises.
    """
    url, origin = uri.asked, _origin(uri.asked)
    authorities = os.environ.get("SSL_CERT_FILE")
    verify = ssl.create_default_context(cafile=authorities) if authorities else True
    with httpx.Client(verify=verify, proxy=proxy.url, trust_env=False) as client:
        for _ in range(MAX_REDIRECTS + 1):
            _refuse_plaintext(url, allowed, what)
            headers = {"accept-encoding": "identity"}
            if _origin(url) == origin:
                headers |= _credentials(secrets)
            try:
                with client.stream(
                    "GET", url, headers=headers, timeout=deadline.next_wait() or 0.001
                ) as answer:
                    raise_refusal(proxy, what)
                    if answer.has_redirect_location:
                        url = _follow(url, answer.headers["location"], what)
                        continue
                    _check_status(answer, what=what, not_found=not_found, secret_name=secret_name)
                    _stream_body(answer, sink)
                    return
            except httpx.HTTPError as error:
                raise_refusal(proxy, what)
                raise _explain(error, what=what, deadline=deadline) from error
    raise BuildError(
        "URIForbidden",
        f"Cannot fetch {what}: more than {MAX_REDIRECTS} redirects; give the final address.",
    )


def _stream_body(answer: httpx.Response, sink: FileSink) -> None:
    length = answer.headers.get("content-length", "")
    if length.isdigit():
        sink.expect(int(length))
    # Raw: a body is taken as it is, and never unpacked on the way.
    for chunk in answer.iter_raw(_CHUNK):
        sink.write(chunk)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _follow(url: str, location: str, what: str) -> str:
    target = urljoin(url, location)
    if url.startswith("https:") and not target.startswith("https:"):
        raise BuildError(
            "URIForbidden",
            f'Cannot fetch {what}: it redirects from https to "{redact_uri(target)}".',
        )
    return target


def _refuse_plaintext(url: str, allowed: AllowList, what: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    host, port = parts.hostname or "", parts.port or 80
    if parts.scheme == "http" and allowed.has(host, port):
        return
    raise BuildError(
        "URIForbidden",
        f'Cannot fetch {what}: "{redact_uri(url)}" is not https; an administrator can allow plain '
        f"HTTP to one host with SLIPWAY_FETCH_ALLOW={host}:{port}.",
    )


def _credentials(secrets: Mapping[str, str]) -> dict[str, str]:
    if "token" in secrets:
        return {"authorization": f"Bearer {secrets['token']}"}
    if "username" in secrets:
        pair = f"{secrets['username']}:{secrets.get('password', '')}"
        return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def _check_status(answer: httpx.Response, *, what: str, not_found: str, secret_name: str) -> None:
    code = answer.status_code
    if code == 200:
        return
    if code in (404, 410):
        raise BuildError(
            not_found, f"Cannot find {what}: the server answered {code}; check the address."
        )
    if code in (401, 403, 407):
        raise BuildError(
            "ModelAccessDenied",
            f"Cannot fetch {what}: the server answered {code}; check the credentials in "
            f"{secret_name} (token, or username and password).",
        )
    raise BuildError(
        "SourceUnavailable",
        f"Cannot fetch {what}: the server answered {code}; try again later.",
        retryable=code >= 500 or code in (408, 429),
    )


def _explain(error: httpx.HTTPError, *, what: str, deadline: FetchDeadline) -> BuildError:
    if isinstance(error, httpx.TimeoutException):
        return deadline.error(what)
    return BuildError(
        "SourceUnavailable",
        f"Cannot fetch {what}: {' '.join(str(error).split()) or type(error).__name__}; "
        "check the address, or try again later.",
        retryable=True,
    )
