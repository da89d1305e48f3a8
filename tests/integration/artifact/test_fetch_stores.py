"""Every store for real, with credentials that are checked: what works, and what each failure says.

S3 is versitygw, Azure is azurite, OCI is a registry with a password; Google Cloud Storage is a
small server of ours that verifies tokens.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from fetch_servers import Relay, free_port
from fetching import build, digest_of, fetch, refused
from gcs_server import gcs_store, make_account
from slipway_runtime.artifact import receive
from slipway_runtime.build_request import BuildRequest
from store_push import push
from store_servers import Store, azurite, put_az, put_s3, registry, versitygw

BODY = os.urandom(3 << 20)
DIGEST = digest_of(BODY)
SIXTY = len(BODY) * 6 // 10
ZEROS = "sha256:" + "0" * 64


@dataclass(frozen=True, kw_only=True)
class Case:
    """One store with one model in it, and how its failures are provoked and told.

    `at` makes the build that fetches an address when the store answers at `HOST:PORT`.
    """

    store: Store
    uri: str
    missing: str
    no_bucket: str
    wrong: dict[str, str]
    at: Callable[[str, str], BuildRequest]
    keys: str
    no_bucket_says: str = "there is no bucket or container"


def _by_endpoint(store: Store) -> Callable[[str, str], BuildRequest]:
    def _at(address: str, uri: str) -> BuildRequest:
        return build(uri, endpoint=store.endpoint.replace(store.address, address))

    return _at


def _s3(stack: ExitStack, folder: Path) -> Case:
    store = stack.enter_context(versitygw(folder / "s3"))
    put_s3(store, "models", {"churn/7/model.joblib": BODY}, folder=folder / "s3")
    return Case(
        store=store,
        uri="s3://models/churn/7/model.joblib",
        missing="s3://models/churn/8/model.joblib",
        no_bucket="s3://nonesuch/model.joblib",
        wrong={"AWS_SECRET_ACCESS_KEY": "planted-wrong"},
        at=_by_endpoint(store),
        keys="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
    )


def _az(stack: ExitStack, folder: Path) -> Case:
    store = stack.enter_context(azurite(folder / "az"))
    put_az(store, "models", {"churn/7/model.joblib": BODY})
    return Case(
        store=store,
        uri="az://models/churn/7/model.joblib",
        missing="az://models/churn/8/model.joblib",
        no_bucket="az://nonesuch/model.joblib",
        wrong={"AZURE_STORAGE_KEY": "cGxhbnRlZC13cm9uZw=="},
        at=_by_endpoint(store),
        keys="AZURE_STORAGE_KEY",
    )


def _gs(stack: ExitStack, folder: Path) -> Case:
    del folder
    store, _ = stack.enter_context(gcs_store({"models/churn/7/model.joblib": BODY}))
    return Case(
        store=store,
        uri="gs://models/churn/7/model.joblib",
        missing="gs://models/churn/8/model.joblib",
        no_bucket="gs://nonesuch/model.joblib",
        wrong={"GOOGLE_APPLICATION_CREDENTIALS_JSON": make_account()[1]},
        at=_by_endpoint(store),
        keys="GOOGLE_APPLICATION_CREDENTIALS_JSON",
    )


def _oci(stack: ExitStack, folder: Path) -> Case:
    store = stack.enter_context(registry(folder / "oci"))
    path = folder / "model.joblib"
    path.write_bytes(BODY)
    push(store, path, "team/churn:7")
    base = f"oci://{store.address}"
    return Case(
        store=store,
        uri=f"{base}/team/churn:7",
        missing=f"{base}/team/churn:8",
        no_bucket=f"{base}/nonesuch:1",
        wrong={"password": "planted-wrong"},
        at=lambda address, uri: build(uri.replace(store.address, address)),
        keys="username and password",
        no_bucket_says='in repository "nonesuch"',
    )


@pytest.fixture(scope="module", params=[_s3, _az, _gs, _oci], ids=["s3", "az", "gs", "oci"])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield request.param(stack, tmp_path_factory.mktemp("store"))


def test_a_model_comes_whole(tmp_path: Path, case: Case) -> None:
    facts = fetch(
        tmp_path,
        case.at(case.store.address, case.uri),
        allow=case.store.address,
        secrets=case.store.secrets,
    )
    assert (facts["modelDigest"], facts["modelBytes"]) == (DIGEST, len(BODY))


def _refused(tmp_path: Path, case: Case, uri: str, **secrets: str) -> tuple[str, bool, str]:
    error = refused(
        tmp_path,
        case.at(case.store.address, uri),
        allow=case.store.address,
        secrets={**case.store.secrets, **secrets},
    )
    assert "planted-" not in error.message
    return error.reason, error.retryable, error.message


def test_no_such_object(tmp_path: Path, case: Case) -> None:
    reason, retryable, message = _refused(tmp_path, case, case.missing)
    assert (reason, retryable) == ("ModelNotFound", True)
    assert case.missing in message


def test_no_such_bucket(tmp_path: Path, case: Case) -> None:
    reason, _, message = _refused(tmp_path, case, case.no_bucket)
    assert reason == "ModelNotFound"
    assert case.no_bucket_says in message


def test_wrong_credentials(tmp_path: Path, case: Case) -> None:
    reason, retryable, message = _refused(tmp_path, case, case.uri, **case.wrong)
    assert (reason, retryable) == ("ModelAccessDenied", True)
    assert 'Secret "models"' in message
    assert case.keys in message


def test_no_credentials(tmp_path: Path, case: Case) -> None:
    asked = case.at(case.store.address, case.uri)
    nobody = build(asked.model.uri, endpoint=asked.model.access.endpoint, named=None)
    error = refused(tmp_path, nobody, allow=case.store.address)
    assert error.reason == "ModelAccessDenied"
    assert "spec.model.access.secretRef" in error.message
    assert case.keys in error.message


def test_another_digest(tmp_path: Path, case: Case) -> None:
    asked = case.at(case.store.address, case.uri)
    wanted = build(asked.model.uri, endpoint=asked.model.access.endpoint, digest=ZEROS)
    error = refused(tmp_path, wanted, allow=case.store.address, secrets=case.store.secrets)
    assert (error.reason, error.retryable) == ("DigestMismatch", False)
    assert DIGEST in error.message
    assert ZEROS in error.message


def test_too_large(tmp_path: Path, case: Case) -> None:
    asked = case.at(case.store.address, case.uri)
    small = build(asked.model.uri, endpoint=asked.model.access.endpoint, modelBytes=1000)
    error = refused(tmp_path, small, allow=case.store.address, secrets=case.store.secrets)
    assert error.reason == "ModelTooLarge"


def test_a_connection_that_breaks_at_60_percent(
    tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file goes on where it stopped: fewer bytes come than two whole downloads have."""
    monkeypatch.setattr(receive, "_PAUSE_SECONDS", 0.0)
    with Relay(case.store.address, over=len(BODY) // 2, breaks=(SIXTY,)) as relay:
        facts = fetch(
            tmp_path,
            case.at(relay.address, case.uri),
            allow=relay.address,
            secrets=case.store.secrets,
        )
        assert facts["modelDigest"] == DIGEST
        assert relay.broken == 1
        assert relay.passed < len(BODY) * 1.5


def test_a_stalled_download(tmp_path: Path, case: Case) -> None:
    with Relay(case.store.address, kind="stall", over=len(BODY) // 2, breaks=(SIXTY,) * 9) as relay:
        asked = case.at(relay.address, case.uri)
        hurried = build(asked.model.uri, endpoint=asked.model.access.endpoint, fetchSeconds=2)
        error = refused(tmp_path, hurried, allow=relay.address, secrets=case.store.secrets)
        assert (error.reason, error.retryable) == ("FetchTimeout", True)


def test_nobody_listens(tmp_path: Path, case: Case) -> None:
    address = f"127.0.0.1:{free_port()}"
    error = refused(tmp_path, case.at(address, case.uri), allow=address, secrets=case.store.secrets)
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)


def test_a_store_inside_needs_the_administrator(tmp_path: Path, case: Case) -> None:
    with Relay(case.store.address) as relay:
        error = refused(tmp_path, case.at(relay.address, case.uri), secrets=case.store.secrets)
        assert error.reason == "URIForbidden"
        assert f"SLIPWAY_FETCH_ALLOW={relay.address}" in error.message
        assert relay.connections == 0
