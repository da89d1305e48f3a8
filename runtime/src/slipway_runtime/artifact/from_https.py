"""Download over HTTPS, with the credentials of a Secret if there are any."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.receive import Body, receive
from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.artifact.web import Web
from slipway_runtime.errors import BuildError

KEYS = "token, or username and password"


def download_https(errand: Errand, sink: FileSink) -> None:
    """Stream the body of an https address into the sink.

    The Secret's `token`, or `username` and `password`, go to the first host only.

    Raises:
        BuildError: `URIForbidden`, the errand's `not_found`, `ModelAccessDenied`, `FetchTimeout`,
            `SourceUnavailable`, or what the sink raises.
    """
    credentials = read_credentials(errand)
    with Web(errand) as web:

        @contextmanager
        def _open(offset: int, version: str | None) -> Iterator[Body]:
            headers = range_headers(offset)
            if version is not None:
                headers["if-range"] = version
            with web.get(errand.uri.asked, headers=headers, credentials=credentials) as answer:
                if answer.status_code not in (200, 206):
                    raise explain_status(answer, errand)
                yield read_body(web, answer, errand, offset=offset, version=_strong_etag(answer))

        receive(_open, sink, errand)


def range_headers(offset: int) -> dict[str, str]:
    """Ask for what comes after the first `offset` bytes."""
    return {"range": f"bytes={offset}-"} if offset else {}


def read_body(
    web: Web, answer: httpx.Response, errand: Errand, *, offset: int, version: str | None
) -> Body:
    """The body of a 200, or of a 206 that begins at `offset`.

    Raises:
        BuildError: `SourceUnavailable` for a part that was not asked for.
    """
    length = answer.headers.get("content-length", "")
    total = int(length) if length.isdigit() else None
    if answer.status_code == 200:
        return Body(start=0, total=total, version=version, chunks=web.chunks(answer))
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("content-range", ""))
    if found is None or int(found[1]) != offset:
        raise errand.unavailable("the server sent another part than it was asked for")
    return Body(start=offset, total=int(found[2]), version=version, chunks=web.chunks(answer))


def read_credentials(errand: Errand) -> dict[str, str]:
    """The `authorization` header of the Secret, or nothing.

    Raises:
        BuildError: `ModelAccessDenied` when a key cannot be used.
    """
    if token := read_token(errand):
        return {"authorization": f"Bearer {token}"}
    if user := errand.key("username"):
        return {"authorization": basic(user, errand.key("password") or "")}
    return {}


def read_token(errand: Errand) -> str | None:
    """The Secret's `token`, as it may stand in a header.

    Raises:
        BuildError: `ModelAccessDenied` when it may not.
    """
    token = errand.key("token")
    if token is not None and not (token.isascii() and " " not in token):
        raise errand.unusable("token", "it holds blanks or signs that are not plain ASCII")
    return token


def basic(user: str, password: str) -> str:
    """The value of a Basic `authorization` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def explain_status(answer: httpx.Response, errand: Errand) -> BuildError:
    """What an answer that is neither a body nor a redirect means."""
    code = answer.status_code
    if code in (404, 410):
        return errand.missing(f"the server answered {code}; check the address")
    if code in (401, 403, 407):
        return errand.denied(KEYS, code=str(code))
    return errand.unavailable(
        f"the server answered {code}; try again later",
        retryable=code >= 500 or code in (408, 429),
    )


def _strong_etag(answer: httpx.Response) -> str | None:
    etag: str = answer.headers.get("etag", "")
    return etag if etag.startswith('"') else None
