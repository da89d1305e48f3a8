"""Keys of a Secret that cannot be used: named, never shown, and no connection made for them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest

from fetch_servers import FetchServer, fetch_server
from fetching import build, digest_of, fetch, refused
from gcs_server import gcs_store, make_account
from store_servers import Store, azure_client, azurite, put_az

BODY = b"model" * 1000
GOOGLE = "GOOGLE_APPLICATION_CREDENTIALS_JSON"


@pytest.fixture
def server() -> Iterator[FetchServer]:
    with fetch_server() as running:
        yield running


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        put_az(running, "models", {"m": BODY})
        put_az(running, "public", {"m": BODY}, public=True)
        yield running


def account(**changes: Any) -> str:
    found = {**json.loads(make_account()[1]), **changes}
    return json.dumps({name: value for name, value in found.items() if value is not None})


UNUSABLE: dict[str, tuple[str, dict[str, str], str]] = {
    "no JSON": ("gs://b/m", {GOOGLE: "planted-secret"}, "it is not JSON"),
    "a list": ("gs://b/m", {GOOGLE: '["planted-secret"]'}, '"service_account"'),
    "a user's login": ("gs://b/m", {GOOGLE: account(type="authorized_user")}, '"service_account"'),
    "no key": ("gs://b/m", {GOOGLE: account(private_key=None)}, "it lacks private_key"),
    "no PEM": ("gs://b/m", {GOOGLE: account(private_key="planted-secret")}, "not of the form"),
    "no base64": (
        "az://c/m",
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_KEY": "planted-secret!"},
        "not of the form",
    ),
    "no SAS": (
        "az://c/m",
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_SAS_TOKEN": "planted-secret"},
        "not of the form",
    ),
    "no connection string": (
        "az://c/m",
        {"AZURE_STORAGE_CONNECTION_STRING": "planted-secret"},
        "NAME=VALUE",
    ),
    "an id without its secret": (
        "s3://b/m",
        {"AWS_ACCESS_KEY_ID": "planted-secret"},
        "AWS_SECRET_ACCESS_KEY is not beside it",
    ),
    "two lines": (
        "s3://b/m",
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "planted-secret\nb"},
        "line ends",
    ),
}


@pytest.mark.parametrize(("uri", "secrets", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_key_that_cannot_be_used(
    tmp_path: Path, server: FetchServer, uri: str, secrets: dict[str, str], words: str
) -> None:
    asked = build(uri, endpoint=server.base)
    error = refused(tmp_path, asked, allow=server.address, secrets=secrets)
    assert (error.reason, error.retryable) == ("ModelAccessDenied", True)
    assert words in error.message
    assert 'Secret "models"' in error.message
    assert "planted-secret" not in error.message
    assert server.requests == []


def test_an_account_file_leads_nowhere(tmp_path: Path) -> None:
    """Its `gcs_base_url` and `token_uri` are not followed: the file may be anybody's."""
    with gcs_store({"models/m": BODY}) as (store, server):
        facts = fetch(
            tmp_path,
            build("gs://models/m", endpoint=store.endpoint),
            allow=store.address,
            secrets=store.secrets,
        )
        assert facts["modelDigest"] == digest_of(BODY)
        assert [path for path, _ in server.requests] == ["/models/m"]


def test_nothing_names_the_account(tmp_path: Path) -> None:
    error = refused(tmp_path, build("az://models/m"))
    assert error.reason == "ModelAccessDenied"
    assert "AZURE_STORAGE_ACCOUNT" in error.message
    assert "spec.model.access.endpoint" in error.message


def secrets_of(store: Store, kind: str) -> dict[str, str]:
    name, key = store.secrets["AZURE_STORAGE_ACCOUNT"], store.secrets["AZURE_STORAGE_KEY"]
    if kind == "other names":
        return {"AZURE_STORAGE_ACCOUNT_NAME": name, "AZURE_STORAGE_ACCOUNT_KEY": key}
    if kind == "connection string":
        text = f"DefaultEndpointsProtocol=http;AccountName={name};AccountKey={key};"
        return {"AZURE_STORAGE_CONNECTION_STRING": f"{text}BlobEndpoint={store.endpoint};"}
    from datetime import timedelta

    url = obstore.sign(azure_client(store, "models"), "GET", "m", timedelta(minutes=5))
    return {"AZURE_STORAGE_ACCOUNT": name, "AZURE_STORAGE_SAS_TOKEN": url.partition("?")[2]}


@pytest.mark.parametrize("kind", ["other names", "connection string", "SAS"])
def test_every_way_into_azure(tmp_path: Path, azure: Store, kind: str) -> None:
    asked = build("az://models/m", endpoint=None if kind == "connection string" else azure.endpoint)
    secrets = secrets_of(azure, kind)
    facts = fetch(tmp_path, asked, allow=azure.address, secrets=secrets)
    assert facts["modelDigest"] == digest_of(BODY)


def test_a_public_container(tmp_path: Path, azure: Store) -> None:
    asked = build("az://public/m", endpoint=azure.endpoint)
    assert fetch(tmp_path, asked, allow=azure.address)["modelDigest"] == digest_of(BODY)
