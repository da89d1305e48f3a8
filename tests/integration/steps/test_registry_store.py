"""A registry as the artifact store, as on a cluster: published once, pulled by digest, checked."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry_tokens import token_registry
from slipway_runtime.artifact.manifest import load_manifest
from steps_build import StepBuild, write_linear
from store_servers import Store, registry


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> StepBuild:
    """One model, converted and not yet published."""
    folder = tmp_path_factory.mktemp("built")
    made = StepBuild(folder=folder, model=write_linear(folder / "model.pkl"))
    assert made.run_until("convert")["ok"]
    return made


def login(folder: Path, **keys: str) -> Path:
    """A mounted Secret: a file a key."""
    folder.mkdir()
    for key, value in keys.items():
        (folder / key).write_text(f"{value}\n")
    return folder


def publish(build: StepBuild, store: str, keys: Path | None) -> dict[str, Any]:
    named = {"SLIPWAY_REGISTRY_DIR": str(keys)} if keys else {}
    return build.run("publish", SLIPWAY_ARTIFACT_STORE=store, **named)


def pull(artifact: str, folder: Path, keys: Path | None) -> "subprocess.CompletedProcess[str]":
    named = {"SLIPWAY_REGISTRY_DIR": str(keys)} if keys else {}
    return subprocess.run(
        [sys.executable, "-m", "slipway_runtime", "pull"],
        env={"SLIPWAY_ARTIFACT": artifact, "SLIPWAY_MODEL_DIR": str(folder), **named},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_was_published_comes_back_whole_and_only_once(
    tmp_path: Path, store: Store, build: StepBuild
) -> None:
    keys = login(tmp_path / "keys", **store.secrets)
    address = f"oci+http://{store.address}/models"
    first = publish(build, address, keys)
    assert first["ok"], first
    facts = first["facts"]
    assert facts["artifact"] == f"{address}/default/churn@{facts['digest']}"
    assert publish(build, address, keys)["facts"]["digest"] == facts["digest"]

    local = build.run("publish")["facts"]
    here, there = tmp_path / "here", tmp_path / "there"
    assert pull(local["artifact"], here, None).returncode == 0
    done = pull(facts["artifact"], there, keys)
    assert done.returncode == 0, done.stderr
    assert load_manifest(there / "manifest.json").model.digest == facts["modelDigest"]
    kept = files_of(there)
    assert {name: kept[name] for name in ("manifest.json", "model.onnx")} == {
        name: digest
        for name, digest in files_of(here).items()
        if name in ("manifest.json", "model.onnx")
    }
    assert not [name for name in kept if name.startswith((".copied", ".incoming"))]
    before = (there / "model.onnx").stat().st_mtime_ns
    assert pull(facts["artifact"], there, keys).returncode == 0
    assert (there / "model.onnx").stat().st_mtime_ns == before, "it was there already"


def test_wrong_credentials_are_the_installations(
    tmp_path: Path, store: Store, build: StepBuild
) -> None:
    keys = login(tmp_path / "keys", username="planted-user", password="wrong")
    report = publish(build, f"oci+http://{store.address}", keys)
    assert (report["ok"], report["reason"], report["retryable"]) == (False, "PublishFailed", True)
    assert "credentials" in report["message"]
    assert "wrong" not in report["message"]


def test_a_registry_that_is_away_is_tried_again(tmp_path: Path, build: StepBuild) -> None:
    report = publish(build, "oci+http://127.0.0.1:9/models", None)
    assert (report["ok"], report["reason"], report["retryable"]) == (False, "PublishFailed", True)
    assert "127.0.0.1:9" in report["message"]


def test_plain_http_is_spoken_only_where_it_is_asked_for(
    tmp_path: Path, store: Store, build: StepBuild
) -> None:
    keys = login(tmp_path / "keys", **store.secrets)
    report = publish(build, f"oci://{store.address}", keys)
    assert (report["ok"], report["reason"]) == (False, "PublishFailed")
    assert "TLS" in report["message"]


def test_an_artifact_that_is_not_there(tmp_path: Path, store: Store) -> None:
    keys = login(tmp_path / "keys", **store.secrets)
    digest = f"sha256:{'0' * 64}"
    done = pull(f"oci+http://{store.address}/default/churn@{digest}", tmp_path / "model", keys)
    assert done.returncode == 1
    assert f'Cannot find artifact "{digest}"' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_of_one_repository_opens_no_other(tmp_path: Path, build: StepBuild) -> None:
    with token_registry(tmp_path / "registry") as (store, _):
        token = store.issue("repository:models/default/churn:pull,push")
        keys = login(tmp_path / "keys", token=token)
        assert publish(build, f"oci+http://{store.address}/models", keys)["ok"]
        elsewhere = publish(build, f"oci+http://{store.address}/others", keys)
        assert (elsewhere["ok"], elsewhere["reason"]) == (False, "PublishFailed")
