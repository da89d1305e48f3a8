"""A client of one repository in an OCI registry (https://specs.opencontainers.org, distribution).

Every connection goes through the egress proxy. Plain HTTP is spoken only to what the administrator
allows, and only when the other side does not speak TLS.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlencode

import httpx

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.from_https import KEYS, basic
from slipway_runtime.artifact.web import NotTLSError, Web, origin_of
from slipway_runtime.errors import BuildError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_MANIFESTS = (MANIFEST_TYPE, "application/vnd.docker.distribution.manifest.v2+json")
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MAX_MANIFEST_BYTES = 4 << 20
_MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks: a user with a password, a ready token, or nobody."""

    username: str = ""
    password: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A blob as a manifest names it."""

    media_type: str
    digest: str
    size_bytes: int
    annotations: Mapping[str, str]


class Registry:
    """One repository.

    Args:
        login: who asks.
        actions: `pull`, or `pull,push`: what tokens are asked for.
        plain: whether it is spoken to without TLS; None: only where that is allowed, and where it
            does not speak TLS.
    """

    def __init__(
        self,
        web: Web,
        errand: Errand,
        *,
        login: Login,
        actions: str = "pull",
        plain: bool | None = None,
    ) -> None:
        self._web, self._errand = web, errand
        self._login, self._actions, self._plain = login, actions, plain
        self._base = f"{'http' if plain else 'https'}://{errand.uri.address}/v2/"
        self._repository = errand.uri.path
        self._authorization: dict[str, str] = {}

    def connect(self) -> None:
        """Find out whether the registry speaks TLS, and log in.

        Raises:
            BuildError: `URIForbidden`, `SourceUnavailable`, `FetchTimeout`, `ModelAccessDenied`.
        """
        try:
            self._log_in()
        except NotTLSError:
            if self._plain is False or not self._errand.allowed.has(
                self._errand.uri.host, self._errand.uri.port
            ):
                raise
            self._base = f"http://{self._errand.uri.address}/v2/"
            self._log_in()

    # ── Pulling ──────────────────────────────────────────────────────────────────────────────
    def read_manifest(self, reference: str) -> dict[str, Any]:
        """The manifest of a tag or digest, checked against the digest.

        Raises:
            BuildError: the errand's `not_found`, `ModelAccessDenied`, `ModelUnreadable` (an index,
                or no manifest), `DigestMismatch`, `SourceUnavailable`, `FetchTimeout`.
        """
        accept = ", ".join((*_MANIFESTS, *_INDEXES))
        with self.get(f"manifests/{reference}", {"accept": accept}) as answer:
            if answer.status_code != 200:
                raise self._explain(answer)
            content = self._web.read(answer, _MAX_MANIFEST_BYTES)
        actual = digest_of(content)
        if reference.startswith("sha256:") and actual != reference:
            raise BuildError(
                "DigestMismatch",
                f"Will not use {self._errand.what}: the registry sent a manifest with digest "
                f"{actual}, asked for was {reference}.",
            )
        try:
            manifest = json.loads(content)
        except ValueError as error:
            raise self._errand.unreadable("the registry sent no manifest") from error
        if not isinstance(manifest, dict) or manifest.get("mediaType") in _INDEXES:
            raise self._errand.unreadable(
                "it is an index of several images; give the digest of the model's own manifest"
            )
        return manifest

    def find_manifest(self, reference: str) -> bytes | None:
        """The manifest of a tag or digest as it lies there, not checked; None: there is none.

        Raises:
            BuildError: `ModelAccessDenied`, `SourceUnavailable`, `FetchTimeout`.
        """
        with self.get(f"manifests/{reference}", {"accept": MANIFEST_TYPE}) as answer:
            if answer.status_code == 404:
                return None
            if answer.status_code != 200:
                raise self._explain(answer)
            return self._web.read(answer, _MAX_MANIFEST_BYTES)

    def read_blob(self, digest: str, stream: IO[bytes], *, limit_bytes: int) -> None:
        """Write a blob into a file, not checked.

        Raises:
            BuildError: as `find_manifest`, or it is not there, or longer than the limit.
        """
        with self.get(f"blobs/{digest}", {}) as answer:
            if answer.status_code != 200:
                raise self._explain(answer)
            left = limit_bytes
            for chunk in self._web.chunks(answer):
                left -= len(chunk)
                if left < 0:
                    raise self._errand.unavailable(
                        f"blob {digest} is longer than {limit_bytes} bytes", retryable=False
                    )
                stream.write(chunk)

    @contextmanager
    def get(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """GET below the repository, whatever the status; redirects are followed."""
        url = f"{self._base}{self._repository}/{path}"
        with self._web.get(url, headers=headers, credentials=self._authorization) as answer:
            yield answer

    # ── Pushing ──────────────────────────────────────────────────────────────────────────────
    def has_blob(self, digest: str) -> bool:
        """Whether the repository has the blob already."""
        with self._send("HEAD", f"blobs/{digest}") as answer:
            if answer.status_code not in (200, 404):
                raise self._explain(answer)
            return answer.status_code == 200

    def push_blob(self, digest: str, size_bytes: int, content: Iterable[bytes]) -> None:
        """Upload one blob.

        Raises:
            BuildError: `ModelAccessDenied`, `SourceUnavailable`, `FetchTimeout`, `URIForbidden`.
        """
        with self._send("POST", "blobs/uploads/") as answer:
            if answer.status_code != 202:
                raise self._explain(answer)
            start = f"{self._base}{self._repository}/blobs/uploads/"
            location = self._web.join(start, answer.headers.get("location", ""))
        sign = "&" if "?" in location else "?"
        headers = {"content-type": "application/octet-stream", "content-length": str(size_bytes)}
        if origin_of(location) == origin_of(self._base):
            headers |= self._authorization
        url = f"{location}{sign}{urlencode({'digest': digest})}"
        with self._web.send("PUT", url, headers=headers, content=content) as answer:
            if answer.status_code != 201:
                raise self._explain(answer)

    def push_manifest(self, reference: str, content: bytes) -> None:
        """Put a manifest under a tag or its digest.

        Raises:
            BuildError: as `push_blob`.
        """
        headers = {"content-type": MANIFEST_TYPE}
        with self._send("PUT", f"manifests/{reference}", headers, content) as answer:
            if answer.status_code != 201:
                raise self._explain(answer)

    @contextmanager
    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Iterator[httpx.Response]:
        url = f"{self._base}{self._repository}/{path}"
        sent = {**(headers or {}), **self._authorization}
        with self._web.send(method, url, headers=sent, content=content) as answer:
            yield answer

    # ── Logging in ───────────────────────────────────────────────────────────────────────────
    def _log_in(self) -> None:
        """Ask the registry what it wants, and get it (the token authentication of the registry).

        https://distribution.github.io/distribution/spec/auth/token/
        """
        if self._login.token:
            self._authorization = {"authorization": f"Bearer {self._login.token}"}
        with self._web.get(self._base, headers={}, credentials=self._authorization) as answer:
            if answer.status_code == 200:
                return
            if answer.status_code != 401:
                raise self._explain(answer)
            challenges = answer.headers.get_list("www-authenticate")
        if self._login.token:
            raise self._errand.denied(KEYS, code="401")
        wanted = _read_challenges(challenges)
        if "bearer" in wanted:
            self._authorization = {"authorization": f"Bearer {self._get_token(wanted['bearer'])}"}
        elif "basic" in wanted and self._login.username:
            self._authorization = {
                "authorization": basic(self._login.username, self._login.password)
            }
        else:
            raise self._errand.denied(KEYS, code="401")

    def _get_token(self, challenge: Mapping[str, str]) -> str:
        query = {"scope": f"repository:{self._repository}:{self._actions}"}
        if "service" in challenge:
            query["service"] = challenge["service"]
        if "realm" not in challenge:
            raise self._errand.unavailable("the registry does not say where to log in")
        realm = self._web.join(self._base, challenge["realm"])
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        credentials = {}
        if self._login.username:
            credentials["authorization"] = basic(self._login.username, self._login.password)
        with self._web.get(url, headers={}, credentials=credentials) as answer:
            if answer.status_code != 200:
                raise self._explain(answer)
            content = self._web.read(answer, _MAX_ANSWER_BYTES)
        try:
            found = json.loads(content)
            token = str(found.get("token") or found["access_token"])
        except (ValueError, KeyError, AttributeError) as error:
            raise self._errand.unavailable("the registry's login sent no token") from error
        if not (token.isascii() and token.isprintable()):
            raise self._errand.unavailable("the registry's login sent no token")
        return token

    def _explain(self, answer: httpx.Response) -> BuildError:
        status = answer.status_code
        code = self._read_code(answer)
        if status in (401, 403):
            return self._errand.denied(KEYS, code=code or str(status))
        if status == 404:
            return self._errand.missing(
                f"the registry has no {self._errand.uri.reference} in repository "
                f'"{self._repository}"; check the address'
            )
        return self._errand.unavailable(
            f"the registry answered {code or status}; try again later",
            retryable=status >= 500 or status in (408, 429),
        )

    def _read_code(self, answer: httpx.Response) -> str:
        """The registry's own word for it, such as `MANIFEST_UNKNOWN`; letters only."""
        try:
            content = self._web.read(answer, _MAX_ANSWER_BYTES).decode()
        except (BuildError, UnicodeDecodeError, httpx.StreamError):
            return ""
        found = re.search(r'"code"\s*:\s*"([A-Z_]{1,64})"', content)
        return found[1] if found else ""


def read_layers(manifest: Mapping[str, Any], errand: Errand) -> tuple[Descriptor, ...]:
    """The files of a manifest.

    Raises:
        BuildError: `ModelUnreadable`.
    """
    try:
        return tuple(
            Descriptor(
                media_type=str(layer["mediaType"]),
                digest=str(re.fullmatch(r"sha256:[0-9a-f]{64}", layer["digest"])[0]),  # type: ignore[index]
                size_bytes=int(layer["size"]),
                annotations={str(k): str(v) for k, v in (layer.get("annotations") or {}).items()},
            )
            for layer in manifest["layers"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errand.unreadable("its manifest is not one of files") from error


def digest_of(content: bytes) -> str:
    """The sha256 digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _read_challenges(headers: Iterable[str]) -> dict[str, dict[str, str]]:
    """`WWW-Authenticate` by scheme in lower case (RFC 9110, 11.6.1); quoted parameters only.

    >>> _read_challenges(['Bearer realm="https://a/token",service="s"'])
    {'bearer': {'realm': 'https://a/token', 'service': 's'}}
    """
    found: dict[str, dict[str, str]] = {}
    for header in headers:
        scheme, _, rest = header.strip().partition(" ")
        found[scheme.lower()] = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    return found
