"""Files of a claim's volume: read where the pod mounts it, and never beyond it."""

import os
from pathlib import Path

import pytest

from fetching import build, digest_of, fetch, refused

BODY = b"model" * 1000


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    folder = tmp_path / "claims/models/churn/7"
    folder.mkdir(parents=True)
    (folder / "model.joblib").write_bytes(BODY)
    (tmp_path / "claims/models/churn/latest").symlink_to("7")
    (tmp_path / "secret").write_bytes(b"planted")
    return tmp_path / "claims"


@pytest.mark.parametrize("path", ["churn/7/model.joblib", "churn/latest/model.joblib"])
def test_a_file_of_a_volume(tmp_path: Path, claims: Path, path: str) -> None:
    asked = build(f"pvc://models/{path}", allow_file=False)
    assert fetch(tmp_path / "work", asked, claims=claims)["modelDigest"] == digest_of(BODY)


@pytest.mark.parametrize(
    ("target", "words"),
    [("../../secret", "leads out"), ("/proc/self/environ", "leads out"), ("nowhere", "has no")],
    ids=["up", "root", "dangling"],
)
def test_a_link_does_not_lead_out(tmp_path: Path, claims: Path, target: str, words: str) -> None:
    (claims / "models/m").symlink_to(target)
    error = refused(tmp_path / "work", build("pvc://models/m", allow_file=False), claims=claims)
    assert error.reason == ("ModelNotFound" if words == "has no" else "URIForbidden")
    assert words in error.message
    assert str(tmp_path) not in error.message


@pytest.mark.parametrize(
    ("path", "reason", "words"),
    [
        ("models/nothing", "ModelNotFound", 'claim "models" has no "nothing"'),
        ("models/churn/7/model.joblib/x", "ModelNotFound", "has no"),
        ("other/m", "SourceUnavailable", '"other" is not mounted'),
        ("models/pipe", "ModelUnreadable", "not a plain file"),
        ("models/churn/7", "ModelUnreadable", "it is a folder"),
    ],
    ids=["missing", "below-a-file", "no-claim", "pipe", "folder"],
)
def test_what_is_no_file(tmp_path: Path, claims: Path, path: str, reason: str, words: str) -> None:
    os.mkfifo(claims / "models/pipe")
    error = refused(tmp_path / "work", build(f"pvc://{path}", allow_file=False), claims=claims)
    assert error.reason == reason
    assert words in error.message


def test_a_file_that_may_not_be_read(
    tmp_path: Path, claims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel refuses it; root, who may run this, is refused nothing."""

    def _refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("slipway_runtime.artifact.from_pvc.os.open", _refuse)
    asked = build("pvc://models/churn/7/model.joblib", allow_file=False)
    error = refused(tmp_path / "work", asked, claims=claims)
    assert (error.reason, error.retryable) == ("ModelAccessDenied", True)
    assert f"user {os.getuid()}" in error.message


def test_a_laptop_has_no_claims(tmp_path: Path, claims: Path) -> None:
    error = refused(tmp_path / "work", build("pvc://models/m"), claims=claims)
    assert error.reason == "URIForbidden"
    assert "a laptop has no PersistentVolumeClaims" in error.message
