"""Read a source URI once: scheme, host, path; and what of it may be shown.

Pure. The control side has checked the spec; this check stands in front of the network all the same.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from slipway_runtime.errors import BuildError

LATER_SCHEMES = frozenset({"abfs", "abfss", "git", "hf", "mlflow", "models", "runs"})
# One object in a bucket or container.
OBJECT_SCHEMES = {"s3": "s3://BUCKET/KEY", "gs": "gs://BUCKET/KEY", "az": "az://CONTAINER/PATH"}
_SCHEMES = frozenset({"file", "https", "http", "oci", "pvc", *OBJECT_SCHEMES})
_SHOWN_SCHEMES = "https, s3, gs, az, oci, pvc, file"
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_REFERENCE = re.compile(
    r"(?P<repository>[^:@]+)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUri:
    """A checked URI.

    Attributes:
        scheme: `file`, `https`, `http` (administrator's exceptions only), `s3`, `gs`, `az`, `oci`
            or `pvc`.
        host: lower case; the bucket or container of an object, the claim for `pvc`, empty for
            `file`.
        port: the port that will be connected to; 0 where the scheme alone does not say.
        path: decoded for `file`, `pvc` and objects (the key), as written for `https`, the
            repository for `oci`.
        reference: the digest, else the tag, for `oci`; else empty.
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
    reference: str = ""

    @property
    def address(self) -> str:
        """`HOST[:PORT]` as registries are called: without 443, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


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


def parse_uri(uri: str, *, field: str, allow_file: bool, doing: str = "fetch") -> SourceUri:
    """Check `uri`, the value of `field`; `doing` is what is tried, for messages.

    Raises:
        BuildError: `URIForbidden` or `URISchemeNotYetSupported`.
    """
    shown = redact_uri(uri)
    what = f'Cannot {doing} {field} "{shown}"'
    if not uri.isprintable() or any(sign.isspace() for sign in uri):
        raise BuildError(
            "URIForbidden",
            f"{what}: it holds blanks or control characters; encode them as %20.",
        )
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise BuildError("URIForbidden", f"{what}: {error}.") from error
    scheme = parts.scheme.lower()
    _check_scheme(scheme, what)
    _check_parts(parts, what)
    if scheme == "file":
        return _parse_file(parts, what=what, shown=shown, asked=uri, allow_file=allow_file)
    if not parts.hostname:
        raise BuildError("URIForbidden", f"{what}: it names no host.")
    path, reference = parts.path, ""
    if scheme in OBJECT_SCHEMES:
        path, port = _parse_key(parts, what, OBJECT_SCHEMES[scheme]), 0
    elif scheme == "pvc":
        if allow_file:
            raise BuildError(
                "URIForbidden",
                f"{what}: a laptop has no PersistentVolumeClaims; give the path of "
                "the file on this machine, file:PATH.",
            )
        path, port = _parse_key(parts, what, "pvc://CLAIM/PATH"), 0
    elif scheme == "oci":
        path, reference = _parse_reference(parts, what)
        port = port or 443
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
        reference=reference,
    )


def _parse_key(parts: SplitResult, what: str, form: str) -> str:
    """The part after the bucket, container or claim, decoded."""
    path = unquote(parts.path).lstrip("/")
    kind = "file" if parts.scheme == "pvc" else "object"
    if parts.port is not None or not path or path.endswith("/"):
        raise BuildError("URIForbidden", f"{what}: it must name one {kind}, {form}.")
    if any(part in (".", "..") for part in path.split("/")) or "\x00" in path:
        raise BuildError("URIForbidden", f'{what}: its path must not hold "..".')
    if parts.scheme == "pvc" and not _CLAIM.fullmatch(parts.netloc):
        raise BuildError("URIForbidden", f'{what}: "{parts.netloc}" names no claim.')
    return path


def _parse_reference(parts: SplitResult, what: str) -> tuple[str, str]:
    """Repository, and digest or tag; the tag `latest` when neither is given."""
    found = _REFERENCE.fullmatch(parts.path.removeprefix("/"))
    if found is None or not _REPOSITORY.fullmatch(found["repository"]):
        raise BuildError(
            "URIForbidden",
            f"{what}: it must be oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:…], the "
            "repository in lower case.",
        )
    return found["repository"], found["digest"] or found["tag"] or "latest"


def _check_scheme(scheme: str, what: str) -> None:
    if scheme in LATER_SCHEMES:
        raise BuildError(
            "URISchemeNotYetSupported",
            f'{what}: scheme "{scheme}" is not supported yet; use https, s3 or, on a laptop, file.',
        )
    if scheme not in _SCHEMES:
        raise BuildError(
            "URIForbidden",
            f'{what}: scheme "{scheme}" is not one of https, s3, file.',
        )


def _check_parts(parts: SplitResult, what: str) -> None:
    if parts.username is not None or parts.password is not None:
        raise BuildError(
            "URIForbidden",
            f"{what}: a URI must not hold a user name or password; "
            "put them into a Secret and name it in spec.model.access.secretRef.",
        )
    if parts.fragment or (parts.query and parts.scheme not in {"https", "http"}):
        raise BuildError(
            "URIForbidden",
            f"{what}: it has a query or fragment, which {parts.scheme} does not take.",
        )


def _parse_file(
    parts: SplitResult, *, what: str, shown: str, asked: str, allow_file: bool
) -> SourceUri:
    authority, path = parts.netloc, unquote(parts.path)
    if not allow_file:
        raise BuildError(
            "URIForbidden",
            f"{what}: file: works on a laptop only; put the file into an object "
            "store and give its https: or s3: address.",
        )
    if authority not in ("", "localhost") or not path.startswith("/"):
        raise BuildError("URIForbidden", f"{what}: give an absolute path, file:/FOLDER/FILE.")
    return SourceUri(
        scheme="file", host="", port=0, path=path, name=_safe_name(path), shown=shown, asked=asked
    )


def _safe_name(path: str) -> str:
    """The last part of a path as a plain file name: no separators, no leading dot."""
    last = path.rstrip("/").rpartition("/")[2]
    return _UNSAFE_IN_NAME.sub("_", last).lstrip(".")[-_MAX_NAME:] or "model"
