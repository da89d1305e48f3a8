"""The mirror of what the watches told: newest wins, ghosts go, families are known by uid."""

from typing import Any

from slipway_operator.edges.kubernetes.mirror import Mirror


def made(name: str, *, version: int = 1, uid: str = "", owner: str = "", kind: str = "Pod") -> Any:
    labels = {"slipway.dev/uid": owner} if owner else {}
    return {
        "kind": kind,
        "metadata": {
            "name": name, "namespace": "n", "uid": uid or f"uid-{name}",
            "resourceVersion": str(version), "labels": labels,
        },
    }  # fmt: skip


def test_who_asks_for_a_host_is_known_as_long_as_it_does() -> None:
    mirror = Mirror()

    def ask(name: str, version: int, *hosts: str) -> None:
        asked = made(name, version=version, kind="ModelDeployment")
        mirror.put({**asked, "spec": {"traffic": {"hostnames": list(hosts)}}})

    def claimants(host: str) -> set[str]:
        return {one["metadata"]["name"] for one in mirror.list_claimants(host)}

    ask("a", 1, "x.example.com", "y.example.com")
    ask("b", 1, "x.example.com")
    assert claimants("x.example.com") == {"a", "b"}
    assert claimants("y.example.com") == {"a"}
    ask("a", 2, "y.example.com")
    assert claimants("x.example.com") == {"b"}
    mirror.drop(made("b", kind="ModelDeployment"))
    assert claimants("x.example.com") == set()


def test_an_older_state_of_the_same_object_is_not_kept() -> None:
    mirror = Mirror()
    newer, older = made("a", version=10), made("a", version=9)
    assert mirror.put(newer)
    assert not mirror.put(older)
    assert mirror.find("Pod", "n", "a") == newer


def test_another_object_of_that_name_is_kept_whatever_its_version() -> None:
    mirror = Mirror()
    mirror.put(made("a", version=10))
    again = made("a", version=3, uid="other")
    assert mirror.put(again)
    assert mirror.find_by_uid("uid-a") is None
    assert mirror.find_by_uid("other") == again


def test_a_late_deletion_of_a_former_object_leaves_the_new_one() -> None:
    mirror = Mirror()
    again = made("a", uid="other")
    mirror.put(again)
    mirror.drop(made("a"))
    assert mirror.find("Pod", "n", "a") == again
    mirror.drop(again)
    assert mirror.find("Pod", "n", "a") is None


def test_a_whole_list_drops_what_was_deleted_while_nobody_watched() -> None:
    mirror = Mirror()
    for obj in (made("a", owner="m"), made("b", owner="m"), made("c", owner="m", kind="Job")):
        mirror.put(obj)
    mirror.put(made("born-later", owner="m", version=7))
    mirror.put(made("b", owner="m", version=2))
    mirror.keep_only("Pod", {("n", "b")}, version=5)
    names = {obj["metadata"]["name"] for obj in mirror.children_of("m")}
    assert names == {"b", "c", "born-later"}, "another kind, and what is newer, is not touched"
    mirror.drop(made("born-later"))
    assert mirror.list_uids("Pod") == ["uid-b"]


def test_what_is_kept_is_told_by_its_version() -> None:
    mirror = Mirror()
    mirror.put(made("a", version=5))
    assert mirror.has("Pod", "n", "a", uid="uid-a", version=5)
    assert not mirror.has("Pod", "n", "a", uid="uid-a", version=6)
    assert not mirror.has("Pod", "n", "a", uid="other", version=5)
    assert not mirror.has("Pod", "n", "a", uid="uid-a", version=0), "it cannot be compared"


def test_a_fingerprint_changes_with_every_member_of_a_family() -> None:
    mirror = Mirror()
    mirror.put(made("m", kind="ModelDeployment", uid="m"))
    mirror.put(made("a", owner="m"))
    before = mirror.fingerprint("m")
    mirror.put(made("a", owner="m", version=2))
    assert mirror.fingerprint("m") != before
    assert len(mirror.fingerprint("m")) == 2


def test_builds_are_open_until_they_end() -> None:
    mirror = Mirror()
    job = made("a", kind="Job", owner="m")
    job["metadata"]["labels"]["slipway.dev/build"] = "b"
    mirror.put(job)
    assert list(mirror.list_open("Job")) == [job]
    ended = made("a", kind="Job", owner="m", version=2)
    ended["metadata"]["labels"]["slipway.dev/build"] = "b"
    ended["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    mirror.put(ended)
    assert list(mirror.list_open("Job")) == []


def test_the_servers_bookkeeping_is_not_kept() -> None:
    mirror = Mirror()
    obj = made("a")
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    mirror.put(obj)
    kept = mirror.find("Pod", "n", "a")
    assert kept is not None
    assert "managedFields" not in kept["metadata"]
    assert kept["metadata"]["name"] == "a"


def test_who_scales_is_kept_of_the_servers_bookkeeping() -> None:
    mirror = Mirror()
    obj = made("a")
    scaling = {"manager": "kube-controller-manager", "subresource": "scale"}
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}, scaling]
    mirror.put(obj)
    kept = mirror.find("Pod", "n", "a")
    assert kept is not None
    assert kept["metadata"]["managedFields"] == [scaling]


def test_a_family_changes_with_its_label() -> None:
    mirror = Mirror()
    mirror.put(made("a", owner="m"))
    mirror.put(made("a", owner="other", version=2))
    assert mirror.children_of("m") == ()
    assert len(mirror.children_of("other")) == 1
