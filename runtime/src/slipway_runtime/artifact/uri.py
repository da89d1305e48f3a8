"""Read a source URI once: scheme, host, path; and what of it may be shown.

Pure. The control side has checked the spec; this check stands in front of the network all the same.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from slipway_runtime.errors import BuildError

LATER_SCHEMES = frozenset(
    {"abfs", "abfss", "az", "git", "gs", "hf", "mlflow", "models", "oci", "pvc", "runs"}
)
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUri:
    """A checked URI.

    Attributes:
        scheme: `file`, `https`, `http` (administrator's exceptions only) or `s3`.
        host: lower case; the bucket for `s3`, empty for `file`.
        port: the port that will be connected to; 0 where the scheme alone does not say.
        path: decoded for `file` and `s3` (the key), as written for `https`.
        name: a safe file name for what comes.
        shown: the URI without credentials, query and fragment, for messages and the manifest.
        asked: the URI as it was given; never shown.
    """

    scheme: str
    host: str
    port: int
    path: str
    name: str
    shown: str
    asked: str


def redact_uri(uri: str) -> str:
    """Drop what may hold a credential: user information, query and fragment."""
    try:
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return uri.partition(":")[0] + ":…"
    if not parts.netloc:
        return uri.split("?", 1)[0].split("#", 1)[0]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def parse_uri(uri: str, *, field: str, allow_file: bool) -> SourceUri:
    """Check `uri`, the value of `field`.

    Raises:
        BuildError: `URIForbidden` or `URISchemeNotYetSupported`.
    """
    shown = redact_uri(uri)
    what = f'{field} "{shown}"'
    if not uri.isprintable() or any(sign.isspace() for sign in uri):
        raise BuildError(
            "URIForbidden",
            f"Cannot read {what}: it holds blanks or control characters; encode them as %20.",
        )
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise BuildError("URIForbidden", f"Cannot read {what}: {error}.") from error
    scheme = parts.scheme.lower()
    _check_scheme(scheme, what)
    _check_parts(parts, what)
    if scheme == "file":
        return _parse_file(parts, what=what, shown=shown, asked=uri, allow_file=allow_file)
    if not parts.hostname:
        raise BuildError("URIForbidden", f"Cannot fetch {what}: it names no host.")
    path = parts.path
    if scheme == "s3":
        path = unquote(path).lstrip("/")
        if not path or path.endswith("/"):
            raise BuildError(
                "URIForbidden", f"Cannot fetch {what}: it must name one object, s3://BUCKET/KEY."
            )
        port = 0
    elif port is None:
        port = 443 if scheme == "https" else 80
    return SourceUri(
        scheme=scheme,
        host=parts.hostname,
        port=port,
        path=path,
        name=_safe_name(unquote(path)),
        shown=shown,
        asked=uri,
    )


def _check_scheme(scheme: str, what: str) -> None:
    if scheme in LATER_SCHEMES:
        raise BuildError(
            "URISchemeNotYetSupported",
            f'Cannot fetch {what}: scheme "{scheme}" is not supported yet; use https, s3 or, '
            "on a laptop, file.",
        )
    if scheme not in {"file", "https", "http", "s3"}:
        raise BuildError(
            "URIForbidden",
            f'Cannot fetch {what}: scheme "{scheme}" is not one of https, s3, file.',
        )


def _check_parts(parts: SplitResult, what: str) -> None:
    if parts.username is not None or parts.password is not None:
        raise BuildError(
            "URIForbidden",
            f"Cannot fetch {what}: a URI must not hold a user name or password; "
            "put them into a Secret and name it in spec.model.access.secretRef.",
        )
    if parts.fragment or (parts.query and parts.scheme in {"file", "s3"}):
        raise BuildError(
            "URIForbidden",
            f"Cannot fetch {what}: it has a query or fragment, which {parts.scheme} does not take.",
        )


def _parse_file(
    parts: SplitResult, *, what: str, shown: str, asked: str, allow_file: bool
) -> SourceUri:
    authority, path = parts.netloc, unquote(parts.path)
    if not allow_file:
        raise BuildError(
            "URIForbidden",
            f"Cannot fetch {what}: file: works on a laptop only; put the file into an object "
            "store and give its https: or s3: address.",
        )
    if authority not in ("", "localhost") or not path.startswith("/"):
        raise BuildError(
            "URIForbidden", f"Cannot fetch {what}: give an absolute path, file:/FOLDER/FILE."
        )
    return SourceUri(
        scheme="file", host="", port=0, path=path, name=_safe_name(path), shown=shown, asked=asked
    )


def _safe_name(path: str) -> str:
    """The last part of a path as a plain file name: no separators, no leading dot."""
    last = path.rstrip("/").rpartition("/")[2]
    return _UNSAFE_IN_NAME.sub("_", last).lstrip(".")[-_MAX_NAME:] or "model"
