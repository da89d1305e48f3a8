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
        yield Rule(
            on=on,
            field="uri",
            reason="URIForbidden",
            message="an s3 URI names a bucket and a key; use s3://BUCKET/KEY",
            cel="!self.uri.startsWith('s3:') || self.uri.matches('^s3://[^/?#]+/.')",
            holds=lambda it: (
                not it.uri.startswith("s3:") or re.search("^s3://[^/?#]+/.", it.uri) is not None
            ),
        )
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
