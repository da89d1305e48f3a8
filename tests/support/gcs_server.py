"""A Google Cloud Storage on loopback: the download of the XML API, and tokens that are checked.

There is an emulator in the registries, but none that looks at a token. This one verifies the
signed token of a service account (RFC 7519, RS256) as https://google.aip.dev/auth/4111 has it.
"""

import base64
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fetch_servers import FetchServer, fetch_server
from store_servers import Store

ACCOUNT = "reader@planted.example"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def make_account(*, email: str = ACCOUNT) -> tuple[rsa.RSAPrivateKey, str]:
    """A private key, and the service account file that holds it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key, json.dumps(
        {
            "type": "service_account",
            "client_email": email,
            "private_key_id": "1",
            "private_key": pem.decode(),
            "token_uri": "https://planted.invalid/token",
            "gcs_base_url": "https://planted.invalid",  # must not be followed
        }
    )


@contextlib.contextmanager
def gcs_store(objects: Mapping[str, bytes]) -> Iterator[tuple[Store, FetchServer]]:
    """Serve `BUCKET/KEY` → content to one service account; a bucket without objects is none."""
    key, account = make_account()
    buckets = {name.partition("/")[0] for name in objects}
    with fetch_server() as server:

        def _may(handler: BaseHTTPRequestHandler) -> bool:
            scheme, _, token = handler.headers.get("Authorization", "").partition(" ")
            return scheme == "Bearer" and _is_valid(token, key.public_key())

        for name, content in objects.items():
            server.ranged(f"/{name}", content, may=_may)

        def _decoded(handler: BaseHTTPRequestHandler) -> None:
            path = unquote(handler.path)
            if path in server.routes:
                server.routes[path](handler)
                return
            code = "NoSuchKey" if path.split("/")[1] in buckets else "NoSuchBucket"
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
            handler.send_response(404)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        server.otherwise = _decoded
        yield (
            Store(
                address=server.address,
                endpoint=server.base,
                secrets={"GOOGLE_APPLICATION_CREDENTIALS_JSON": account},
            ),
            server,
        )


def _is_valid(token: str, key: rsa.RSAPublicKey) -> bool:
    head, _, rest = token.partition(".")
    claims, _, signature = rest.partition(".")
    try:
        key.verify(
            _decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        header, found = json.loads(_decode(head)), json.loads(_decode(claims))
    except (InvalidSignature, ValueError):
        return False
    return bool(
        header["alg"] == "RS256"
        and found["iss"] == found["sub"] == ACCOUNT
        and SCOPE in found["scope"].split()
        and found["iat"] - 60 <= time.time() < found["exp"] <= found["iat"] + 3600
    )


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
