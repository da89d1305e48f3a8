"""A full disk: what serves goes on serving, what cannot be kept is refused, and space heals."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import behaviour_models as models
from behaviour_laptop import Laptop
from behaviour_terminal import condition, deployment, has_reason, is_true

DISK = "32m"
ROW = {"age": 70.0, "income": 3.0}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so that it can be filled without hurting anybody."""
    if os.geteuid() != 0:
        pytest.fail("mounting a small disk needs root: run `make test` as root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "slipway", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, *, leave_bytes: int) -> Path:
    """A file that takes all space but `leave_bytes`, while others write there too."""
    path = folder / "filler"
    with path.open("wb") as out:
        while (free := _free_bytes(folder) - leave_bytes) > 0:
            with suppress(OSError):  # somebody else took some of it meanwhile
                os.posix_fallocate(out.fileno(), 0, os.fstat(out.fileno()).st_size + free)
    return path


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_a_full_disk_stops_no_prediction_and_heals_with_space(
    small_disk: Path, tmp_path: Path
) -> None:
    engine = Laptop(data=small_disk / "data")
    engine.start()
    try:
        good = models.classifier(tmp_path / "good.joblib")
        engine.apply(deployment("full", f"file:{good}"))
        before = engine.wait("full", is_true("UpToDate"))

        filler = fill(small_disk, leave_bytes=0)
        other = models.classifier(tmp_path / "other.joblib", flip=True)
        said = engine.apply(deployment("full", f"file:{other}"))
        # It cannot be kept, and that is said; or a last block took it, and the build says so.
        if said.code == 0:
            engine.wait("full", has_reason("DiskFull"))
        else:
            assert "disk" in said.err.lower()
        answer = engine.post(before, "/predict", json=[ROW])
        assert answer.json()["predictions"][0]["label"] == "old"

        filler.unlink()
        engine.apply(deployment("full", f"file:{other}"))
        after = engine.wait("full", is_true("UpToDate"))
        answer = engine.post(after, "/predict", json=[ROW])
        assert answer.json()["predictions"][0]["label"] == "young"
    finally:
        engine.stop()


def test_a_build_that_fills_the_disk_is_named_and_tried_again(
    small_disk: Path, tmp_path: Path
) -> None:
    engine = Laptop(data=small_disk / "data")
    engine.start()
    try:
        filler = fill(small_disk, leave_bytes=2_000_000)
        large = tmp_path / "large.joblib"
        models.forest(large)
        assert large.stat().st_size > 3_000_000
        engine.apply(deployment("large", f"file:{large}"))
        found = engine.wait("large", has_reason("DiskFull"))
        assert condition(found, "Ready")["status"] == "False"
        filler.unlink()
        # No edit: a full disk is tried again.
        engine.wait("large", is_true("UpToDate"))
    finally:
        engine.stop()
