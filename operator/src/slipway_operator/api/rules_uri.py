"""Rules over URIs: a scheme that is known, a host where one belongs, and never a password.

The same for every field that takes a URI. Messages show a URI without user, password and query
(`shown_uri`), because a presigned query is a credential too.
"""

import re
from collections.abc import Iterable
from typing import Final

from slipway_operator.api.base import Rule
from slipway_operator.api.spec import Access, Model, Samples, SQLDependency
from slipway_operator.api.vocabulary import OPAQUE_SCHEMES, SCHEMES

_USERINFO: Final = "^[a-zA-Z][-+.a-zA-Z0-9]*://[^/?#]*@"
_UNPRINTABLE: Final = "[\\\\x00-\\\\x20\\\\x7f]"
_KNOWN: Final = (
    f"^(({'|'.join(OPAQUE_SCHEMES)}):.|"
    f"({'|'.join(scheme for scheme in SCHEMES if scheme not in OPAQUE_SCHEMES)})://[^/?#])"
)
_ENDPOINT: Final = "^https?://[^/?#]"
_PATH: Final = "[^/?#]+/([^?#]*[^/?#])"
_NAME: Final = "[a-z0-9]+((\\\\.|_|__|-+)[a-z0-9]+)*"  # of a part of a repository
# scheme → what follows SCHEME://, and what is said when it does not.
_FORMS: Final = {
    "s3": (_PATH, "an s3 URI names a bucket and a key; use s3://BUCKET/KEY"),
    "gs": (_PATH, "a gs URI names a bucket and a key; use gs://BUCKET/KEY"),
    "az": (_PATH, "an az URI names a container and a path; use az://CONTAINER/PATH"),
    "pvc": (
        "[a-z0-9]([-a-z0-9.]*[a-z0-9])?/([^?#]*[^/?#])",
        "a pvc URI names a claim and a file in it; use pvc://CLAIM/PATH",
    ),
    "oci": (
        f"[^/?#]+/{_NAME}(/{_NAME})*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{{64}})?",
        "an oci URI names a registry, a repository in lower case, and a tag or digest; use "
        "oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@sha256:HEX",
    ),
}
_STORES: Final = ("s3", "gs", "az")  # stores that may be somewhere else than usual


def uri_rules() -> Iterable[Rule]:
    """All rules over URIs."""
    for on in (Model, Samples):
        yield Rule(
            on=on,
            field="uri",
            reason="URIForbidden",
            message=f"a URI starts with one of {', '.join(SCHEMES)}, and has a host or bucket "
            "if its scheme takes one; use https://HOST/PATH or s3://BUCKET/KEY, on a laptop also "
            "file:PATH",
            cel=f"self.uri.matches('{_KNOWN}')",
            holds=lambda it: re.search(_KNOWN, it.uri) is not None,
        )
        for scheme, (pattern, message) in _FORMS.items():
            yield _form(on, scheme, pattern, message)
    yield from _clean(Model, "uri")
    yield from _clean(Samples, "uri")
    yield from _clean(Access, "endpoint")
    yield from _clean(SQLDependency, "url")
    yield Rule(
        on=Access,
        field="endpoint",
        reason="URIForbidden",
        message="an endpoint is an https URL; use https://HOST[:PORT]",
        cel=f"!has(self.endpoint) || self.endpoint.matches('{_ENDPOINT}')",
        holds=lambda it: it.endpoint is None or re.search(_ENDPOINT, it.endpoint) is not None,
    )
    yield Rule(
        on=Access,
        field="secretRef",
        reason="FieldConflict",
        message="access has exactly one identity; keep secretRef or serviceAccountName",
        cel="!(has(self.secretRef) && has(self.serviceAccountName))",
        holds=lambda it: it.secret_ref is None or it.service_account_name is None,
    )

    yield _only_for("endpoint", _STORES)
    yield _only_for("region", ("s3",))


def _form(on: type, scheme: str, pattern: str, message: str) -> Rule:
    whole = f"{scheme}://{pattern}"
    python = re.compile(whole.replace("\\\\", "\\"))
    return Rule(
        on=on,
        field="uri",
        reason="URIForbidden",
        message=message,
        cel=f"!self.uri.startsWith('{scheme}:') || self.uri.matches('^{whole}$')",
        holds=lambda it: (
            not it.uri.startswith(f"{scheme}:") or python.fullmatch(it.uri) is not None
        ),
    )


def _only_for(field: str, schemes: tuple[str, ...]) -> Rule:
    """A field of `access` that would be ignored with any other scheme."""
    starts = f"^({'|'.join(schemes)}):"
    return Rule(
        on=Model,
        field=f"access.{field}",
        reason="FieldConflict",
        message=f"only {', '.join(schemes)} addresses have use for it; take access.{field} out",
        cel=f"!has(self.access) || !has(self.access.{field}) || self.uri.matches('{starts}') "
        f"|| (has(self.samples) && self.samples.uri.matches('{starts}'))",
        holds=lambda it: (
            getattr(it.access, field) is None
            or re.search(starts, it.uri) is not None
            or (it.samples is not None and re.search(starts, it.samples.uri) is not None)
        ),
        beside=("uri",),
    )


def _clean(on: type, field: str) -> Iterable[Rule]:
    yield Rule(
        on=on,
        field=field,
        reason="URIForbidden",
        message="a user or password must not stand in a URI; put it into a Secret and name that in "
        "access.secretRef",
        cel=f"!has(self.{field}) || !self.{field}.matches('{_USERINFO}')",
        holds=lambda it: re.search(_USERINFO, getattr(it, field) or "") is None,
    )
    yield Rule(
        on=on,
        field=field,
        reason="URIForbidden",
        message="a URI has no blanks and no line ends; write a blank as %20",
        cel=f"!has(self.{field}) || !self.{field}.matches('{_UNPRINTABLE}')",
        holds=lambda it: re.search("[\x00-\x20\x7f]", getattr(it, field) or "") is None,
    )


def shown_uri(uri: str) -> str:
    """A URI as it may be printed: without user, password, query and fragment."""
    return re.sub("//[^/?#]*@", "//***@", re.split("[?#]", uri, maxsplit=1)[0])
