"""Small HTTP(S) servers on loopback that misbehave on request, for the fetch tests."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class FetchServer:
    """Answers by path; keeps the headers of every request."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.routes: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.port = int(server.server_address[1])
        self.address = f"127.0.0.1:{self.port}"
        self.base = f"{scheme}://{self.address}"
        self.released = threading.Event()
        self.asked = threading.Event()

    def wait_for_request(self) -> bool:
        """Wait until the first request came."""
        return self.asked.wait(30)

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Answer `path` with this body; returns its URL."""

        def _answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.routes[path] = _answer
        return self.base + path

    def redirect(self, path: str, target: str) -> str:
        """Answer `path` with a redirect."""
        return self.serve(path, b"", 302, Location=target)

    def stall(self, path: str, body: bytes, sent: int) -> str:
        """Announce the whole body, send a part, and wait until released."""

        def _answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:sent])
            handler.wfile.flush()
            self.released.wait(30)

        self.routes[path] = _answer
        return self.base + path

    def cut(self, path: str, body: bytes, sent: int) -> str:
        """Announce the whole body, send a part, and close."""

        def _answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:sent])
            handler.close_connection = True

        self.routes[path] = _answer
        return self.base + path

    def endless(self, path: str) -> str:
        """Send chunks without a length until the client leaves."""

        def _answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    handler.wfile.write(bytes(65536))

        self.routes[path] = _answer
        return self.base + path


@contextlib.contextmanager
def fetch_server(certificate: Path | None = None) -> Iterator[FetchServer]:
    """Serve on a free port of 127.0.0.1; HTTPS when a certificate (with key, PEM) is given."""

    class _Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            found.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            found.asked.set()
            answer = found.routes.get(path)
            if answer is None:
                self.send_error(404)
            else:
                with contextlib.suppress(OSError):
                    answer(self)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.handle_error = lambda *arguments: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    found = FetchServer(server, "https" if certificate else "http")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        found.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, as one PEM file."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * 80))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
