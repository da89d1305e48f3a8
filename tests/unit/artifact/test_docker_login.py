"""Whom `docker login` left behind: entries, helpers, and files that cannot be used."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.artifact.docker_login import find_login
from slipway_runtime.artifact.registry import Login
from slipway_runtime.errors import BuildError

ADDRESS = "registry.example.com:5000"
ANN = Login(username="ann", password="a:word")
ENTRY = {"auth": base64.b64encode(b"ann:a:word").decode()}


def find(folder: Path, config: Any, *, path: str = "") -> tuple[Login, str]:
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text)
    return find_login(ADDRESS, environment={"DOCKER_CONFIG": str(folder), "PATH": path})


@pytest.mark.parametrize(
    "name", [ADDRESS, f"https://{ADDRESS}", f"https://{ADDRESS}/v1/", f"http://{ADDRESS}/"]
)
def test_an_entry(tmp_path: Path, name: str) -> None:
    config = {"auths": {"other.example.com": {"auth": "eA=="}, name: ENTRY}}
    assert find(tmp_path, config) == (ANN, f'user "ann" of {tmp_path}/config.json')


def test_an_entry_in_plain(tmp_path: Path) -> None:
    config = {"auths": {ADDRESS: {"username": "ann", "password": "a:word"}}}
    assert find(tmp_path, config)[0] == ANN


@pytest.mark.parametrize(
    "config", [{}, {"auths": {}}, {"auths": {"other": ENTRY}}, {"auths": None}]
)
def test_nobody(tmp_path: Path, config: Any) -> None:
    login, name = find(tmp_path, config)
    assert login == Login()
    assert "has no login" in name


def test_no_file(tmp_path: Path) -> None:
    login, name = find_login(ADDRESS, environment={"HOME": str(tmp_path)})
    assert login == Login()
    assert str(tmp_path / ".docker/config.json") in name


@pytest.mark.parametrize(
    "config",
    [
        "no JSON",
        "[]",
        {"auths": {ADDRESS: {"auth": "!"}}},
        {"auths": {ADDRESS: {"auth": base64.b64encode(b"\xff\xfe").decode()}}},
        {"auths": {ADDRESS: {"identitytoken": "planted"}}},
        {"credsStore": "../../bin/sh"},
        {"credsStore": "that-nobody-has"},
    ],
    ids=["text", "list", "no-base64", "no-text", "identity-token", "path", "no-helper"],
)
def test_what_cannot_be_used(tmp_path: Path, config: Any) -> None:
    with pytest.raises(BuildError, match="docker login") as caught:
        find(tmp_path, config)
    assert caught.value.reason == "ModelAccessDenied"
    assert "planted" not in caught.value.message


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int = 0) -> None:
    """A credential helper in PATH that notes what it is asked."""
    program = folder / "docker-credential-test"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"pathlib.Path({str(folder / 'asked')!r}).write_text(sys.argv[1] + sys.stdin.read())\n"
        f"print({answer!r})\nsys.exit({code})\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@pytest.mark.parametrize("config", [{"credsStore": "test"}, {"credHelpers": {ADDRESS: "test"}}])
def test_a_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Any) -> None:
    helper(tmp_path, monkeypatch, json.dumps({"Username": "ann", "Secret": "a:word"}))
    assert find(tmp_path, config)[0] == ANN
    assert (tmp_path / "asked").read_text() == f"get{ADDRESS}"


def test_a_helper_that_has_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(tmp_path, monkeypatch, "credentials not found in native keychain", code=1)
    assert find(tmp_path, {"credsStore": "test"})[0] == Login()


@pytest.mark.parametrize("answer", ["no", "{}", '{"Username": "<token>", "Secret": "planted"}'])
def test_a_helper_that_gives_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    helper(tmp_path, monkeypatch, answer)
    with pytest.raises(BuildError, match="docker-credential-test") as caught:
        find(tmp_path, {"credsStore": "test"})
    assert "planted" not in caught.value.message
