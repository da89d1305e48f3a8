"""Tokens for the embedded registry: for one repository, signed, and refused keys named."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from slipway_operator.edges.kubernetes.tokens import (
    PULL_LIFETIME,
    PUSH_LIFETIME,
    KeyInvalid,
    Signer,
    list_grants,
)

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)


def child(kind: str, *, done: bool = False, leaving: bool = False) -> Any:
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {
            "name": f"churn-{kind.lower()}",
            "namespace": "team-a",
            "uid": f"uid-{kind}",
            "labels": {"slipway.dev/model": "churn", "slipway.dev/uid": "m1"},
            **({"deletionTimestamp": "2026-03-04T09:00:00Z"} if leaving else {}),
        },
        "status": {"conditions": [{"type": "Complete", "status": "True"}] if done else []},
    }


def write_key(path: Path, key: Any) -> Path:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def read_part(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_builds_push_revisions_pull_and_nothing_else_gets_a_token() -> None:
    grants = list_grants(
        [child("Job"), child("Deployment"), child("Service")], prefix="models/prod"
    )
    assert [(each.repository, each.actions, each.lifetime) for each in grants] == [
        ("models/prod/team-a/churn", ("pull", "push"), PUSH_LIFETIME),
        ("models/prod/team-a/churn", ("pull",), PULL_LIFETIME),
    ]
    assert list_grants([child("Job", done=True), child("Job", leaving=True)], prefix="") == ()
    (plain,) = list_grants([child("Job")], prefix="")
    assert plain.repository == "team-a/churn"


def test_a_token_says_what_is_granted_and_anybody_can_check_it(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signer = Signer.read(write_key(tmp_path / "key.pem", key))
    (grant,) = list_grants([child("Job")], prefix="models")
    header, claims, signature = signer.sign(grant, now=NOW).split(".")
    raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    key.public_key().verify(
        encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
        f"{header}.{claims}".encode(),
        ec.ECDSA(hashes.SHA256()),
    )
    told = read_part(claims)
    assert read_part(header)["alg"] == "ES256"
    assert told["access"] == [
        {"type": "repository", "name": "models/team-a/churn", "actions": ["pull", "push"]}
    ]
    assert told["exp"] - told["iat"] == 15 * 60
    assert (told["iss"], told["aud"]) == ("slipway-operator", "slipway-registry")


@pytest.mark.parametrize("bad", ["absent", "text", "rsa", "p384"])
def test_a_key_that_cannot_sign_is_refused_in_a_sentence(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "key.pem"
    if bad == "text":
        path.write_text("no key")
    if bad == "rsa":
        write_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    if bad == "p384":
        write_key(path, ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(KeyInvalid, match=r'key "[^"]+key\.pem"') as caught:
        Signer.read(path)
    assert "\n" not in str(caught.value)
