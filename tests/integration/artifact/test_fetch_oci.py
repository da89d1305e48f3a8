"""Models in OCI registries: logins, digests, roles, plain HTTP, and what registries do wrong."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from fetch_servers import FetchServer, fetch_server, make_certificate
from fetching import build, digest_of, fetch, refused
from registry_tokens import token_registry
from store_push import push, run_push
from store_servers import Store, registry

BODY = os.urandom(200_000)
ROWS = b"a,b\n1,2\n"
LOGIN = ("--username-env", "REGISTRY_USER", "--password-env", "REGISTRY_PASSWORD")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(ROWS)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def test_model_and_samples_lie_in_one_artifact(
    tmp_path: Path, store: Store, model: Path, rows: Path
) -> None:
    uri = push(store, model, "team/churn:7", samples=rows)
    assert uri.startswith(f"oci://{store.address}/team/churn@sha256:")
    for address in (uri, f"oci://{store.address}/team/churn:7"):
        facts = fetch(
            tmp_path / "work",
            build(address, samples=address),
            allow=store.address,
            secrets=store.secrets,
        )
        assert facts["modelDigest"] == digest_of(BODY)
        assert facts["samplesDigest"] == digest_of(ROWS)


def test_the_same_files_are_the_same_artifact(store: Store, model: Path) -> None:
    first = run_push(store, model, "same:1", *LOGIN)
    second = run_push(store, model, "same:2", *LOGIN)
    assert first["digest"] == second["digest"]
    assert [file["existed"] for file in first["files"]] == [False]
    assert [file["existed"] for file in second["files"]] == [True]


def test_samples_that_were_not_pushed(tmp_path: Path, store: Store, model: Path) -> None:
    uri = push(store, model, "alone:1")
    error = _samples_refused(tmp_path / "work", store, uri)
    assert error[0] == "SamplesInvalid"
    assert "holds no samples" in error[1]


def _samples_refused(work: Path, store: Store, uri: str) -> tuple[str, str]:
    with pytest.raises(Exception, match="samples") as caught:
        fetch(work, build(uri, samples=uri), allow=store.address, secrets=store.secrets)
    return caught.value.reason, str(caught.value)  # type: ignore[attr-defined]


def test_a_token_of_the_registrys_own_login(tmp_path: Path, model: Path) -> None:
    """The token is asked for with the password, for this repository only, and then used."""
    with token_registry(tmp_path / "registry") as (store, asked):
        uri = push(store, model, "team/churn:1")
        assert fetch(tmp_path / "work", build(uri), allow=store.allow, secrets=store.secrets)[
            "modelDigest"
        ] == digest_of(BODY)
        assert asked == ["repository:team/churn:pull,push", "repository:team/churn:pull"]
        wrong = {**store.secrets, "password": "planted-wrong-word"}
        error = refused(tmp_path / "no", build(uri), allow=store.allow, secrets=wrong)
        assert error.reason == "ModelAccessDenied"
        # A token that one already has is sent as it is.
        token = store.issue("repository:team/churn:pull")
        facts = fetch(tmp_path / "ready", build(uri), allow=store.allow, secrets={"token": token})
        assert facts["modelBytes"] == len(BODY)
        other = store.issue("repository:other/one:pull")
        error = refused(tmp_path / "no", build(uri), allow=store.allow, secrets={"token": other})
        assert error.reason == "ModelAccessDenied"


def test_a_registry_with_tls(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with registry(tmp_path / "registry", tls=certificate) as store:
        uri = push(store, model, "team/churn:1")
        facts = fetch(tmp_path / "work", build(uri), allow=store.address, secrets=store.secrets)
        assert facts["modelDigest"] == digest_of(BODY)
        # A certificate that is not trusted is no reason to speak without one.
        monkeypatch.delenv("SSL_CERT_FILE")
        error = refused(tmp_path / "no", build(uri), allow=store.address, secrets=store.secrets)
        assert error.reason == "SourceUnavailable"
        assert "certificate" in error.message.lower()


# ── Registries that misbehave: a small server of ours ────────────────────────────────────────
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def fake() -> Iterator[FetchServer]:
    with fetch_server() as running:
        running.serve("/v2/", b"{}")
        yield running


def layer(body: bytes, **annotations: str) -> dict[str, Any]:
    return {
        "mediaType": "application/octet-stream",
        "digest": digest_of(body),
        "size": len(body),
        "annotations": {name.replace("_", "."): value for name, value in annotations.items()},
    }


def put(fake: FetchServer, *layers: dict[str, Any], tag: str = "1", **manifest: Any) -> str:
    content = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers, **manifest}
    fake.serve(f"/v2/churn/manifests/{tag}", json.dumps(content).encode())
    return f"oci://{fake.address}/churn{'@' if ':' in tag else ':'}{tag}"


def test_what_oras_pushed(tmp_path: Path, fake: FetchServer) -> None:
    """One layer without a role is the model."""
    uri = put(fake, layer(BODY, org_opencontainers_image_title="model.onnx"))
    fake.serve(f"/v2/churn/blobs/{digest_of(BODY)}", BODY)
    assert fetch(tmp_path, build(uri), allow=fake.address)["modelDigest"] == digest_of(BODY)


def test_a_blob_that_lies_elsewhere(tmp_path: Path, fake: FetchServer) -> None:
    """Registries send to a store; the login does not go there."""
    with fetch_server() as other:
        fake.redirect(
            f"/v2/churn/blobs/{digest_of(BODY)}",
            other.ranged("/blob", BODY, etag=None, breaks=(99,)),
        )
        uri = put(fake, layer(BODY))
        facts = fetch(
            tmp_path,
            build(uri),
            allow=f"{fake.address},{other.address}",
            secrets={"token": "planted-token"},
        )
        assert facts["modelDigest"] == digest_of(BODY)
        assert fake.requests[-1][1]["authorization"] == "Bearer planted-token"
        assert all("authorization" not in headers for _, headers in other.requests)
        # A blob is named by its digest, so it goes on without an ETag.
        assert [headers.get("range") for _, headers in other.requests] == [None, "bytes=99-"]


def index(fake: FetchServer) -> str:
    return put(fake, mediaType="application/vnd.oci.image.index.v1+json")


def two_files(fake: FetchServer) -> str:
    return put(
        fake,
        layer(BODY, org_opencontainers_image_title="a.bin"),
        layer(ROWS, org_opencontainers_image_title="b.bin"),
    )


def no_file(fake: FetchServer) -> str:
    return put(fake)


def no_manifest(fake: FetchServer) -> str:
    fake.serve("/v2/churn/manifests/1", b"<html>")
    return f"oci://{fake.address}/churn:1"


def bad_layer(fake: FetchServer) -> str:
    return put(fake, {"mediaType": "x", "digest": "sha256:../../etc/passwd", "size": 1})


def list_of_numbers(fake: FetchServer) -> str:
    return put(fake, layers=[1])


def tampered_manifest(fake: FetchServer) -> str:
    return put(fake, layer(BODY), tag="sha256:" + "0" * 64)


def tampered_blob(fake: FetchServer) -> str:
    fake.serve(f"/v2/churn/blobs/{digest_of(BODY)}", ROWS)
    return put(fake, layer(BODY))


def endless_manifest(fake: FetchServer) -> str:
    fake.endless("/v2/churn/manifests/1")
    return f"oci://{fake.address}/churn:1"


def broken(fake: FetchServer) -> str:
    fake.serve("/v2/churn/manifests/1", b'{"errors": [{"code": "UNAVAILABLE"}]}', 503)
    return f"oci://{fake.address}/churn:1"


def blob_gone(fake: FetchServer) -> str:
    return put(fake, layer(BODY))


@pytest.mark.parametrize(
    ("prepare", "reason", "words"),
    [
        (index, "ModelUnreadable", "index of several images"),
        (two_files, "ModelUnreadable", "2 files (a.bin, b.bin)"),
        (no_file, "ModelUnreadable", "0 files (none)"),
        (no_manifest, "ModelUnreadable", "no manifest"),
        (bad_layer, "ModelUnreadable", "not one of files"),
        (list_of_numbers, "ModelUnreadable", "not one of files"),
        (tampered_manifest, "DigestMismatch", "asked for was sha256:000"),
        (tampered_blob, "DigestMismatch", "its manifest says 200000 bytes"),
        (endless_manifest, "SourceUnavailable", "longer than"),
        (broken, "SourceUnavailable", "UNAVAILABLE"),
        (blob_gone, "ModelNotFound", "404"),
    ],
)
def test_a_registry_that_misbehaves(
    tmp_path: Path,
    fake: FetchServer,
    prepare: Callable[[FetchServer], str],
    reason: str,
    words: str,
) -> None:
    error = refused(tmp_path, build(prepare(fake)), allow=fake.address)
    assert error.reason == reason
    assert words in error.message


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param('Bearer realm="{other}/token"', id="plain-http"),
        pytest.param('Bearer realm="https://169.254.169.254/token"', id="metadata"),
        pytest.param('Bearer realm="https://user:word@example.com/token"', id="userinfo"),
        pytest.param('Bearer realm="file:///etc/passwd"', id="file"),
        pytest.param('Bearer realm="https://[::1"', id="bracket"),
        pytest.param("Bearer", id="none"),
        pytest.param("Negotiate", id="another-scheme"),
    ],
)
def test_a_login_that_leads_astray(tmp_path: Path, fake: FetchServer, challenge: str) -> None:
    """The password goes to no address that is not allowed."""
    with fetch_server() as other:
        fake.serve("/v2/", b"{}", 401, WWW_Authenticate=challenge.format(other=other.base))
        error = refused(
            tmp_path,
            build(put(fake, layer(BODY))),
            allow=fake.address,
            secrets={"username": "ann", "password": "planted-password"},
        )
        assert error.reason in ("URIForbidden", "ModelAccessDenied", "SourceUnavailable")
        assert other.requests == []
        assert [path for path, headers in fake.requests if "authorization" in headers] == []


def test_a_login_without_a_token(tmp_path: Path, fake: FetchServer) -> None:
    fake.serve("/v2/", b"{}", 401, WWW_Authenticate=f'Bearer realm="{fake.base}/token"')
    uri = put(fake, layer(BODY))
    for answer in (b"{}", b"[]", b"no", b'{"token": "a\\nb"}'):
        fake.serve("/token", answer)
        assert refused(tmp_path, build(uri), allow=fake.address).reason == "SourceUnavailable"


# ── Pushing ──────────────────────────────────────────────────────────────────────────────────
def test_docker_is_logged_in(tmp_path: Path, store: Store, model: Path) -> None:
    pair = f"{store.secrets['username']}:{store.secrets['password']}"
    config = {"auths": {store.address: {"auth": base64.b64encode(pair.encode()).decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = run_push(store, model, "docker:1", environment={"DOCKER_CONFIG": str(tmp_path)})
    assert found["ok"]


def test_nobody_is_logged_in(tmp_path: Path, store: Store, model: Path) -> None:
    found = run_push(store, model, "nobody:1", environment={"DOCKER_CONFIG": str(tmp_path)})
    assert found["reason"] == "ModelAccessDenied"
    assert f"docker login {store.address}" in found["message"]
    assert str(tmp_path / "config.json") in found["message"]


@dataclass(frozen=True, kw_only=True)
class NoPush:
    """A push that cannot be, and what is said."""

    to: str = "a:1"
    options: tuple[str, ...] = LOGIN
    environment: dict[str, str] = field(default_factory=dict)
    reason: str
    words: str


NO_PUSHES = {
    "wrong password": NoPush(
        environment={"REGISTRY_PASSWORD": "planted-no"},
        reason="ModelAccessDenied",
        words="the login in REGISTRY_USER, REGISTRY_PASSWORD",
    ),
    "no such variable": NoPush(
        options=("--token-env", "NONE"), reason="ModelAccessDenied", words="variable NONE"
    ),
    "registry inside": NoPush(
        environment={"SLIPWAY_FETCH_ALLOW": ""},
        reason="URIForbidden",
        words="SLIPWAY_FETCH_ALLOW=",
    ),
    "capital": NoPush(to="A:1", reason="URIForbidden", words="lower case"),
    "digest": NoPush(
        to=f"a@sha256:{'0' * 64}", reason="URIForbidden", words="oci://HOST/REPOSITORY[:TAG]"
    ),
}


@pytest.mark.parametrize("row", NO_PUSHES.values(), ids=NO_PUSHES)
def test_a_push_that_cannot_be(store: Store, model: Path, row: NoPush) -> None:
    found = run_push(store, model, row.to, *row.options, environment=row.environment)
    assert (found["ok"], found["reason"]) == (False, row.reason)
    assert row.words in found["message"]
    assert "planted-no" not in found["message"]


@pytest.mark.parametrize("kind", ["missing", "empty", "folder"])
def test_a_file_that_cannot_be_pushed(tmp_path: Path, store: Store, kind: str) -> None:
    path = tmp_path / "model"
    if kind == "empty":
        path.touch()
    if kind == "folder":
        path.mkdir()
    found = run_push(store, path, "a:1", *LOGIN)
    assert found["reason"] == ("ModelNotFound" if kind == "missing" else "ModelUnreadable")
    assert str(path) in found["message"]


def test_a_broken_upload_is_told(fake: FetchServer, model: Path) -> None:
    def _post(handler: BaseHTTPRequestHandler) -> None:
        handler.send_error(500)

    fake.otherwise = _post
    store = Store(
        address=fake.address, endpoint=fake.base, secrets={"username": "a", "password": "b"}
    )
    found = run_push(store, model, "a:1", *LOGIN)
    assert (found["ok"], found["reason"]) == (False, "SourceUnavailable")
    assert found["message"].startswith("Cannot push to")
