"""The operator's tokens at a real registry: good for one repository, one deed and their time."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fetch_servers import make_certificate
from slipway_operator.contract import ARTIFACT_TYPE
from slipway_operator.edges.built import ArtifactFinder
from slipway_operator.edges.kubernetes.tokens import (
    ISSUER,
    SERVICE,
    Grant,
    Signer,
    compute_key_id,
    list_grants,
)
from store_servers import Store, registry

REPOSITORY = "models/team-a/churn"


@pytest.fixture(scope="module", params=["certificate", "jwks"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, Signer]]:
    """A registry that trusts the operator's key, in both ways that a registry takes one."""
    folder = tmp_path_factory.mktemp("registry")
    pem = make_certificate(folder)
    key = serialization.load_pem_private_key(pem.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    (folder / "root.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    trust = f"rootcertbundle: {folder}/root.pem"
    if request.param == "jwks":
        (folder / "jwks.json").write_text(json.dumps({"keys": [describe_key(key)]}))
        trust = f"jwks: {folder}/jwks.json"
    auth = f'token: {{realm: "http://none.test", service: {SERVICE}, issuer: {ISSUER}, {trust}}}'
    with registry(folder / "data", auth=auth) as running:
        yield running, Signer.read(pem)


def describe_key(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    import base64

    numbers = key.public_key().public_numbers()
    x, y = (
        base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")
        for number in (numbers.x, numbers.y)
    )
    return {
        "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig",
        "kid": compute_key_id(key.public_key()),
    }  # fmt: skip


def grant(kind: str) -> Grant:
    child: dict[str, Any] = {
        "kind": kind,
        "metadata": {
            "name": "churn-x",
            "namespace": "team-a",
            "uid": "u1",
            "labels": {"slipway.dev/model": "churn"},
        },
    }
    (made,) = list_grants([child], prefix="models")
    return made


def begin_push(store: Store, token: str, repository: str = REPOSITORY) -> int:
    url = f"{store.endpoint}/v2/{repository}/blobs/uploads/"
    return httpx.post(url, headers={"Authorization": f"Bearer {token}"}).status_code


def read_tags(store: Store, token: str, repository: str = REPOSITORY) -> int:
    url = f"{store.endpoint}/v2/{repository}/tags/list"
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_build_may_push_into_its_own_repository_alone(store: tuple[Store, Signer]) -> None:
    running, signer = store
    token = signer.sign(grant("Job"), now=datetime.now(UTC))
    assert begin_push(running, token) == 202
    assert begin_push(running, token, "models/team-b/churn") == 401
    assert begin_push(running, token, "models/team-a/other") == 401


def test_a_revision_may_pull_and_not_push(store: tuple[Store, Signer]) -> None:
    running, signer = store
    token = signer.sign(grant("Deployment"), now=datetime.now(UTC))
    assert read_tags(running, token) == 404, "let in; nothing was ever pushed there"
    assert read_tags(running, token, "models/team-b/churn") == 401
    assert begin_push(running, token) == 401


def test_no_token_an_old_one_and_a_strangers_are_refused(
    store: tuple[Store, Signer], tmp_path: Path
) -> None:
    running, signer = store
    long_ago = datetime.now(UTC) - timedelta(days=30)
    old = signer.sign(grant("Deployment"), now=long_ago)
    strangers = Signer.read(make_certificate(tmp_path))
    forged = strangers.sign(grant("Deployment"), now=datetime.now(UTC))
    short = replace(grant("Deployment"), lifetime=timedelta(seconds=-120))
    for token in ("none", "x.y.z", old, forged, signer.sign(short, now=datetime.now(UTC))):
        assert read_tags(running, token) == 401


BUILD = "d" * 64
MODEL = {"metadata": {"name": "churn", "namespace": "team-a", "uid": "u1"}}


def push_artifact(store: Store, signer: Signer, *, config: bytes, build_hash: str = BUILD) -> str:
    """Put an artifact under its build's tag, as `publish` does; returns its digest."""
    token = signer.sign(grant("Job"), now=datetime.now(UTC))
    base = f"{store.endpoint}/v2/{REPOSITORY}"
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        named = []
        for content in (config, b"a layer"):
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            place = client.post(f"{base}/blobs/uploads/").headers["location"]
            sign = "&" if "?" in place else "?"
            assert client.put(f"{place}{sign}digest={digest}", content=content).status_code == 201
            named.append({"mediaType": "a/b", "digest": digest, "size": len(content)})
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": ARTIFACT_TYPE,
                "config": named[0],
                "layers": named[1:],
            }
        ).encode()
        put = client.put(
            f"{base}/manifests/build-{build_hash[:40]}",
            content=manifest,
            headers={"content-type": "application/vnd.oci.image.manifest.v1+json"},
        )
        assert put.status_code == 201
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def look(store: Store, signer: Signer, build_hash: str = BUILD) -> dict[str, Any] | None:
    finder = ArtifactFinder(signer, artifact_store=f"oci+http://{store.address}/models")
    return asyncio.run(finder.find(MODEL, build_hash=build_hash))


def test_an_artifact_is_found_under_its_builds_tag(
    store: tuple[Store, Signer], caplog: pytest.LogCaptureFixture
) -> None:
    running, signer = store
    config = {"buildHash": BUILD, "runtime": "ONNX", "model": {"digest": "m", "format": "SKLearn"}}
    digest = push_artifact(running, signer, config=json.dumps(config).encode())
    found = look(running, signer)
    assert found is not None
    assert found["artifact"] == f"oci+http://{running.address}/{REPOSITORY}@{digest}"
    assert (found["modelDigest"], found["runtime"]) == ("m", "ONNX")
    assert look(running, signer, "e" * 64) is None
    assert not caplog.records, "that there is none is nothing to warn of"


@pytest.mark.parametrize("config", [b"no JSON", b"[]", b'{"buildHash": "other"}'])
def test_what_is_no_artifact_of_this_build_is_one_line_in_the_log(
    store: tuple[Store, Signer], caplog: pytest.LogCaptureFixture, config: bytes
) -> None:
    running, signer = store
    build_hash = hashlib.sha256(config).hexdigest()
    push_artifact(running, signer, config=config, build_hash=build_hash)
    assert look(running, signer, build_hash) is None
    (line,) = [record for record in caplog.records if record.name.endswith("edges.built")]
    assert "a Job builds it" in line.getMessage()


def test_a_registry_that_is_away_or_refuses_is_one_line_in_the_log(
    store: tuple[Store, Signer], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    running, signer = store
    strangers = Signer.read(make_certificate(tmp_path))
    assert look(running, strangers) is None
    assert look(replace(running, address="127.0.0.1:1"), signer) is None
    lines = [one.getMessage() for one in caplog.records if one.name.endswith("edges.built")]
    assert len(lines) == 2
    assert "the registry answered 401" in lines[0]
