"""The operator's tokens at a real registry: good for one repository, one deed and their time."""

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
