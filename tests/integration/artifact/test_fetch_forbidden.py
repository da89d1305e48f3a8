"""Addresses that must never be connected to, however they are written: a listener proves it.

Whatever `fetch` would connect to outside itself is led to one listener on loopback, so an address
that slips through the checks is a connection there, wherever it was meant to go.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fetch_servers import fetch_server
from fetching import build, refused
from slipway_runtime.artifact import egress

METADATA = "169.254.169.254"

# What a resolver of the user's network may say: the seam for names.
NAMES = {
    "metadata.google.internal": [METADATA],
    "rebound.example": ["10.0.0.1"],
    "mixed.example": ["93.184.216.34", "10.0.0.1"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "six.example": ["fd00:ec2::254"],
    "xn--bcher-kva.example": ["192.168.0.1"],
    "a.b.c.internal": ["172.31.255.254"],
    "public.example": ["93.184.216.34"],
}

HOSTS = (
    # metadata services
    METADATA, "169.254.170.2", "100.100.100.200", "[fd00:ec2::254]", "metadata.google.internal",
    "192.0.0.192", "168.63.129.16",
    # loopback, in every notation
    "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.0.0.1",
    "0177.0.0.1", "017700000001", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "[::1]",
    "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    # private ranges, in every notation
    "10.0.0.1", "10.1", "167772161", "0xa000001", "012.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "3232235777", "100.64.0.1", "198.18.0.1", "[fc00::1]", "[fe80::1]",
    "[fec0::1]", "[::ffff:10.0.0.1]", "[::ffff:0:10.0.0.1]", "[64:ff9b::a00:1]",
    "[64:ff9b:1::a00:1]", "[2002:a00:1::]", "[2001:0:a00:1::1]",
    # nobody's, everybody's
    "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "[ff02::1]", "[2001:db8::1]",
    # names that lead inside
    "rebound.example", "mixed.example", "mapped.example", "nat64.example", "six.example",
    "a.b.c.internal",
    # signs that look like others
    "bücher.example", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
)  # fmt: skip

WHOLE = (
    # what is not an address of a host at all, or holds what it must not
    "https://user@127.0.0.1/m", "https://user:word@10.0.0.1/m", "https://example.com@127.0.0.1/m",
    "https://127.0.0.1:0/m", "https://127.0.0.1:65536/m", "https://127.0.0.1:-1/m",
    "https://[::1/m", "https://[fe80::1%25eth0]/m", "https://127.0.0.1%2f@example.com/m",
    "https:///127.0.0.1/m", "https:/127.0.0.1/m", "https:127.0.0.1/m", "https://127.0.0.1\\@x/m",
    "http://127.0.0.1/m", "ftp://127.0.0.1/m", "gopher://127.0.0.1:70/_m", "dict://127.0.0.1/m",
    "ldap://127.0.0.1/m", "data:,m", "hdfs://127.0.0.1/m", "jar:https://127.0.0.1/m!/x",
)  # fmt: skip


class Listener:
    """Counts what connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.connections: list[object] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    running = Listener()
    real_lookup, real_connect = socket.getaddrinfo, socket.create_connection

    def _look_up(host: str, port: int, *rest: int, **options: int) -> list[tuple[object, ...]]:
        found = NAMES.get(host.rstrip(".").lower())
        if found is None:
            return real_lookup(host, port, *rest, **options)  # type: ignore[return-value]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    def _connect(address: tuple[str, int], timeout: float) -> socket.socket:
        running.connections.append(address)
        return real_connect(("127.0.0.1", running.port), timeout=timeout)

    class _Socket:
        """The socket module as `egress` sees it, with outgoing connections led here."""

        def __getattr__(self, name: str) -> object:
            return {"create_connection": _connect}.get(name) or getattr(socket, name)

    monkeypatch.setattr("slipway_runtime.artifact.addresses.socket.getaddrinfo", _look_up)
    monkeypatch.setattr(egress, "socket", _Socket())
    yield running
    running.close()


REASONS = ("URIForbidden", "SourceUnavailable")  # the second: no resolver knows such a name


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_inside_is_not_connected_to(tmp_path: Path, listener: Listener, host: str) -> None:
    error = refused(tmp_path, build(f"https://{host}/m"))
    assert error.reason in REASONS
    assert error.message.endswith(".")
    assert listener.connections == []


@pytest.mark.parametrize("uri", WHOLE)
def test_an_address_that_is_none(tmp_path: Path, listener: Listener, uri: str) -> None:
    error = refused(tmp_path, build(uri))
    assert error.reason in REASONS
    assert "word" not in error.message.replace("password", "")
    assert listener.connections == []


@pytest.mark.parametrize("host", [METADATA, "2130706433", "[::ffff:10.0.0.1]", "mixed.example"])
@pytest.mark.parametrize("uri", ["s3://models/m", "gs://models/m", "az://models/m"])
def test_a_store_inside_is_not_connected_to(
    tmp_path: Path, listener: Listener, uri: str, host: str
) -> None:
    error = refused(
        tmp_path,
        build(uri, endpoint=f"https://{host}/"),
        secrets={
            "AZURE_STORAGE_ACCOUNT": "a",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
        },
    )
    assert error.reason == "URIForbidden"
    assert listener.connections == []


@pytest.mark.parametrize("host", [METADATA, "0x7f000001", "[fd00:ec2::254]", "rebound.example"])
def test_a_registry_inside_is_not_connected_to(
    tmp_path: Path, listener: Listener, host: str
) -> None:
    error = refused(tmp_path, build(f"oci://{host}/churn:1"))
    assert error.reason == "URIForbidden"
    assert listener.connections == []


@pytest.mark.parametrize(
    "endpoint", ["AWS_ENDPOINT_URL", "AZURE_STORAGE_ENDPOINT", "AZURE_STORAGE_CONNECTION_STRING"]
)
def test_a_secret_leads_nowhere_else(tmp_path: Path, listener: Listener, endpoint: str) -> None:
    """Whoever writes a Secret is no administrator."""
    value = f"https://{METADATA}/"
    if endpoint.endswith("STRING"):
        value = f"BlobEndpoint={value};AccountName=a;AccountKey=YQ=="
    uri = "s3://models/m" if endpoint.startswith("AWS") else "az://models/m"
    error = refused(tmp_path, build(uri), secrets={endpoint: value})
    assert error.reason == "URIForbidden"
    assert listener.connections == []


def test_one_exception_opens_one_port(tmp_path: Path, listener: Listener) -> None:
    for uri in ("https://127.0.0.1/m", "https://10.0.0.1:8443/m", "oci://127.0.0.1:5001/churn:1"):
        assert refused(tmp_path, build(uri), allow="127.0.0.1:5000").reason == "URIForbidden"
    assert listener.connections == []


@pytest.mark.parametrize(
    "host", [METADATA, "2130706433", "[::1]", "mixed.example", "rebound.example"]
)
def test_a_redirect_inside_is_not_followed(tmp_path: Path, host: str) -> None:
    """The first server is allowed and real; where it sends to is not."""
    with fetch_server() as inside, fetch_server() as server:
        url = server.redirect("/m", f"http://{host}:{inside.port}/m")
        error = refused(tmp_path, build(url), allow=server.address)
        assert error.reason in REASONS
        assert inside.requests == []


def test_the_listener_hears_what_is_allowed(tmp_path: Path, listener: Listener) -> None:
    """Or it would prove nothing."""
    assert refused(tmp_path, build("https://public.example/m")).reason == "SourceUnavailable"
    assert listener.connections == [("93.184.216.34", 443)]
