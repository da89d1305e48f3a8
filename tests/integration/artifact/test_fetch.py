"""Fetching for real: a disk, HTTP and HTTPS servers that misbehave, and limits that hold."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fetch_servers import FetchServer, fetch_server, free_port, make_certificate
from fetching import build, digest_of, fetch, refused
from slipway_runtime.artifact.addresses import parse_allow_list
from slipway_runtime.artifact.egress import EgressProxy
from slipway_runtime.artifact.fetch import read_secrets
from slipway_runtime.errors import BuildError

BODY = b"\x80\x04model" * 1000
DIGEST = digest_of(BODY)


@pytest.fixture
def server() -> Iterator[FetchServer]:
    with fetch_server() as running:
        yield running


def test_file(tmp_path: Path) -> None:
    source = tmp_path / "model.joblib"
    source.write_bytes(BODY)
    rows = tmp_path / "rows.csv"
    rows.write_bytes(b"a\n1\n")
    work = tmp_path / "work"
    facts = fetch(work, build(source.as_uri(), digest=DIGEST, samples=rows.as_uri()))
    assert (work / "fetched/model/model.joblib").read_bytes() == BODY
    assert (work / "fetched/samples/rows.csv").read_bytes() == b"a\n1\n"
    assert facts["modelDigest"] == DIGEST
    assert facts["modelBytes"] == len(BODY)
    assert facts["samplesBytes"] == 4


def test_fetching_again_replaces(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        fetch(tmp_path / "work", build((tmp_path / name).as_uri()))
    assert os.listdir(tmp_path / "work/fetched/model") == ["two"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("nothing", "ModelNotFound", id="missing"),
        pytest.param("file/below", "ModelNotFound", id="below-a-file"),
        pytest.param("folder", "ModelUnreadable", id="folder"),
        pytest.param("pipe", "ModelUnreadable", id="pipe"),
    ],
)
def test_file_that_is_none(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    error = refused(tmp_path / "work", build((tmp_path / name).as_uri()))
    assert error.reason == reason
    assert str(tmp_path / name) in error.message


def test_missing_samples_are_named(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(BODY)
    asked = build((tmp_path / "model").as_uri(), samples=(tmp_path / "none").as_uri())
    with pytest.raises(BuildError, match=r"spec\.model\.samples\.uri") as caught:
        fetch(tmp_path / "work", asked)
    assert caught.value.reason == "SamplesInvalid"


def test_digest_mismatch_shows_both(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(BODY)
    wanted = "sha256:" + "0" * 64
    error = refused(tmp_path / "work", build((tmp_path / "model").as_uri(), digest=wanted))
    assert error.reason == "DigestMismatch"
    assert wanted in error.message
    assert DIGEST in error.message


def test_too_large(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(BODY)
    error = refused(tmp_path / "work", build((tmp_path / "model").as_uri(), modelBytes=100))
    assert error.reason == "ModelTooLarge"
    assert "limit 100" in error.message


def test_http_of_the_administrators_exception(tmp_path: Path, server: FetchServer) -> None:
    url = server.serve("/m.onnx", BODY)
    facts = fetch(tmp_path, build(url, digest=DIGEST), allow=server.address)
    assert facts["modelDigest"] == DIGEST
    assert (tmp_path / "fetched/model/m.onnx").read_bytes() == BODY


def test_plain_http_is_refused_without_exception(tmp_path: Path, server: FetchServer) -> None:
    error = refused(tmp_path, build(server.serve("/m", BODY)))
    assert error.reason == "URIForbidden"
    assert server.requests == []


def test_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with fetch_server(certificate) as server:
        url = server.serve("/m", BODY)
        facts = fetch(tmp_path / "work", build(url), allow=server.address)
        assert facts["modelDigest"] == DIGEST
        error = refused(tmp_path / "work", build(url))
        assert error.reason == "URIForbidden"  # private, though with TLS
        assert len(server.requests) == 1


def test_https_with_an_unknown_authority(tmp_path: Path) -> None:
    with fetch_server(make_certificate(tmp_path)) as server:
        url = server.serve("/m", BODY)
        error = refused(tmp_path / "work", build(url), allow=server.address)
    assert error.reason == "SourceUnavailable"
    assert "certificate" in error.message.lower()
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (404, "ModelNotFound", True),
        (410, "ModelNotFound", True),
        (401, "ModelAccessDenied", True),
        (403, "ModelAccessDenied", True),
        (429, "SourceUnavailable", True),
        (500, "SourceUnavailable", True),
        (503, "SourceUnavailable", True),
        (418, "SourceUnavailable", False),
    ],
)
def test_status(
    tmp_path: Path, server: FetchServer, status: int, reason: str, retryable: bool
) -> None:
    url = server.serve("/m", b"no", status) + "?signature=planted"
    error = refused(tmp_path, build(url), allow=server.address)
    assert (error.reason, error.retryable) == (reason, retryable)
    assert server.address in error.message
    assert "planted" not in error.message
    assert ('Secret "models"' in error.message) == (reason == "ModelAccessDenied")


def test_nobody_listens(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    error = refused(tmp_path, build(f"http://{address}/m"), allow=address)
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)


def test_unknown_host(tmp_path: Path) -> None:
    error = refused(tmp_path, build("https://nowhere.invalid/m"))
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)
    assert "nowhere.invalid" in error.message


def test_stall_is_given_up(tmp_path: Path, server: FetchServer) -> None:
    url = server.stall("/m", BODY, len(BODY) * 6 // 10)
    error = refused(tmp_path, build(url, fetchSeconds=1), allow=server.address)
    assert (error.reason, error.retryable) == ("FetchTimeout", True)


def test_cut_connection(tmp_path: Path, server: FetchServer) -> None:
    url = server.cut("/m", BODY, len(BODY) // 2)
    error = refused(tmp_path, build(url), allow=server.address)
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)


def test_endless_body_is_cut_at_the_limit(tmp_path: Path, server: FetchServer) -> None:
    url = server.endless("/m")
    error = refused(tmp_path, build(url, modelBytes=1 << 20), allow=server.address)
    assert error.reason == "ModelTooLarge"


def test_announced_length_is_refused_at_once(tmp_path: Path, server: FetchServer) -> None:
    url = server.stall("/m", BODY, 0)
    error = refused(tmp_path, build(url, modelBytes=10), allow=server.address)
    assert error.reason == "ModelTooLarge"


def test_redirects(tmp_path: Path, server: FetchServer) -> None:
    final = server.serve("/final", BODY)
    server.redirect("/3", final)
    server.redirect("/2", "/3")
    url = server.redirect("/1", "/2")
    assert fetch(tmp_path, build(url), allow=server.address)["modelDigest"] == DIGEST
    error = refused(tmp_path, build(server.redirect("/0", "/1")), allow=server.address)
    assert error.reason == "URIForbidden"
    assert "redirects" in error.message


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/m",
        "https://2130706433/m",
        "http://localhost:1/m",
        "file:///etc/passwd",
        "ftp://127.0.0.1/m",
        "//10.0.0.1/m",
    ],
)
def test_redirect_inside_isrefused(tmp_path: Path, server: FetchServer, target: str) -> None:
    url = server.redirect("/m", target)
    error = refused(tmp_path, build(url), allow=server.address)
    assert error.reason in ("URIForbidden", "SourceUnavailable")
    assert len(server.requests) == 1


def test_redirect_does_not_lose_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the administrator allows plain HTTP."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with fetch_server() as plain, fetch_server(certificate) as secure:
        url = secure.redirect("/m", plain.serve("/m", BODY))
        both = f"{secure.address},{plain.address}"
        error = refused(tmp_path / "work", build(url), allow=both)
        assert error.reason == "URIForbidden"
        assert plain.requests == []


def test_basic_credentials(tmp_path: Path, server: FetchServer) -> None:
    url = server.serve("/m", BODY)
    secrets = {"username": "ann", "password": "word"}
    fetch(tmp_path, build(url), allow=server.address, secrets=secrets)
    assert server.requests[0][1]["authorization"] == "Basic YW5uOndvcmQ="


def test_dns_answer_is_used_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: public at the check, private afterwards. The checked address is connected to."""
    asked: list[str] = []
    connected: list[object] = []
    real = socket.getaddrinfo

    def _lying(host: str, *arguments: object, **options: object) -> object:
        if host != "rebind.example":
            return real(host, *arguments, **options)  # type: ignore[arg-type]
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    real_connect = socket.create_connection

    def _connect(address: tuple[str, int], *arguments: object, **options: object) -> socket.socket:
        if address[0] == "127.0.0.1":
            return real_connect(address, *arguments, **options)  # type: ignore[arg-type]
        connected.append(address)
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket, "getaddrinfo", _lying)
    monkeypatch.setattr("slipway_runtime.artifact.egress.socket.create_connection", _connect)
    error = refused(tmp_path, build("https://rebind.example/m"))
    assert error.reason == "SourceUnavailable"
    assert connected == [("93.184.216.34", 443)]
    assert len(asked) == 1


def test_proxy_serves_nobody_else(server: FetchServer) -> None:
    url = server.serve("/m", BODY)
    with EgressProxy(parse_allow_list(server.address)) as proxy:
        port = int(proxy.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 407")
    assert server.requests == []


def test_secrets_are_files(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "token").write_text("planted\n")
    assert read_secrets(tmp_path) == {"token": "planted"}
    assert read_secrets(tmp_path / "none") == {}
    assert read_secrets(None) == {}
    (tmp_path / "password").write_bytes(b"\xff")
    with pytest.raises(BuildError, match="password"):
        read_secrets(tmp_path)


def test_no_thread_is_left(tmp_path: Path, server: FetchServer) -> None:
    fetch(tmp_path, build(server.serve("/m", BODY)), allow=server.address)
    assert not [thread for thread in threading.enumerate() if thread.name == "egress"]
