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
        self.otherwise: Answer = lambda handler: handler.send_error(404)
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

    def ranged(
        self,
        path: str,
        body: bytes,
        *,
        etag: str | None = '"1"',
        breaks: tuple[int, ...] = (),
        may: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: True,
    ) -> str:
        """Answer ranges as a store does (RFC 9110, 14): If-Range, If-Match, 206, 412.

        Args:
            breaks: the first answers break off after so many bytes, one number an answer.
            may: a request for which it is false gets 403.
        """
        left = list(breaks)

        def _answer(handler: BaseHTTPRequestHandler) -> None:
            if not may(handler):
                handler.send_error(403)
                return
            if handler.headers.get("If-Match", etag) != etag:
                handler.send_error(412)
                return
            start, _, _ = handler.headers.get("Range", "").removeprefix("bytes=").partition("-")
            first = int(start) if start and handler.headers.get("If-Range", etag) == etag else 0
            handler.send_response(206 if first else 200)
            if first:
                handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            if etag is not None:
                handler.send_header("ETag", etag)
            handler.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            handler.send_header("Content-Length", str(len(body) - first))
            handler.end_headers()
            handler.wfile.write(body[first : first + left.pop(0)] if left else body[first:])
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


class Relay:
    """Passes connections on to a server, and breaks them as told.

    `breaks` holds after how many bytes of the answer the next connections are cut (`kind` "cut")
    or go silent ("stall"); it counts connections only whose answer reaches `over` bytes. All
    others pass whole. `passed` and `broken` count bytes of answers and broken connections.
    """

    def __init__(
        self, target: str, *, kind: str = "cut", over: int = 1, breaks: tuple[int, ...] = ()
    ) -> None:
        self._target, self._kind, self._over, self._breaks = target, kind, over, list(breaks)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = self.passed = self.broken = 0
        self._released = threading.Event()

    def __enter__(self) -> "Relay":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        host, _, port = self._target.partition(":")
        limit, passed = None, 0
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection((host, int(port)), timeout=30) as server,
        ):
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            while chunk := server.recv(65536):
                if limit is None and passed + len(chunk) >= self._over and self._breaks:
                    limit = self._breaks.pop(0)
                if limit is not None:
                    chunk = chunk[: max(0, limit - passed)]
                client.sendall(chunk)
                passed += len(chunk)
                self.passed += len(chunk)
                if limit is not None and passed >= limit:
                    self.broken += 1
                    if self._kind == "stall":
                        self._released.wait(60)
                    client.shutdown(socket.SHUT_RDWR)
                    return


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)


@contextlib.contextmanager
def fetch_server(certificate: Path | None = None) -> Iterator[FetchServer]:
    """Serve on a free port of 127.0.0.1; HTTPS when a certificate (with key, PEM) is given."""

    class _Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            found.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            found.asked.set()
            with contextlib.suppress(OSError):
                found.routes.get(path, found.otherwise)(self)

        do_HEAD = do_POST = do_GET

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
