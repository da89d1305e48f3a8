"""The artifact store under SIGKILL at every step, many writers at once, and a full disk."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from killed import DIES_AT_STEP
from slipway_runtime.artifact.oci import (
    OciLayout,
    StoreError,
    hash_file,
    parse_store,
    split_artifact,
)

_WRITER = f"""{DIES_AT_STEP}
from slipway_runtime.artifact.oci import OciLayout
folder, name = Path(sys.argv[1]), sys.argv[3]
layout = OciLayout(folder)
layout.prepare()
config = layout.add_blob(lambda stream: stream.write(name.encode()))
layer = layout.add_blob(lambda stream: stream.write(name.encode() * 1000))
layout.add_artifact(config=config, layer=layer, reference="default/" + name, build_hash=name)
"""


def _write(folder: Path, name: str, die_at: int = 0) -> int:
    return subprocess.run(
        [sys.executable, "-c", _WRITER, str(folder), str(die_at), name], timeout=60, check=False
    ).returncode


def _assert_valid(layout: OciLayout) -> list[str]:
    """Everything that the index names is there and whole; returns the references."""
    index = layout.folder / "index.json"
    if not index.exists():
        return []
    names = []
    for entry in json.loads(index.read_bytes())["manifests"]:
        artifact = layout.open_artifact(entry["digest"])
        layout.verify(artifact.config)
        layout.verify(artifact.layer)
        names.append(entry["annotations"]["org.opencontainers.image.ref.name"])
    for blob in (layout.folder / "blobs" / "sha256").iterdir():
        assert hash_file(blob)[0] == f"sha256:{blob.name}"
    return sorted(names)


def test_killed_at_every_step(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "store")
    assert _write(layout.folder, "first") == 0
    die_at = 0
    while True:
        die_at += 1
        code = _write(layout.folder, "second", die_at)
        names = _assert_valid(layout)
        assert "default/first" in names
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert die_at > 10  # it did die at many places
    assert names == ["default/first", "default/second"]
    found = layout.find(reference="default/second", build_hash="second")
    assert found is not None


def test_many_writers(tmp_path: Path) -> None:
    names = [f"writer{number}" for number in range(6)]
    running = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), "0", name])
        for name in names
    ]
    assert [process.wait(60) for process in running] == [0] * len(names)
    assert _assert_valid(OciLayout(tmp_path)) == [f"default/{name}" for name in names]


def test_writing_again_replaces_the_reference(tmp_path: Path) -> None:
    for _ in range(2):
        assert _write(tmp_path, "same") == 0
    assert _assert_valid(OciLayout(tmp_path)) == ["default/same"]


def test_full_disk_leaves_it_valid(tmp_path: Path) -> None:
    """A file-size limit stands for the full disk: the write fails half-way with an OSError."""
    layout = OciLayout(tmp_path / "store")
    assert _write(layout.folder, "first") == 0
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
        with pytest.raises(OSError) as caught:  # noqa: PT011  the number is asserted below
            layout.add_blob(lambda stream: stream.write(bytes(1 << 20)) and None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.errno == errno.EFBIG
    assert list((layout.folder / ".incoming").iterdir()) == []
    assert _assert_valid(layout) == ["default/first"]


@pytest.mark.skipif(os.getuid() != 0, reason="a small file system needs root")
def test_publish_on_a_full_disk(tmp_path: Path) -> None:
    """ENOSPC for real, on a file system of 64 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], check=False
    )
    if made.returncode != 0:
        pytest.skip("this machine does not let root mount")
    try:
        layout = OciLayout(mount / "store")
        layout.prepare()
        with pytest.raises(OSError) as caught:  # noqa: PT011  the number is asserted below
            layout.add_blob(lambda stream: stream.write(bytes(1 << 20)) and None)
        assert caught.value.errno == errno.ENOSPC
        assert list((layout.folder / ".incoming").iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize(
    "store", ["", "/folder", "oci-layout://relative", "s3://b", "oci-layout:/x"]
)
def test_store_address(store: str) -> None:
    with pytest.raises(StoreError, match="oci-layout:///ABSOLUTE/FOLDER"):
        parse_store(store)


@pytest.mark.parametrize(
    "address", ["oci-layout:///x", "oci-layout:///x@sha256:1", "oci-layout:///x@md5:" + "0" * 64]
)
def test_artifact_address(address: str) -> None:
    with pytest.raises(StoreError, match="STORE@sha256"):
        split_artifact(address)


def test_damaged_index_is_said(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path)
    assert _write(tmp_path, "first") == 0
    (tmp_path / "index.json").write_text("{")
    assert layout.find(reference="default/first", build_hash="first") is None
    blob = layout.add_blob(lambda stream: stream.write(b"x") and None)
    with pytest.raises(StoreError, match=r"index\.json is damaged"):
        layout.add_artifact(config=blob, layer=blob, reference="r", build_hash="h")


def test_other_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(StoreError, match="version"):
        OciLayout(tmp_path).prepare()


def test_artifact_of_another_kind(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path)
    layout.prepare()
    for content in (b"{}", b"[]", b"x", b'{"artifactType": "other"}'):
        blob = layout.add_blob(lambda stream, content=content: stream.write(content) and None)
        with pytest.raises(StoreError):
            layout.open_artifact(blob.digest)
