"""Commands in the annotations of a ModelDeployment: read, refused with a reason, or taken once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from slipway_operator.api.spec import Contract, Serving
from slipway_operator.api.status import Report, Status
from slipway_operator.api.status_rollout import Command as Answer
from slipway_operator.api.status_rollout import RolloutState, RolloutStatus, Weights
from slipway_operator.api.vocabulary import Unpickle
from slipway_operator.decide.rollout.hearing import Heard, Hearer, hear
from slipway_operator.state.command import Command, Verb, read_command, render_command
from slipway_operator.state.revision import BuildResult, Snapshot

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
STABLE, CANARY = "aaaa111111", "bbbb222222"
DIGEST = "sha256:" + "2" * 64
GIVEN: dict[str, Any] = {
    "id": "c1",
    "verb": "pause",
    "revision": CANARY,
    "uid": "md-1",
    "expires": NOW + timedelta(seconds=60),
    "by": "ann",
}
ASKED = Snapshot(
    image="serve:1",
    asked={},
    build=BuildResult(
        build_hash="b",
        inputs_hash="i",
        artifact="oci-layout:///store@sha256:1",
        model_digest=DIGEST,
        runtime="ONNX",
        format="SKLearn",
        report=Report(),
    ),
    unpickle=Unpickle.SANDBOXED,
    serving=Serving(),
    contract=Contract(),
)


def run(*, state: str = "Observing", weight: int = 50_000, paused: str | None = None) -> Status:
    """A rollout on its way."""
    return Status(
        observed_generation=3,
        stable_revision=STABLE,
        canary_revision=CANARY,
        rollout=RolloutStatus(
            state=RolloutState(state), weights=Weights(desired=weight, programmed=0), paused=paused
        ),
    )


RUNNING = run()
REJECTED = Status(
    observed_generation=3,
    stable_revision=STABLE,
    rollout=RolloutStatus(state=RolloutState.ROLLED_BACK),
    rejected_digests=(DIGEST,),
)


def listen(
    before: Status = RUNNING,
    *,
    last_id: str | None = None,
    asked: Snapshot | None = ASKED,
    is_paused_by_spec: bool = False,
    **given: Any,
) -> tuple[Verb | None, Answer | None]:
    heard = hear(
        Command(**(GIVEN | given)),
        place(before, last_id=last_id, asked=asked, is_paused_by_spec=is_paused_by_spec),
    )
    return heard.verb, heard.answer


def place(before: Status = RUNNING, **more: Any) -> Hearer:
    """What a command is held against."""
    rest = {
        "stable": before.stable_revision,
        "last_id": None,
        "asked": None,
        "former": (),
        "known": (STABLE, CANARY),
        "is_paused_by_spec": False,
    }
    return Hearer(before=before, uid="md-1", now=NOW, **(rest | more))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(
            {"verb": "stop"},
            'There is no command "stop". Use one of: '
            "promote, promote-full, abort, pause, resume, retry, rollback.",
            id="an unknown verb",
        ),
        pytest.param(
            {"uid": "md-0"},
            "It was given to another ModelDeployment of this name, now deleted.",
            id="another object",
        ),
        pytest.param(
            {"expires": None},
            "It has to expire within 300 seconds. Give it again.",
            id="never expires",
        ),
        pytest.param(
            {"expires": NOW + timedelta(seconds=301)},
            "It has to expire within 300 seconds. Give it again.",
            id="expires too late",
        ),
        pytest.param(
            {"expires": NOW - timedelta(seconds=1)},
            "It expired before it was seen. Give it again.",
            id="expired",
        ),
        pytest.param(
            {"revision": STABLE},
            "It was meant for revision aaaa, but now bbbb is on its way. "
            "Look again, then give it again.",
            id="another revision",
        ),
        pytest.param(
            {"revision": ""},
            "It was meant for revision none, but now bbbb is on its way. "
            "Look again, then give it again.",
            id="no revision",
        ),
        pytest.param({"verb": "resume"}, "It is not paused.", id="nothing to resume"),
        pytest.param(
            {"verb": "retry"},
            "There is nothing to try again: what the spec asks for was not rolled back.",
            id="nothing to retry",
        ),
    ],
)
def test_it_is_refused_with_the_reason(given: dict[str, Any], words: str) -> None:
    verb, answer = listen(**given)
    assert verb is None
    assert answer == Answer(id="c1", by="ann", result="Refused", message=words)


@pytest.mark.parametrize("seconds", [0, 300])
def test_at_its_limits_it_is_taken(seconds: int) -> None:
    assert listen(expires=NOW + timedelta(seconds=seconds))[0] is Verb.PAUSE


@pytest.mark.parametrize(
    ("verb", "before"),
    [
        pytest.param("promote", RUNNING, id="promote"),
        pytest.param("promote", run(weight=0, paused="ApprovalNeeded"), id="approve"),
        pytest.param("promote-full", RUNNING, id="promote-full"),
        pytest.param("promote-full", run(state="Preparing", weight=0), id="promote-full at once"),
        pytest.param("abort", RUNNING, id="abort"),
        pytest.param("pause", RUNNING, id="pause"),
        pytest.param("pause", run(paused="Paused"), id="pause again"),
        pytest.param("resume", run(paused="AnalysisInconclusive"), id="resume"),
    ],
)
def test_it_is_taken_and_says_so(verb: str, before: Status) -> None:
    taken, answer = listen(before, verb=verb)
    assert taken is Verb(verb)
    assert answer == Answer(
        id="c1", by="ann", result="Accepted", message=f"{verb} of revision bbbb."
    )


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(Status(), id="nothing yet"),
        pytest.param(Status(stable_revision=STABLE), id="no candidate"),
        pytest.param(msgspec.structs.replace(RUNNING, rollout=None), id="no state"),
        pytest.param(run(state="Aborting"), id="on its way out"),
        pytest.param(run(state="Initializing"), id="the first revision"),
    ],
)
@pytest.mark.parametrize("verb", ["promote", "promote-full", "abort", "pause", "resume"])
def test_without_a_rollout_there_is_nothing_to_do(verb: str, before: Status) -> None:
    taken, answer = listen(before, verb=verb)
    assert taken is None
    assert answer is not None
    assert answer.message == "No rollout is running."


@pytest.mark.parametrize("weights", [None, Weights(desired=0, programmed=0)])
def test_before_the_first_step_there_is_none_to_leave(weights: Weights | None) -> None:
    before = msgspec.structs.replace(
        RUNNING, rollout=RolloutStatus(state=RolloutState.PREPARING, weights=weights)
    )
    taken, answer = listen(before, verb="promote")
    assert taken is None
    assert answer is not None
    assert answer.message == "Its pods are not ready yet, so there is no step to leave."


@pytest.mark.parametrize(
    ("verb", "is_taken"),
    [
        ("promote", False),
        ("promote-full", False),
        ("resume", False),
        ("pause", True),
        ("abort", True),
    ],
)
def test_what_the_spec_pauses_is_let_go_by_the_spec_alone(verb: str, is_taken: bool) -> None:
    taken, answer = listen(run(paused="Paused"), verb=verb, is_paused_by_spec=True)
    assert (taken is not None) == is_taken
    assert answer is not None
    if not is_taken:
        assert answer.message == "It is paused by spec.rollout.paused. Set that to false."


def test_what_waits_for_approval_is_not_resumed() -> None:
    taken, answer = listen(run(paused="ApprovalNeeded"), verb="resume")
    assert taken is None
    assert answer is not None
    assert answer.message == "It waits for approval. Use promote."


@pytest.mark.parametrize("revision", ["", ASKED.revision], ids=["none", "the one asked for"])
def test_what_was_rolled_back_is_tried_again(revision: str) -> None:
    taken, answer = listen(REJECTED, verb="retry", revision=revision)
    assert taken is Verb.RETRY
    assert answer is not None
    assert answer.result == "Accepted"


@pytest.mark.parametrize(
    ("asked", "revision", "words"),
    [
        pytest.param(ASKED, "cccc3333", "It was meant for revision cccc", id="another"),
        pytest.param(None, ASKED.revision, "There is nothing to try again", id="not built"),
    ],
)
def test_what_is_not_meant_is_not_tried_again(
    asked: Snapshot | None, revision: str, words: str
) -> None:
    taken, answer = listen(REJECTED, asked=asked, verb="retry", revision=revision)
    assert taken is None
    assert answer is not None
    assert answer.message is not None
    assert answer.message.startswith(words)


def test_an_id_is_answered_once() -> None:
    for verb in ("pause", "stop"):
        _, answer = listen(verb=verb)
        before = msgspec.structs.replace(RUNNING, last_command=answer)
        assert listen(before, verb=verb) == (None, answer)
        assert listen(before, verb="pause", id="c2")[0] is Verb.PAUSE


def test_with_the_status_lost_the_id_of_the_route_counts() -> None:
    # The route is written first: with a status, the command is to be carried out (again).
    assert listen(last_id="c1")[0] is Verb.PAUSE
    lost = msgspec.structs.replace(RUNNING, observed_generation=0)
    taken, answer = listen(lost, last_id="c1")
    assert taken is None
    assert answer is not None
    assert (answer.id, answer.result) == ("c1", "Refused")
    assert listen(lost, last_id="c0")[0] is Verb.PAUSE
    known = msgspec.structs.replace(RUNNING, last_command=Answer(id="c1", result="Accepted"))
    assert listen(known, last_id="c0") == (None, known.last_command)


def test_without_a_command_the_answer_to_the_last_one_is_kept() -> None:
    answer = Answer(id="c0", result="Accepted")
    before = msgspec.structs.replace(RUNNING, last_command=answer)
    assert hear(None, place(before)) == Heard(answer=answer)


def test_what_is_rendered_is_read() -> None:
    command = Command(**GIVEN)
    annotations = render_command(command)
    assert annotations["slipway.dev/command"] == "pause"
    assert annotations["slipway.dev/command-expires"] == "2026-03-04T09:01:00Z"
    assert read_command({"metadata": {"annotations": annotations}}) == command


def test_without_a_time_or_a_name_there_is_none() -> None:
    command = Command(**(GIVEN | {"expires": None, "by": None}))
    read = read_command({"metadata": {"annotations": render_command(command)}})
    assert read is not None
    assert (read.expires, read.by) == (None, "")


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param(None, id="none"),
        pytest.param({"slipway.dev/command": "pause"}, id="no id"),
        pytest.param({"slipway.dev/command-id": "c1"}, id="no verb"),
        pytest.param(
            {"slipway.dev/command": "pause", "slipway.dev/command-id": "x" * 65}, id="a long id"
        ),
    ],
)
def test_what_is_no_command_is_left_alone(annotations: dict[str, str] | None) -> None:
    assert read_command({"metadata": {"annotations": annotations}}) is None
    assert read_command({}) is None


def test_long_words_are_cut_before_they_are_told_again() -> None:
    annotations = render_command(Command(**(GIVEN | {"verb": "x" * 9000, "target": "y" * 9000})))
    read = read_command({"metadata": {"annotations": annotations}})
    assert read is not None
    assert (len(read.verb), len(read.target)) == (64, 64)


def test_what_is_missing_beside_it_is_refused_later() -> None:
    annotations = {"slipway.dev/command": "pause", "slipway.dev/command-id": "x" * 64}
    assert read_command({"metadata": {"annotations": annotations}}) == Command(
        id="x" * 64, verb="pause", revision="", uid="", expires=None, by=None
    )
