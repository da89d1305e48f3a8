"""Which built models are collected and when; the layout stays readable, killed at any step."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from killed import DIES_AT_STEP
from slipway_operator.local.artifact_collector import ArtifactCollector
from slipway_operator.local.artifact_sweep import MOST_BLOBS, sweep
from slipway_operator.local.artifacts import list_entries, read_artifacts
from slipway_operator.local.datafolder import DataFolder
from slipway_operator.local.kinds import DEPLOYMENT, JOB, MODEL_DEPLOYMENT, POD
from slipway_operator.local.store import Store
from slipway_runtime.artifact.oci import OciLayout, StoredArtifact, hash_file

Object = dict[str, Any]
GRACE = 600.0


def publish(layout: OciLayout, name: str, build: str) -> StoredArtifact:
    """As the build step does it: two blobs of its own and one that others have too."""
    layout.prepare()
    content = json.dumps({"name": name, "buildHash": build, "runtime": "ONNX"}).encode()
    config = layout.add_blob(lambda stream: stream.write(content) and None)
    layer = layout.add_blob(lambda stream: stream.write(build.encode() * 1000) and None)
    return layout.add_artifact(
        config=config, layer=layer, reference=f"default/{name}:{build}", build_hash=build
    )


def age(layout: OciLayout) -> None:
    """Have all blobs written an hour ago."""
    for path in (layout.folder / "blobs/sha256").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)


def check(layout: OciLayout) -> list[str]:
    """Everything that the index names is there and whole; returns the build hashes."""
    builds = []
    for entry in list_entries(layout.folder):
        artifact = layout.open_artifact(entry["digest"])
        layout.verify(artifact.config)
        layout.verify(artifact.layer)
        builds.append(entry["annotations"]["dev.slipway.build-hash"])
    for blob in (layout.folder / "blobs/sha256").iterdir():
        assert hash_file(blob)[0] == f"sha256:{blob.name}"
    return builds


def count_blobs(layout: OciLayout) -> int:
    return len(list((layout.folder / "blobs/sha256").iterdir()))


# ── The sweep ────────────────────────────────────────────────────────────────────────────────
_SWEEPER = f"""{DIES_AT_STEP}
from slipway_operator.local.artifact_sweep import sweep
layout, unwanted = Path(sys.argv[1]), sys.argv[3:]
sweep(layout, unwanted=unwanted, written_before=float("inf"))
"""


def test_killed_at_every_step_it_stays_readable_and_the_next_one_finishes(tmp_path: Path) -> None:
    die_at, code = 0, -signal.SIGKILL
    while code != 0:
        die_at += 1
        layout = OciLayout(tmp_path / str(die_at))
        gone = [publish(layout, "m", build).digest for build in ("a", "b")]
        publish(layout, "m", "kept")
        code = subprocess.run(
            [sys.executable, "-c", _SWEEPER, str(layout.folder), str(die_at), *gone],
            timeout=60,
            check=False,
        ).returncode
        assert code in (0, -signal.SIGKILL)
        assert "kept" in check(layout)
        assert list(read_artifacts(layout.folder, namespace="default", name="m"))[-1] == "kept"
        sweep(layout.folder, unwanted=gone, written_before=float("inf"))
        assert check(layout) == ["kept"]
        assert count_blobs(layout) == 3
        publish(layout, "m", "later")
        assert check(layout) == ["kept", "later"]
    assert die_at > 10


def test_what_two_artifacts_share_stays_with_the_one_that_is_left(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path)
    first = publish(layout, "one", "same")
    blob = first.layer
    config = layout.add_blob(lambda stream: stream.write(b"{}") and None)
    layout.add_artifact(config=config, layer=blob, reference="default/two:x", build_hash="x")
    sweep(tmp_path, unwanted=[first.digest], written_before=float("inf"))
    assert check(layout) == ["x"]
    assert count_blobs(layout) == 3


def test_young_blobs_and_a_layout_in_use_are_left_alone(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path)
    assert sweep(tmp_path, unwanted=[], written_before=float("inf")) is False  # nothing there yet
    stored = publish(layout, "m", "a")
    with (tmp_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert sweep(tmp_path, unwanted=[stored.digest], written_before=float("inf")) is True
    assert check(layout) == ["a"]
    layout.add_blob(lambda stream: stream.write(b"of a build that runs") and None)
    assert sweep(tmp_path, unwanted=[], written_before=time.time() - 60) is False
    assert count_blobs(layout) == 4


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"manifests": 3}', '{"manifests": [3]}'])
def test_a_damaged_index_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    layout = OciLayout(tmp_path)
    publish(layout, "m", "a")
    (tmp_path / "index.json").write_text(text)
    assert sweep(tmp_path, unwanted=[], written_before=float("inf")) is False
    assert count_blobs(layout) == 3
    assert (tmp_path / "index.json").read_text() == text


def test_beside_a_damaged_artifact_nothing_is_removed(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path)
    damaged, other = publish(layout, "m", "a"), publish(layout, "m", "b")
    layout.blob_path(damaged.digest).write_text("{")
    sweep(tmp_path, unwanted=[other.digest], written_before=float("inf"))
    assert count_blobs(layout) == 6


def test_a_pass_is_bounded(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path)
    publish(layout, "m", "kept")
    for number in range(MOST_BLOBS + 1):
        layout.add_blob(lambda stream, number=number: stream.write(str(number).encode()) and None)
    assert sweep(tmp_path, unwanted=[], written_before=float("inf")) is True
    assert count_blobs(layout) == 3 + 1
    assert sweep(tmp_path, unwanted=[], written_before=float("inf")) is False
    assert count_blobs(layout) == 3


# ── What is needed ───────────────────────────────────────────────────────────────────────────
class World:
    """A store, a layout and a clock."""

    def __init__(self, root: Path) -> None:
        self.data = DataFolder(root=root)
        self.data.create()
        self.store = Store(self.data.store)
        self.layout = OciLayout(self.data.artifacts)
        self.now = time.time()
        self.collector = ArtifactCollector(
            store=self.store, data=self.data, grace_seconds=GRACE, clock=lambda: self.now
        )

    def create(self, kind: Any, name: str, status: Object | None = None, **more: Any) -> str:
        made = self.store.create(
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {"namespace": "default", "name": name},
                **more,
            }
        )
        uid = str(made["metadata"]["uid"])
        if status is not None:
            self.store.set_status(kind, "default", name, uid, status)
        return uid

    def pass_by(self, seconds: float) -> list[str]:
        """The builds that are left after a pass, the time and another pass."""
        self.collector.collect()
        self.now += seconds
        self.collector.collect()
        return check(self.layout)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def test_what_nothing_needs_goes_after_the_grace(world: World) -> None:
    publish(world.layout, "gone", "a")
    age(world.layout)
    assert world.collector.collect() == GRACE
    world.now += GRACE - 1
    assert world.collector.collect() == 1.0
    assert check(world.layout) == ["a"]
    world.now += 1
    assert world.collector.collect() is None
    assert count_blobs(world.layout) == 0


def test_what_is_needed_again_within_the_grace_has_all_of_it_anew(world: World) -> None:
    address = f"oci-layout:///x@{publish(world.layout, 'm', 'a').digest}"
    age(world.layout)
    assert world.pass_by(GRACE - 1) == ["a"]
    world.create(DEPLOYMENT, "m-r1", spec={"env": address})
    assert world.pass_by(GRACE) == ["a"]
    world.store.delete(DEPLOYMENT, "default", "m-r1")
    assert world.pass_by(GRACE - 1) == ["a"]
    assert world.pass_by(1) == []


@pytest.mark.parametrize("kind", [DEPLOYMENT, MODEL_DEPLOYMENT, POD], ids=lambda kind: kind.kind)
def test_whatever_names_an_artifact_keeps_it(world: World, kind: Any) -> None:
    address = f"oci-layout:///x@{publish(world.layout, 'm', 'a').digest}"
    publish(world.layout, "m", "b")
    age(world.layout)
    spec: Object = {"restartPolicy": "Always", "containers": [], "env": address}
    status = {"phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}]}
    world.create(kind, "m", status, spec=spec)
    assert world.pass_by(GRACE) == ["a"]


def test_the_history_of_a_model_keeps_its_newest_artifacts(world: World) -> None:
    for build in "abcd":
        publish(world.layout, "m", build)
    publish(world.layout, "other", "e")
    age(world.layout)
    entry = {"revision": "r", "outcome": "Promoted"}
    world.create(MODEL_DEPLOYMENT, "m", {"history": [entry, entry]}, spec={})
    assert world.pass_by(GRACE) == ["c", "d"]
    world.store.delete(MODEL_DEPLOYMENT, "default", "m")
    assert world.pass_by(GRACE) == []


@pytest.mark.parametrize(
    ("kind", "spec", "status"),
    [
        pytest.param(JOB, {}, {"active": 1}, id="build"),
        pytest.param(POD, {"restartPolicy": "Never"}, {"phase": "Running"}, id="build-pod"),
        pytest.param(POD, {"restartPolicy": "Always"}, {"phase": "Pending"}, id="pull"),
        pytest.param(POD, {"restartPolicy": "Always"}, None, id="pod-not-yet-seen"),
    ],
)
def test_nothing_goes_while_a_build_or_a_pull_runs(
    world: World, kind: Any, spec: Object, status: Object | None
) -> None:
    publish(world.layout, "m", "a")
    age(world.layout)
    world.collector.collect()
    uid = world.create(kind, "busy", status, spec=spec)
    world.now += 10 * GRACE
    assert world.collector.collect() is not None
    assert check(world.layout) == ["a"]
    done = {
        "phase": "Succeeded",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
    world.store.set_status(kind, "default", "busy", uid, done)
    world.collector.collect()
    assert check(world.layout) == []
