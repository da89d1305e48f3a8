"""A registry with the token login of the distribution project, and the server that issues tokens.

https://distribution.github.io/distribution/spec/auth/jwt/: the registry itself verifies them.
"""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from fetch_servers import fetch_server, make_certificate
from store_servers import Store, registry

_ISSUER, _SERVICE = "tests", "registry.test"


@dataclass(frozen=True, kw_only=True)
class TokenStore(Store):
    """A registry; `allow` names it and its login, `issue` makes a token for a scope."""

    allow: str
    issue: Callable[[str], str]


@contextlib.contextmanager
def token_registry(folder: Path) -> Iterator[tuple[TokenStore, list[str]]]:
    """The registry, and the scopes that were asked for with the right password."""
    folder.mkdir()
    pem = make_certificate(folder)
    key = serialization.load_pem_private_key(pem.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    (folder / "root.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    asked: list[str] = []
    login = {"username": "planted-user", "password": "planted-password-1"}

    def _issue(scope: str) -> str:
        kind, name, actions = scope.split(":")
        now = int(time.time())
        access = [{"type": kind, "name": name, "actions": actions.split(",")}]
        chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        return _sign(
            key,
            {"typ": "JWT", "alg": "ES256", "x5c": [chain]},
            {
                "iss": _ISSUER, "sub": "ann", "aud": _SERVICE, "access": access,
                "exp": now + 300, "nbf": now - 10, "iat": now, "jti": str(len(asked)),
            },
        )  # fmt: skip

    def _token(handler: BaseHTTPRequestHandler) -> None:
        pair = f"{login['username']}:{login['password']}"
        wanted = f"Basic {base64.b64encode(pair.encode()).decode()}"
        query = parse_qs(urlsplit(handler.path).query)
        if handler.headers.get("Authorization") != wanted or query["service"] != [_SERVICE]:
            handler.send_error(401)
            return
        asked.append(query["scope"][0])
        body = json.dumps({"token": _issue(query["scope"][0])}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with fetch_server() as tokens:
        tokens.routes["/token"] = _token
        auth = (
            f'token: {{realm: "{tokens.base}/token", service: "{_SERVICE}", issuer: {_ISSUER}, '
            f"rootcertbundle: {folder}/root.pem}}"
        )
        with registry(folder / "data", auth=auth) as store:
            allow = f"{store.address},{tokens.address}"
            yield (
                TokenStore(
                    address=store.address,
                    endpoint=store.endpoint,
                    secrets=login,
                    allow=allow,
                    issue=_issue,
                ),
                asked,
            )


def _sign(key: ec.EllipticCurvePrivateKey, header: object, claims: object) -> str:
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
