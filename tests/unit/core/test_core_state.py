"""Names, canonical text, times, pods and slots, by exact value."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway_operator.state.canonical import compute_hash, read_json_object, render_canonical
from slipway_operator.state.identity import MAX_NAME, Owner
from slipway_operator.state.instants import compute_seconds_left, read_instant, render_instant
from slipway_operator.state.pods import assess_pod, assess_pods, describe_exit
from slipway_operator.state.slots import LEAST, MOST, Slot, Slots, fill_slots

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z][-a-z0-9]{0,43}[a-z0-9]", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{10}", fullmatch=True)


def owner(name: str = "penguins") -> Owner:
    return Owner(name=name, namespace="default", uid="uid-1")


def test_the_longest_name_keeps_its_children_within_63_characters() -> None:
    longest = "m" * 45
    assert owner(longest).revision_name("0123456789abcdef") == "m" * 45 + "-r0123456789"
    assert owner(longest).build_name("0123456789abcdef") == "m" * 45 + "-b0123456789"
    assert len(owner(longest).revision_name("0" * 64)) == 57 <= MAX_NAME


@settings(max_examples=100, deadline=None, derandomize=True)
@given(one=st.tuples(NAMES, HASHES), other=st.tuples(NAMES, HASHES))
def test_names_of_children_are_labels_and_belong_to_one_model(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    names = [owner(name).revision_name(revision) for name, revision in (one, other)]
    assert all(len(name) <= MAX_NAME for name in names)
    # No two models share a child, and no child is called like a build's.
    assert (names[0] == names[1]) == (one == other)
    assert owner(one[0]).build_name(one[1]) not in names


def test_labels_and_owner_reference_say_whose_a_child_is() -> None:
    metadata = owner().metadata(name="x", labels=owner().labels(revision="0a"))
    child = {"metadata": metadata}
    assert metadata["labels"]["slipway.dev/revision"] == "0a"
    assert owner().owns(child)
    earlier = Owner(name="penguins", namespace="default", uid="uid-0")
    assert not earlier.owns(child)
    assert earlier.is_left_over(child)
    assert not owner().is_left_over(child)
    assert not owner().is_left_over({"metadata": {}})


def test_equal_values_have_one_text_and_one_hash() -> None:
    assert render_canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    assert compute_hash({"b": 1, "a": 2}) == compute_hash({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"a":1}', {"a": 1}, id="object"),
        pytest.param("[1]", None, id="list"),
        pytest.param("{", None, id="torn"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_json_written_by_others_is_read_or_not_there(text: object, value: object) -> None:
    assert read_json_object(text) == value


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-03-04T09:00:00Z", NOW, id="utc"),
        pytest.param("2026-03-04T10:00:00+01:00", NOW, id="zone"),
        pytest.param("2026-03-04T09:00:00", NOW, id="no zone"),
        pytest.param("soon", None, id="no time"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_times_are_read_as_utc(text: object, instant: datetime | None) -> None:
    assert read_instant(text) == instant


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    zoned = datetime(2026, 3, 4, 10, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))
    assert render_instant(zoned) == "2026-03-04T09:00:00Z"


@pytest.mark.parametrize(
    ("elapsed", "left"),
    [
        pytest.param(0, 10, id="just begun"),
        pytest.param(4, 6, id="under way"),
        pytest.param(11, 0, id="over"),
        pytest.param(-3600, 10, id="the clock went back"),
    ],
)
def test_a_wait_is_never_longer_than_asked(elapsed: int, left: int) -> None:
    now = NOW + timedelta(seconds=elapsed)
    assert compute_seconds_left(since=NOW, wait_seconds=10, now=now) == left


@pytest.mark.parametrize(
    ("terminated", "words"),
    [
        pytest.param({"exitCode": 1, "reason": "Error"}, "exit code 1", id="code"),
        pytest.param({"signal": 9, "exitCode": 137}, "signal 9", id="signal"),
        pytest.param(
            {"exitCode": 128, "reason": "StartError", "message": " last \n"},
            'StartError, exit code 128, "last"',
            id="reason and words",
        ),
        pytest.param({}, "exit code unknown", id="nothing known"),
        pytest.param(
            {"exitCode": 137, "signal": 9, "reason": "OOMKilled", "message": "INFO ready"},
            "OOMKilled, signal 9",
            id="killed for its memory, whose last words say nothing",
        ),
    ],
)
def test_an_exit_is_told_with_its_last_words(terminated: dict, words: str) -> None:
    assert describe_exit(terminated) == words


def pod(*, containers: list | None = None, conditions: list | None = None) -> dict:
    status = {"containerStatuses": containers or [], "conditions": conditions or []}
    return {"metadata": {"name": "p"}, "status": status}


def container(**more: object) -> dict:
    return {"name": "serve", "ready": False, **more}


def waiting(reason: str, message: str = "words") -> dict:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


CRASHED = {"lastState": {"terminated": {"exitCode": 1}}, "restartCount": 4}


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        pytest.param(pod(), None, id="nothing said"),
        pytest.param(pod(containers=[container(**waiting("ContainerCreating"))]), None, id="begun"),
        pytest.param(
            pod(containers=[container(**waiting("ErrImagePull"))]), "ImagePull", id="image"
        ),
        pytest.param(
            pod(containers=[container(**waiting("CreateContainerConfigError", ""))]),
            "Waiting",
            id="configuration",
        ),
        pytest.param(pod(containers=[container(**CRASHED)]), "Crash", id="crash"),
        pytest.param(
            pod(containers=[container(**{**CRASHED, "ready": True})]), None, id="recovered"
        ),
        pytest.param(
            pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]),
            "Unschedulable",
            id="no node",
        ),
        pytest.param(
            pod(conditions=[{"type": "PodScheduled", "status": "True"}]), None, id="placed"
        ),
    ],
)
def test_a_pod_names_what_keeps_it_from_running(found: dict, kind: str | None) -> None:
    trouble = assess_pod(found)
    assert (trouble.kind if trouble else None) == kind


def test_the_worst_trouble_is_told_whatever_the_order() -> None:
    crash, image = (
        pod(containers=[container(**CRASHED)]),
        pod(containers=[container(**waiting("ErrImagePull"))]),
    )
    assert assess_pods([image, crash]) == assess_pods([crash, image])
    worst = assess_pods([image, crash])
    assert worst is not None
    assert (worst.kind, worst.restarts) == ("Crash", 4)
    assert worst.message == 'Container "serve" of pod "p" ended 5 times, last with exit code 1'
    assert assess_pods([pod()]) is None


def test_slots_move_as_rollouts_do() -> None:
    slots = fill_slots("a")
    entered = slots.repoint_idle("b")
    swapped = entered.share("b", MOST)
    arrived = swapped.repoint("a", "b")
    weights = [
        [(slot.revision, slot.weight) for slot in (step.first, step.second)]
        for step in (slots, entered, swapped, arrived)
    ]
    assert weights == [
        [("a", MOST), ("a", LEAST)],
        [("a", MOST), ("b", LEAST)],
        [("a", LEAST), ("b", MOST)],
        [("b", LEAST), ("b", MOST)],
    ]
    assert arrived.names_only("b")
    # And once more, from the other side.
    back = arrived.repoint_idle("c").share("c", MOST)
    assert (back.first, back.second) == (
        Slot(revision="c", weight=MOST),
        Slot(revision="b", weight=LEAST),
    )


def test_edited_weights_come_to_rest_around_the_heavier_slot() -> None:
    edited = Slots(first=Slot(revision="a", weight=0), second=Slot(revision="b", weight=7))
    assert not edited.is_at_rest
    assert edited.rest().main == Slot(revision="b", weight=MOST)
    assert edited.rest().is_at_rest
