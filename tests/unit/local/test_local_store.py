"""The store: versions, generations, preconditions, deletion, watches, crashes and full disks."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway_operator.local.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    EngineRefused,
    Expired,
    NotFound,
    StoreUnavailable,
)
from slipway_operator.local.kinds import JOB, POD, SECRET
from slipway_operator.local.store import Store

Object = dict[str, Any]
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def build(name: str = "one", **more: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": "default", "name": name},
        "spec": {"size": 1},
        **more,
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.sqlite", clock=lambda: NOON)
    yield opened
    opened.close()


def test_create_gives_uid_version_generation_and_time(store: Store) -> None:
    metadata = store.create(build())["metadata"]
    assert metadata["uid"]
    assert metadata["generation"] == 1
    assert metadata["creationTimestamp"] == "2026-01-02T12:00:00Z"
    assert int(metadata["resourceVersion"]) == store.version


def test_generation_moves_with_the_spec_only(store: Store) -> None:
    uid = store.create(build())["metadata"]["uid"]
    store.set_status(JOB, "default", "one", uid, {"active": 1})
    store.patch(JOB, "default", "one", {"metadata": {"labels": {"a": "b"}}})
    assert store.get(JOB, "default", "one")["metadata"]["generation"] == 1
    store.apply(build(spec={"size": 2}), manager="me")
    assert store.get(JOB, "default", "one")["metadata"]["generation"] == 2


def test_an_apply_that_changes_nothing_writes_nothing(store: Store) -> None:
    store.apply(build(), manager="me")
    before = store.version
    store.apply(build(), manager="me")
    assert store.version == before


def test_apply_leaves_status_and_other_managers_alone(store: Store) -> None:
    uid = store.apply(build(), manager="me")["metadata"]["uid"]
    store.set_status(JOB, "default", "one", uid, {"active": 1})
    store.patch(JOB, "default", "one", {"metadata": {"annotations": {"port": "8080"}}})
    changed = store.apply(build(spec={"other": 1}, status={"active": 9}), manager="me")
    assert changed["status"] == {"active": 1}
    assert changed["metadata"]["annotations"] == {"port": "8080"}
    assert changed["spec"] == {"other": 1}


def test_what_was_applied_is_remembered_across_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path / "store.sqlite")
    first.apply(build(spec={"a": 1, "b": 2}), manager="me")
    version = first.version
    first.close()
    second = Store(tmp_path / "store.sqlite")
    assert second.version == version
    assert second.apply(build(spec={"a": 1}), manager="me")["spec"] == {"a": 1}
    second.close()


def test_a_store_that_was_not_closed_opens_with_all_that_was_written(tmp_path: Path) -> None:
    left = Store(tmp_path / "store.sqlite")
    left.create(build())
    other = Store(tmp_path / "store.sqlite")
    assert other.get(JOB, "default", "one")["spec"] == {"size": 1}
    other.close()
    left.close()


def test_preconditions(store: Store) -> None:
    live = store.create(build())
    with pytest.raises(AlreadyExists):
        store.create(build())
    with pytest.raises(Conflict, match="made anew"):
        store.delete(JOB, "default", "one", uid="other")
    with pytest.raises(Conflict, match="read it again"):
        store.delete(JOB, "default", "one", version="1")
    with pytest.raises(Conflict):
        store.set_status(JOB, "default", "one", "other", {})
    stale = {**live, "metadata": {**live["metadata"], "resourceVersion": "1"}}
    with pytest.raises(Conflict):
        store.replace(stale)
    with pytest.raises(Conflict, match="is gone"):
        store.apply(
            {**build("new"), "metadata": {**build("new")["metadata"], "uid": "x"}}, manager="me"
        )
    store.delete(JOB, "default", "one", uid=live["metadata"]["uid"])
    with pytest.raises(NotFound):
        store.get(JOB, "default", "one")


def test_what_cannot_be_named_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="keeps no kind"):
        store.create({"apiVersion": "v1", "kind": "Node", "metadata": {}})
    with pytest.raises(BadRequest, match=r"metadata\.name"):
        store.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": "x"}})


def test_a_pod_is_marked_until_its_keeper_lets_go(store: Store) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": "p"},
        "spec": {"terminationGracePeriodSeconds": 7},
    }
    store.create(pod)
    store.delete(POD, "default", "p")
    marked = store.get(POD, "default", "p")["metadata"]
    assert marked["deletionTimestamp"] == "2026-01-02T12:00:00Z"
    assert marked["deletionGracePeriodSeconds"] == 7
    version = store.version
    store.delete(POD, "default", "p")
    assert store.version == version
    store.delete(POD, "default", "p", now=True)
    assert store.find(POD, "default", "p") is None


def test_finalizers_hold_an_object_until_they_are_gone(store: Store) -> None:
    store.create({**build(), "metadata": {**build()["metadata"], "finalizers": ["a/b"]}})
    store.delete(JOB, "default", "one")
    assert store.get(JOB, "default", "one")["metadata"]["deletionTimestamp"]
    store.patch(JOB, "default", "one", {"metadata": {"finalizers": None}})
    assert store.find(JOB, "default", "one") is None


def test_what_is_read_is_a_copy(store: Store) -> None:
    store.create(build())
    store.get(JOB, "default", "one")["spec"]["size"] = 9
    assert store.get(JOB, "default", "one")["spec"] == {"size": 1}


async def _next(store: Store) -> list[tuple[str, str]]:
    with store.subscribe() as changes:
        store.create(build())
        store.patch(JOB, "default", "one", {"spec": {"size": 2}})
        store.delete(JOB, "default", "one")
        got = [await changes.next() for _ in range(3)]
    return [(change.type, change.object["metadata"]["name"]) for change in got]


def test_subscribers_see_every_change_in_order(store: Store) -> None:
    import asyncio

    found = asyncio.run(_next(store))
    assert found == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_changes_since_a_version(store: Store) -> None:
    store.create(build())
    middle = store.version
    store.create(build("two"))
    assert [c.object["metadata"]["name"] for c in store.changes_since(middle)] == ["two"]
    with pytest.raises(Expired):
        store.changes_since(0)


def test_a_full_disk_is_said_leaves_all_as_it_was_and_heals(store: Store) -> None:
    store.create(build())
    before = store.version
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    big = build("big", spec={"text": "x" * 200_000})
    with pytest.raises(StoreUnavailable, match=r"full.*free disk space") as caught:
        store.create(big)
    assert (caught.value.code, caught.value.reason) == (507, "DiskFull")
    assert store.version == before
    assert store.find(JOB, "default", "big") is None
    store._db.execute("PRAGMA max_page_count=1000000")
    store.create(big)
    assert store.version == before + 1


def test_the_file_is_the_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(EngineRefused, match="Cannot open store"):
        Store(path)


def test_a_secret_has_no_generation(store: Store) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": build()["metadata"], "data": {}}
    store.create(secret)
    assert "generation" not in store.get(SECRET, "default", "one")["metadata"]


def test_an_error_never_shows_an_objects_content(store: Store) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": build()["metadata"],
        "data": {"token": "aHVzaA=="},
    }
    store.create(secret)
    for broken in (
        lambda: store.create(secret),
        lambda: store.delete(SECRET, "default", "one", uid="x"),
    ):
        with pytest.raises((AlreadyExists, Conflict)) as caught:
            broken()
        assert "aHVzaA==" not in str(caught.value)


def test_the_database_is_in_wal_mode(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.sqlite") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
