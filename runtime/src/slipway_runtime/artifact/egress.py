"""The only way out of `fetch`: a forward proxy on loopback, in this very process.

Every client goes through it, also on redirects: a host is resolved once, its addresses are
checked, and the connection goes to the checked address. Plain HTTP passes only to the
administrator's exceptions. A token keeps other processes of the machine from using it.
"""

import base64
import contextlib
import secrets
import select
import socket
import threading
from types import TracebackType
from urllib.parse import urlsplit

from slipway_runtime.artifact.addresses import AllowList, resolve_checked
from slipway_runtime.errors import BuildError

_MAX_HEAD = 64 << 10
_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 120.0
_CHUNK = 64 << 10


class EgressProxy:
    """A context manager; `url` is what clients take as their proxy.

    `refusal` is why the last destination was refused: clients turn a refusal into errors of
    their own, so callers ask here (`Errand.raise_refusal`).
    """

    def __init__(self, allowed: AllowList) -> None:
        self._allowed = allowed
        self._token = secrets.token_urlsafe(24)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="egress")
        self.refusal: BuildError | None = None

    @property
    def url(self) -> str:
        """The proxy's address, with its token."""
        return f"http://slipway:{self._token}@127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "EgressProxy":
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop taking connections; open tunnels end with their clients."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=2)

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(_IDLE_SECONDS)
            head, rest = _read_head(client)
            request, _, headers = head.partition(b"\r\n")
            words = request.decode("latin-1").split(" ")
            if len(words) != 3 or not self._is_ours(headers):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            try:
                host, port, first = self._destination(words, headers)
                upstream = self._connect(host, port)
            except BuildError as error:
                self.refusal = error
                client.sendall(
                    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            self.refusal = None  # an earlier one did not last
            with upstream:
                if first is None:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    first = b""
                upstream.sendall(first + rest)
                _relay(client, upstream)

    def _is_ours(self, headers: bytes) -> bool:
        expected = base64.b64encode(f"slipway:{self._token}".encode())
        for line in headers.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"proxy-authorization":
                return secrets.compare_digest(value.strip(), b"Basic " + expected)
        return False

    def _destination(self, words: list[str], headers: bytes) -> tuple[str, int, bytes | None]:
        """Host, port and, for plain HTTP, the request head to pass on."""
        method, target, version = words
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            if not port.isdigit():
                raise BuildError("URIForbidden", f'Cannot connect to "{target}": it has no port.')
            return host.strip("[]"), int(port), None
        parts = urlsplit(target)
        host, number = parts.hostname or "", parts.port or 80
        if parts.scheme != "http" or not self._allowed.has(host, number):
            raise BuildError(
                "URIForbidden",
                f'Will not speak to "{host}:{number}" without TLS; use https, or let an '
                f"administrator allow it with SLIPWAY_FETCH_ALLOW={host}:{number}.",
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = [
            line
            for line in headers.split(b"\r\n")
            if line and not line.lower().startswith((b"proxy-", b"connection:"))
        ]
        lines = [f"{method} {path} {version}".encode("latin-1"), *kept, b"Connection: close"]
        return host, number, b"\r\n".join(lines) + b"\r\n\r\n"

    def _connect(self, host: str, port: int) -> socket.socket:
        last: OSError | None = None
        for address in resolve_checked(host, port, self._allowed):
            try:
                return socket.create_connection((address, port), timeout=_CONNECT_SECONDS)
            except OSError as error:
                last = error
        raise BuildError(
            "SourceUnavailable",
            f'Cannot connect to "{host}:{port}": {last}; check the address, or try again later.',
            retryable=True,
        )


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = client.recv(_CHUNK)
        if not chunk or len(received) > _MAX_HEAD:
            raise OSError("no request")
        received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    return head + b"\r\n", rest


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until one side closes or nothing moves."""
    while True:
        ready, _, _ = select.select([one, other], [], [], _IDLE_SECONDS)
        if not ready:
            return
        for source in ready:
            chunk = source.recv(_CHUNK)
            if not chunk:
                return
            (other if source is one else one).sendall(chunk)
