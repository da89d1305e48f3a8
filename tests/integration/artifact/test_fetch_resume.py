"""A download that breaks off goes on where it stopped, or begins again; half of it never stays."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fetch_servers import FetchServer, fetch_server
from fetching import build, digest_of, fetch, refused
from slipway_runtime.artifact import receive
from slipway_runtime.artifact.sink import FetchDeadline

BODY = os.urandom(1 << 20)
DIGEST = digest_of(BODY)
SIXTY = len(BODY) * 6 // 10


@pytest.fixture
def server() -> Iterator[FetchServer]:
    with fetch_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "_PAUSE_SECONDS", 0.0)


def _ranges(server: FetchServer) -> list[str | None]:
    return [headers.get("range") for _, headers in server.requests]


def test_goes_on_where_it_stopped(tmp_path: Path, server: FetchServer) -> None:
    url = server.ranged("/m", BODY, breaks=(SIXTY, 1000))
    facts = fetch(tmp_path, build(url, digest=DIGEST), allow=server.address)
    assert facts["modelDigest"] == DIGEST
    assert (tmp_path / "fetched/model/m").read_bytes() == BODY
    assert _ranges(server) == [None, f"bytes={SIXTY}-", f"bytes={SIXTY + 1000}-"]
    assert server.requests[1][1]["if-range"] == '"1"'


def test_begins_again_without_a_strong_etag(tmp_path: Path, server: FetchServer) -> None:
    for number, etag in enumerate((None, 'W/"1"')):
        url = server.ranged(f"/{number}", BODY, etag=etag, breaks=(SIXTY,))
        assert fetch(tmp_path, build(url), allow=server.address)["modelDigest"] == DIGEST
    assert _ranges(server) == [None] * 4


def test_begins_again_when_the_file_changed(tmp_path: Path, server: FetchServer) -> None:
    """Two versions are never mixed."""
    url = server.ranged("/m", os.urandom(SIXTY * 2), breaks=(SIXTY,), etag='"old"')
    first = server.routes["/m"]

    def _then_new(handler: object) -> None:
        server.ranged("/m", BODY, etag='"new"')
        first(handler)  # type: ignore[arg-type]

    server.routes["/m"] = _then_new
    assert fetch(tmp_path, build(url), allow=server.address)["modelDigest"] == DIGEST
    assert _ranges(server) == [None, f"bytes={SIXTY}-"]


def test_gives_up_a_source_that_keeps_breaking(tmp_path: Path, server: FetchServer) -> None:
    url = server.ranged("/m", BODY, breaks=(1000,) * 100)
    error = refused(tmp_path, build(url), allow=server.address)
    assert (error.reason, error.retryable) == ("SourceUnavailable", True)
    assert len(server.requests) == receive.RESUMES + 1


def test_another_part_than_asked_for_is_refused(tmp_path: Path, server: FetchServer) -> None:
    url = server.ranged("/m", BODY, breaks=(SIXTY,))
    first = server.routes["/m"]

    def _then_wrong(handler: object) -> None:
        server.serve("/m", BODY, 206, Content_Range=f"bytes 0-{len(BODY) - 1}/{len(BODY)}")
        first(handler)  # type: ignore[arg-type]

    server.routes["/m"] = _then_wrong
    error = refused(tmp_path, build(url), allow=server.address)
    assert "another part" in error.message


def test_goes_on_after_a_silence(
    tmp_path: Path, server: FetchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "slipway_runtime.artifact.fetch.FetchDeadline",
        lambda seconds: FetchDeadline(seconds, stall_seconds=0.5),
    )
    url = server.stall("/m", BODY, SIXTY)
    first = server.routes["/m"]

    def _then_well(handler: object) -> None:
        server.ranged("/m", BODY)
        first(handler)  # type: ignore[arg-type]

    server.routes["/m"] = _then_well
    assert fetch(tmp_path, build(url), allow=server.address)["modelDigest"] == DIGEST


def test_the_limit_holds_over_all_parts(tmp_path: Path, server: FetchServer) -> None:
    url = server.ranged("/m", BODY, breaks=(SIXTY,))
    error = refused(tmp_path, build(url, modelBytes=len(BODY) - 1), allow=server.address)
    assert error.reason == "ModelTooLarge"
    assert len(server.requests) == 1


def test_credentials_are_not_sent_on(tmp_path: Path, server: FetchServer) -> None:
    """Not to another host, and not back to the first by way of another."""
    with fetch_server() as other:
        final = server.serve("/final", BODY)
        url = server.redirect("/m", other.redirect("/there", final))
        fetch(
            tmp_path,
            build(url),
            allow=f"{server.address},{other.address}",
            secrets={"username": "ann", "password": "planted"},
        )
        assert "authorization" in server.requests[0][1]
        assert "authorization" not in other.requests[0][1]
        assert "authorization" not in server.requests[1][1]


@pytest.mark.parametrize(
    ("secrets", "key"),
    [({"token": "a\nx-planted: 1"}, "token"), ({"token": "planted word"}, "token"),
     ({"token": "pläntéd"}, "token"),
     ({"username": "a\x00b", "password": "planted"}, "username")],
)  # fmt: skip
def test_a_key_that_is_no_credential(
    tmp_path: Path, server: FetchServer, secrets: dict[str, str], key: str
) -> None:
    url = server.serve("/m", BODY)
    error = refused(tmp_path, build(url), allow=server.address, secrets=secrets)
    assert error.reason == "ModelAccessDenied"
    assert f'key {key} of Secret "models"' in error.message
    assert server.requests == []


def test_a_redirect_with_a_password_is_refused(tmp_path: Path, server: FetchServer) -> None:
    with fetch_server() as other:
        target = other.serve("/m", BODY).replace("//", "//user:planted@")
        url = server.redirect("/m", target)
        error = refused(tmp_path, build(url), allow=f"{server.address},{other.address}")
        assert error.reason == "URIForbidden"
        assert "planted" not in error.message
        assert other.requests == []
