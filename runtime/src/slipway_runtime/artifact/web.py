"""HTTP through the egress proxy: few and checked redirects, credentials for the first host only."""

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import httpx

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.uri import redact_uri
from slipway_runtime.errors import BuildError

MAX_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}


class NotTLSError(BuildError):
    """The other side answered, and not with TLS."""


class Web:
    """A client for one errand; a context manager."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        authorities = os.environ.get("SSL_CERT_FILE")
        verify = ssl.create_default_context(cafile=authorities) if authorities else True
        self._client = httpx.Client(verify=verify, proxy=errand.proxy.url, trust_env=False)

    def __enter__(self) -> "Web":
        """Open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self._client.close()

    @contextmanager
    def get(
        self, url: str, *, headers: Mapping[str, str], credentials: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        """GET, whatever the status; the body is read with `chunks` or `read`.

        Args:
            credentials: headers that are left out from the first redirect to another host on.

        Raises:
            BuildError: `URIForbidden`, `FetchTimeout`, `SourceUnavailable`.
        """
        sent = {**headers, **credentials}
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send("GET", url, sent, None)
            try:
                if not answer.has_redirect_location:
                    yield answer
                    return
                target = self._follow(url, answer.headers["location"])
            finally:
                answer.close()
            if origin_of(target) != origin_of(url):
                sent = dict(headers)
            url = target
        raise self._errand.forbidden(f"more than {MAX_REDIRECTS} redirects; give the final address")

    @contextmanager
    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: Iterable[bytes] | bytes | None = None,
    ) -> Iterator[httpx.Response]:
        """Any request, whatever the status; redirects are not followed.

        Raises:
            BuildError: as `get`.
        """
        answer = self._send(method, url, headers, content)
        try:
            yield answer
        finally:
            answer.close()

    def chunks(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body as it is: never unpacked on the way."""
        with self._explained():
            yield from answer.iter_raw()

    def read(self, answer: httpx.Response, limit_bytes: int) -> bytes:
        """A small body.

        Raises:
            BuildError: `SourceUnavailable` when it is longer than the limit.
        """
        content = b""
        for chunk in self.chunks(answer):
            content += chunk
            if len(content) > limit_bytes:
                raise self._errand.unavailable(
                    f"the server's answer is longer than {limit_bytes} bytes", retryable=False
                )
        return content

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Iterable[bytes] | bytes | None,
    ) -> httpx.Response:
        self._check(url)
        with self._explained():
            request = self._client.build_request(
                method,
                url,
                headers={"accept-encoding": "identity", **headers},
                content=content,
                timeout=self._errand.deadline.next_wait() or 0.001,
            )
            answer = self._client.send(request, stream=True, follow_redirects=False)
        try:
            self._errand.raise_refusal()
        except BuildError:
            answer.close()
            raise
        return answer

    @contextmanager
    def _explained(self) -> Iterator[None]:
        errand = self._errand
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            errand.raise_refusal()
            if isinstance(error, httpx.TimeoutException):
                raise errand.too_late() from error
            if _is_not_tls(error):
                failed = errand.unavailable("the server does not speak TLS at this port")
                raise NotTLSError(failed.reason, failed.message, retryable=True) from error
            why = " ".join(str(error).split()) or type(error).__name__
            if "header value" in why:  # the library would show it, and it is a credential
                why = "the credentials hold signs that no header may hold"
            raise errand.unavailable(f"{why}; check the address, or try again later") from error

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise self._errand.forbidden(
                f'"{redact_uri(url)}" holds a user name or password; put them into a Secret'
            )
        if parts.scheme == "https":
            return
        host, port = parts.hostname or "", parts.port or 80
        if parts.scheme == "http" and self._errand.allowed.has(host, port):
            return
        raise self._errand.forbidden(
            f'"{redact_uri(url)}" is not https; an administrator can allow plain HTTP to one '
            f"host with SLIPWAY_FETCH_ALLOW={host}:{port}"
        )

    def join(self, url: str, location: str) -> str:
        """The address that `location` means, seen from `url`.

        Raises:
            BuildError: `URIForbidden` when it is no address.
        """
        try:
            target = urljoin(url, location)
            _ = urlsplit(target).port
        except ValueError as error:
            raise self._errand.forbidden(f"the server named no address: {error}") from error
        return target

    def _follow(self, url: str, location: str) -> str:
        target = self.join(url, location)
        if url.startswith("https:") and not target.startswith("https:"):
            raise self._errand.forbidden(f'it redirects from https to "{redact_uri(target)}"')
        return target


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: what credentials belong to."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def _is_not_tls(error: BaseException) -> bool:
    """Whether a handshake failed because the other side does not speak TLS at all."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return cause.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
        cause = cause.__cause__ or cause.__context__
    return False
