"""Fetching from S3 for real: a server that speaks its protocol, good and bad credentials."""

import hashlib
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from fetch_servers import FetchServer, fetch_server, free_port
from slipway_runtime.artifact.addresses import parse_allow_list
from slipway_runtime.artifact.fetch import Fetcher
from slipway_runtime.build_request import Access, BuildRequest, Limits, Model
from slipway_runtime.errors import BuildError

BODY = os.urandom(3 << 20)
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
SECRETS = {"AWS_ACCESS_KEY_ID": "planted-id", "AWS_SECRET_ACCESS_KEY": "planted-key"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        request = urllib.request.Request(f"{address}/models", method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            pass
        store = S3Store(
            "models",
            endpoint=address,
            region="us-east-1",
            access_key_id="any",
            secret_access_key="any",
            client_options={"allow_http": True},
        )
        obstore.put(store, "churn/7/model.joblib", BODY)
        headers = {"x-amz-acl": "public-read", "content-type": "application/octet-stream"}
        public = urllib.request.Request(
            f"{address}/models/public",
            data=BODY,
            method="PUT",
            headers=headers,
        )
        with urllib.request.urlopen(public, timeout=10):
            pass
        yield address
    finally:
        server.stop()


def _build(key: str, endpoint: str | None, **limits: float) -> BuildRequest:
    return BuildRequest(
        name="m",
        namespace="default",
        build_hash="abc",
        model=Model(uri=f"s3://models/{key}", access=Access(endpoint=endpoint, secret="models-s3")),
        limits=msgspec.convert(limits, Limits),
    )


def _fetch(
    work: Path,
    build: BuildRequest,
    *,
    allow: str = "",
    secrets: dict[str, str] | None = None,
) -> dict[str, object]:
    fetcher = Fetcher(
        build, secrets=SECRETS if secrets is None else secrets, allowed=parse_allow_list(allow)
    )
    return fetcher.fetch(work)


def _refused(work: Path, build: BuildRequest, *, allow: str = "") -> BuildError:
    with pytest.raises(BuildError) as caught:
        _fetch(work, build, allow=allow)
    assert [path for path in (work / "fetched").rglob("*") if path.is_file()] == []
    assert "planted" not in caught.value.message
    return caught.value


def _address(endpoint: str) -> str:
    return endpoint.removeprefix("http://")


def test_object(tmp_path: Path, endpoint: str) -> None:
    build = _build("churn/7/model.joblib", endpoint)
    facts = _fetch(tmp_path, build, allow=_address(endpoint))
    assert facts["modelDigest"] == DIGEST
    assert (tmp_path / "fetched/model/model.joblib").read_bytes() == BODY


def test_endpoint_from_the_secret(tmp_path: Path, endpoint: str) -> None:
    build = _build("churn/7/model.joblib", None)
    secrets = SECRETS | {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
    assert _fetch(tmp_path, build, allow=_address(endpoint), secrets=secrets)["modelBytes"] == len(
        BODY
    )


def test_without_credentials(tmp_path: Path, endpoint: str) -> None:
    """No key: the request goes unsigned; the machine's own credentials are never asked for."""
    build = _build("public", endpoint)
    facts = _fetch(tmp_path, build, allow=_address(endpoint), secrets={})
    assert facts["modelDigest"] == DIGEST


def test_no_such_object(tmp_path: Path, endpoint: str) -> None:
    error = _refused(tmp_path, _build("churn/8", endpoint), allow=_address(endpoint))
    assert error.reason == "ModelNotFound"
    assert "churn/8" in error.message


def test_too_large(tmp_path: Path, endpoint: str) -> None:
    build = _build("churn/7/model.joblib", endpoint, modelBytes=1000)
    assert _refused(tmp_path, build, allow=_address(endpoint)).reason == "ModelTooLarge"


@pytest.mark.parametrize(
    "endpoint_asked",
    [
        pytest.param("http://127.0.0.1:9", id="plain"),
        pytest.param("https://127.0.0.1:9", id="private"),
        pytest.param("https://169.254.169.254", id="metadata"),
        pytest.param("https://user:planted@h", id="userinfo"),
        pytest.param("ftp://h", id="scheme"),
        pytest.param("nonsense", id="no-url"),
        pytest.param("http://[::1", id="bracket"),
    ],
)
def test_endpoint_is_checked(tmp_path: Path, endpoint_asked: str) -> None:
    assert _refused(tmp_path, _build("k", endpoint_asked)).reason == "URIForbidden"


def test_nobody_listens(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    error = _refused(tmp_path, _build("k", f"http://{address}"), allow=address)
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)


@pytest.fixture
def fake() -> Iterator[FetchServer]:
    with fetch_server() as running:
        yield running


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", "ModelAccessDenied"),
        (403, "InvalidAccessKeyId", "ModelAccessDenied"),
        (401, "Unauthorized", "ModelAccessDenied"),
        (404, "NoSuchBucket", "ModelNotFound"),
        (503, "SlowDown", "SourceUnavailable"),
    ],
)
def test_answers_of_a_store(
    tmp_path: Path, fake: FetchServer, status: int, code: str, reason: str
) -> None:
    fake.serve("/models/k", f"<Error><Code>{code}</Code></Error>".encode(), status)
    error = _refused(tmp_path, _build("k", fake.base), allow=fake.address)
    assert error.reason == reason
    assert ('Secret "models-s3"' in error.message) == (reason == "ModelAccessDenied")


def test_stall(tmp_path: Path, fake: FetchServer) -> None:
    fake.stall("/models/k", BODY, 1000)
    error = _refused(tmp_path, _build("k", fake.base, fetchSeconds=1), allow=fake.address)
    assert (error.reason, error.retryable) == ("FetchTimeout", True)


def test_redirect_of_a_store_inside(tmp_path: Path, fake: FetchServer) -> None:
    with fetch_server() as inside:
        inside.serve("/secret", b"secret")
        fake.redirect("/models/k", inside.base + "/secret")
        error = _refused(tmp_path, _build("k", fake.base), allow=fake.address)
        assert error.reason in ("URIForbidden", "SourceUnavailable")
        assert inside.requests == []


def test_signature_never_shows(tmp_path: Path, fake: FetchServer) -> None:
    fake.serve("/models/k", b"no", 500)
    error = _refused(tmp_path, _build("k", fake.base), allow=fake.address)
    sent = json.dumps(fake.requests)
    assert "planted-id" in sent  # it was signed
    assert "planted-key" not in sent
    assert "Signature" not in error.message
