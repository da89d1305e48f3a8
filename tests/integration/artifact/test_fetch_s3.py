"""What an S3 store may answer, and where it may be; `test_fetch_stores` has a real one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fetch_servers import FetchServer, fetch_server, free_port
from fetching import build, digest_of, fetch, refused
from slipway_runtime.errors import BuildError

BODY = os.urandom(1 << 20)
SECRETS = {"AWS_ACCESS_KEY_ID": "planted-id", "AWS_SECRET_ACCESS_KEY": "planted-key"}


@pytest.fixture
def fake() -> Iterator[FetchServer]:
    with fetch_server() as running:
        yield running


def _refused(
    work: Path, key: str, endpoint: str, *, allow: str = "", **limits: float
) -> BuildError:
    asked = build(f"s3://models/{key}", endpoint=endpoint, **limits)
    error = refused(work, asked, allow=allow, secrets=SECRETS)
    assert "planted" not in error.message
    return error


def test_endpoint_and_region_from_the_secret(tmp_path: Path, fake: FetchServer) -> None:
    fake.ranged("/models/m", BODY)
    secrets = {**SECRETS, "AWS_ENDPOINT_URL": fake.base, "AWS_REGION": "eu-central-1"}
    facts = fetch(tmp_path, build("s3://models/m"), allow=fake.address, secrets=secrets)
    assert facts["modelDigest"] == digest_of(BODY)
    assert "/eu-central-1/s3/" in fake.requests[0][1]["authorization"]


def test_without_credentials(
    tmp_path: Path, fake: FetchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key: the request goes unsigned; the machine's own credentials are never asked for."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    fake.ranged("/models/m", BODY)
    asked = build("s3://models/m", endpoint=fake.base)
    assert fetch(tmp_path, asked, allow=fake.address)["modelDigest"] == digest_of(BODY)
    assert "authorization" not in fake.requests[0][1]


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
    assert _refused(tmp_path, "k", endpoint_asked).reason == "URIForbidden"


def test_nobody_listens(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    error = _refused(tmp_path, "k", f"http://{address}", allow=address)
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", "ModelAccessDenied"),
        (403, "InvalidAccessKeyId", "ModelAccessDenied"),
        (401, "Unauthorized", "ModelAccessDenied"),
        (404, "NoSuchBucket", "ModelNotFound"),
        (400, "ExpiredToken", "ModelAccessDenied"),
        (400, "AuthorizationHeaderMalformed", "SourceUnavailable"),
        (503, "SlowDown", "SourceUnavailable"),
    ],
)
def test_answers_of_a_store(
    tmp_path: Path, fake: FetchServer, status: int, code: str, reason: str
) -> None:
    fake.serve("/models/k", f"<Error><Code>{code}</Code></Error>".encode(), status)
    error = _refused(tmp_path, "k", fake.base, allow=fake.address)
    assert error.reason == reason
    assert ('Secret "models"' in error.message) == (reason == "ModelAccessDenied")
    assert reason == "ModelNotFound" or code in error.message
    assert ("access.region" in error.message) == (code == "AuthorizationHeaderMalformed")


def test_stall(tmp_path: Path, fake: FetchServer) -> None:
    fake.stall("/models/k", BODY, 1000)
    error = _refused(tmp_path, "k", fake.base, fetchSeconds=1, allow=fake.address)
    assert (error.reason, error.retryable) == ("FetchTimeout", True)


def test_redirect_of_a_store_inside(tmp_path: Path, fake: FetchServer) -> None:
    with fetch_server() as inside:
        inside.serve("/secret", b"secret")
        fake.redirect("/models/k", inside.base + "/secret")
        error = _refused(tmp_path, "k", fake.base, allow=fake.address)
        assert error.reason in ("URIForbidden", "SourceUnavailable")
        assert inside.requests == []


def test_signature_never_shows(tmp_path: Path, fake: FetchServer) -> None:
    fake.serve("/models/k", b"no", 500)
    error = _refused(tmp_path, "k", fake.base, allow=fake.address)
    sent = json.dumps(fake.requests)
    assert "planted-id" in sent  # it was signed
    assert "planted-key" not in sent
    assert "Signature" not in error.message
