"""Health, traffic, retirement, images and conditions: one row for each rung of the ladders."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core_cluster import laptop_settings
from slipway_operator.api.spec import Contract, ContractRule, Model, ModelDeploymentSpec, Serving
from slipway_operator.api.status import Fallback, Parity, Report, Revision
from slipway_operator.decide.build import BuildDecision, BuildPhase
from slipway_operator.decide.build_result import compute_inputs
from slipway_operator.decide.health import Health, Level, assess_revision
from slipway_operator.decide.retirement import Exit, decide_retirement
from slipway_operator.decide.revision import decide_snapshot
from slipway_operator.decide.traffic import Goal, decide_traffic
from slipway_operator.decide.verdicts import Finding, Situation, decide_verdicts
from slipway_operator.settings import RuntimeUpdates, Settings
from slipway_operator.state.revision import BuildResult, RevisionState
from slipway_operator.state.slots import LEAST, MILLION, MOST, RouteState, Slot, Slots, fill_slots

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=700)


# ── Health ───────────────────────────────────────────────────────────────────────────────────
def state(
    *,
    ready: int = 0,
    conditions: tuple = (),
    pods: tuple = (),
    created: str | None = "2026-03-04T09:00:00Z",
    seen: int = 1,
    deployment: bool = True,
    replicas: int = 1,
) -> RevisionState:
    found = {
        "metadata": {"generation": 1, "creationTimestamp": created},
        "spec": {"replicas": replicas},
        "status": {
            "observedGeneration": seen,
            "readyReplicas": ready,
            "replicas": replicas,
            "conditions": list(conditions),
        },
    }
    return RevisionState(
        revision="7c1f000000",
        snapshot=None,
        deployment=found if deployment else None,
        service={},
        pods=pods,
    )


def assess(found: RevisionState, *, replicas: int = 1, now: datetime = NOW) -> Health:
    return assess_revision(state=found, replicas=replicas, progress_deadline_seconds=600, now=now)


def pod_with(container: dict) -> dict:
    return {
        "metadata": {"name": "p"},
        "status": {"containerStatuses": [{"name": "serve", "ready": False, **container}]},
    }


def crashed(restarts: int, **how: str) -> dict:
    terminated = {"exitCode": 1, "message": "bang", **how}
    return pod_with({"restartCount": restarts, "lastState": {"terminated": terminated}})


IMAGE = pod_with({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}})
UNPLACED = {
    "metadata": {"name": "p"},
    "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]},
}
LOST = {"type": "Available", "status": "False", "lastTransitionTime": "2026-03-04T09:11:00Z"}


def refused(message: str | None) -> dict:
    return {"type": "ReplicaFailure", "status": "True", "message": message}


@pytest.mark.parametrize(
    ("health", "level", "reason", "overdue"),
    [
        pytest.param(assess(state(ready=1)), Level.READY, "Serving", False, id="ready"),
        pytest.param(assess(state(), replicas=0), Level.READY, "ScaledToZero", False, id="zero"),
        pytest.param(
            assess(state(ready=1, seen=0)), Level.PARTIAL, "Serving", False, id="old counts"
        ),
        pytest.param(
            assess(state(ready=1), replicas=2), Level.PARTIAL, "Serving", False, id="some"
        ),
        pytest.param(
            assess(state(ready=1), replicas=2, now=LATER),
            Level.PARTIAL,
            "Serving",
            True,
            id="some for too long",
        ),
        pytest.param(assess(state()), Level.STARTING, "Starting", False, id="starting"),
        pytest.param(
            assess(state(deployment=False), now=LATER), Level.STARTING, "Starting", False, id="new"
        ),
        pytest.param(
            assess(state(created=None), now=LATER), Level.STARTING, "Starting", False, id="no time"
        ),
        pytest.param(
            assess(state(pods=(crashed(1),))), Level.STARTING, "Starting", False, id="one crash"
        ),
        pytest.param(
            assess(state(pods=(crashed(3),))),
            Level.FAILING,
            "CrashLoop",
            False,
            id="crashes",
        ),
        pytest.param(
            assess(state(pods=(crashed(3, reason="OOMKilled"),))),
            Level.FAILING,
            "OutOfMemory",
            False,
            id="memory",
        ),
        pytest.param(
            assess(state(pods=(crashed(1),)), now=LATER),
            Level.FAILING,
            "RevisionUnhealthy",
            True,
            id="one crash and the deadline",
        ),
        pytest.param(
            assess(state(pods=(IMAGE,))), Level.FAILING, "ImagePullFailed", False, id="image"
        ),
        pytest.param(
            assess(state(pods=(UNPLACED,))), Level.FAILING, "Unschedulable", False, id="no node"
        ),
        pytest.param(
            assess(state(conditions=(refused("pods is forbidden: exceeded quota: q"),))),
            Level.FAILING,
            "QuotaExceeded",
            False,
            id="quota",
        ),
        pytest.param(
            assess(state(conditions=(refused(None),))), Level.FAILING, "PodRejected", False, id="no"
        ),
        pytest.param(
            assess(state(), now=LATER), Level.FAILING, "ReplicasUnavailable", True, id="silent"
        ),
        pytest.param(
            assess(state(conditions=(LOST,)), now=LATER),
            Level.STARTING,
            "Starting",
            False,
            id="lost lately: the whole deadline again",
        ),
    ],
)
def test_health_names_the_level_and_the_cause(
    health: Health, level: Level, reason: str, overdue: bool
) -> None:
    assert (health.level, health.reason, health.overdue) == (level, reason, overdue)


def test_last_words_stand_in_the_message() -> None:
    assert '"bang"' in assess(state(pods=(crashed(3),))).message
    assert "bang" in assess(state(pods=(crashed(1),))).message


# ── Traffic ──────────────────────────────────────────────────────────────────────────────────
def route(slots: Slots | None, *, verified: bool = True) -> RouteState:
    return RouteState(slots=slots, stable="s", verified=verified, trouble=None, address=None)


def share(weight: int, *, guest: str = "n") -> Goal:
    return Goal(base="s", guest=guest, weight=weight)


QUARTER = 250_000
ODD = Slots(first=Slot(revision="s", weight=500), second=Slot(revision="n", weight=500))
BOTH = fill_slots("s").repoint_idle("n")
TO_N, TO_S, NOWHERE = share(MILLION), Goal(base="s"), Goal(base=None)
FIRST = Goal(base=None, guest="n", weight=MILLION)


@pytest.mark.parametrize(
    ("found", "goal", "able", "step", "expected"),
    [
        pytest.param(None, NOWHERE, "", "wait for the first revision", None, id="nothing yet"),
        pytest.param(None, FIRST, "", "wait for the first revision", None, id="not able"),
        pytest.param(None, FIRST, "n", "create", fill_slots("n"), id="first"),
        pytest.param(route(None), TO_S, "s", "restore", fill_slots("s"), id="spoiled"),
        pytest.param(route(None), TO_S, "", "wait for a revision", None, id="spoiled, none able"),
        pytest.param(route(fill_slots("x")), TO_S, "s", "restore", fill_slots("s"), id="unknown"),
        pytest.param(route(ODD), TO_S, "s", "shift", BOTH, id="odd weights"),
        pytest.param(route(BOTH, verified=False), TO_N, "n", "verify", BOTH, id="unconfirmed"),
        pytest.param(route(fill_slots("s")), TO_S, "s", "done", fill_slots("s"), id="there"),
        pytest.param(route(fill_slots("s")), NOWHERE, "", "done", fill_slots("s"), id="nowhere"),
        pytest.param(route(BOTH), TO_N, "s", "hold", BOTH, id="lost its pods"),
        pytest.param(route(fill_slots("s")), TO_N, "n", "repoint", BOTH, id="enter"),
        pytest.param(route(BOTH), TO_N, "n", "shift", BOTH.share("n", MOST), id="take over"),
        pytest.param(
            route(BOTH.share("n", MOST)),
            TO_N,
            "n",
            "repoint",
            BOTH.share("n", MOST).repoint("s", "n"),
            id="leave",
        ),
        pytest.param(route(BOTH), TO_S, "s", "repoint", fill_slots("s"), id="turn back"),
        pytest.param(route(fill_slots("s")), share(QUARTER), "sn", "repoint", BOTH, id="to share"),
        pytest.param(
            route(BOTH), share(QUARTER), "sn", "shift", BOTH.share("n", QUARTER), id="a share"
        ),
        pytest.param(
            route(BOTH.share("n", QUARTER)),
            share(QUARTER),
            "sn",
            "done",
            BOTH.share("n", QUARTER),
            id="shared",
        ),
        pytest.param(
            route(BOTH.share("n", QUARTER), verified=False),
            share(2 * QUARTER),
            "sn",
            "verify",
            BOTH.share("n", QUARTER),
            id="more waits for the gateway",
        ),
        pytest.param(
            route(BOTH.share("n", QUARTER), verified=False),
            TO_S,
            "s",
            "shift",
            BOTH,
            id="less does not",
        ),
        pytest.param(
            route(BOTH.share("n", QUARTER), verified=False),
            TO_S,
            "",
            "shift",
            BOTH,
            id="not even for pods, where all shall go back",
        ),
        pytest.param(
            route(BOTH.share("n", 3 * QUARTER)),
            share(QUARTER),
            "n",
            "hold",
            BOTH.share("n", 3 * QUARTER),
            id="a share is not given to who cannot answer",
        ),
        pytest.param(
            route(BOTH.share("n", 3 * QUARTER)),
            share(QUARTER, guest="m"),
            "sm",
            "shift",
            BOTH,
            id="another guest: first the old one is emptied",
        ),
        pytest.param(
            route(BOTH),
            share(QUARTER, guest="m"),
            "sm",
            "repoint",
            fill_slots("s").repoint_idle("m"),
            id="then its slot names the new one",
        ),
        pytest.param(
            route(fill_slots("n")),
            share(QUARTER, guest="m"),
            "sm",
            "restore",
            fill_slots("s"),
            id="without the base nothing is shared",
        ),
    ],
)
def test_traffic_takes_one_confirmed_step(
    found: RouteState | None, goal: Goal, able: str, step: str, expected: Slots | None
) -> None:
    decision = decide_traffic(route=found, goal=goal, known={"s", "n", "m"}, able=set(able))
    assert (decision.step, decision.slots) == (step, expected)
    assert decision.arrived == (goal.winner if step == "done" else None)
    if expected is not None:
        assert min(expected.first.weight, expected.second.weight) >= LEAST
        assert expected.first.weight + expected.second.weight == MILLION


@pytest.mark.parametrize(
    ("found", "goal", "reached"),
    [
        pytest.param(None, TO_S, False, id="no route"),
        pytest.param(route(BOTH), TO_S, False, id="a slot still names it"),
        pytest.param(route(fill_slots("s")), TO_S, True, id="all"),
        pytest.param(route(fill_slots("s"), verified=False), TO_S, False, id="unconfirmed"),
        pytest.param(route(BOTH.share("n", QUARTER)), share(QUARTER), True, id="a share"),
        pytest.param(route(BOTH.share("n", QUARTER)), share(QUARTER + 1), False, id="another"),
        pytest.param(route(fill_slots("n")), NOWHERE, False, id="nowhere is not reached"),
    ],
)
def test_a_goal_is_reached_when_it_is_confirmed(
    found: RouteState | None, goal: Goal, reached: bool
) -> None:
    assert goal.is_reached(found) is reached


# ── Retirement ───────────────────────────────────────────────────────────────────────────────
ANSWERED = Revision(
    hash="7c1f000000",
    role="Previous",
    verified_at="2026-03-04T08:00:00Z",
    retired_at="2026-03-04T08:59:30Z",
)


@pytest.mark.parametrize(
    ("found", "before", "confirmed", "exit_", "seconds_left"),
    [
        pytest.param(state(), ANSWERED, False, Exit.KEEP, None, id="unconfirmed"),
        pytest.param(state(), ANSWERED, True, Exit.KEEP, 30, id="requests under way"),
        pytest.param(state(), None, True, Exit.KEEP, 60, id="forgotten by the status"),
        pytest.param(
            state(),
            Revision(hash="7c1f000000", role="Canary"),
            True,
            Exit.STOP,
            5,
            id="never answered",
        ),
        pytest.param(
            state(replicas=0),
            Revision(hash="7c1f000000", role="Canary"),
            True,
            Exit.DELETE,
            None,
            id="stopped",
        ),
        pytest.param(
            state(deployment=False),
            Revision(hash="7c1f000000", role="Canary"),
            True,
            Exit.DELETE,
            None,
            id="only its Service is left",
        ),
    ],
)
def test_a_revision_goes_in_three_steps(
    found: RevisionState,
    before: Revision | None,
    confirmed: bool,
    exit_: Exit,
    seconds_left: float | None,
) -> None:
    retirement = decide_retirement(
        state=found, before=before, confirmed=confirmed, scale_down_delay_seconds=60, now=NOW
    )
    assert (retirement.exit, retirement.seconds_left) == (exit_, seconds_left)


# ── Revisions and images ─────────────────────────────────────────────────────────────────────
SPEC = ModelDeploymentSpec(model=Model(uri="s3://models/m.joblib"))
RESULT = BuildResult(
    build_hash=compute_inputs(model=SPEC.model, resolved=None).build_hash,
    inputs_hash="i",
    artifact="oci-layout:///store@sha256:a",
    model_digest="sha256:a",
    runtime="ONNX",
    format="SKLearn",
    report=Report(step="publish", ok=True, runtime="ONNX"),
)


def settings_with(image: str, updates: RuntimeUpdates = RuntimeUpdates.NEXT_REVISION) -> Settings:
    return replace(laptop_settings(), onnx_image=image, runtime_updates=updates)


@pytest.mark.parametrize(
    ("updates", "image"),
    [
        pytest.param(RuntimeUpdates.NEXT_REVISION, "old", id="next revision"),
        pytest.param(RuntimeUpdates.ROLLOUT, "new", id="rollout"),
    ],
)
def test_a_new_serving_image_rolls_out_only_where_it_should(
    updates: RuntimeUpdates, image: str
) -> None:
    old = decide_snapshot(spec=SPEC, result=RESULT, existing=(), settings=settings_with("old"))
    settings = settings_with("new", updates)
    found = decide_snapshot(spec=SPEC, result=RESULT, existing=(old,), settings=settings)
    assert found.image == image
    assert (found == old) == (image == "old")
    # Anything else that shapes pods takes the new image with it.
    edited = ModelDeploymentSpec(model=SPEC.model, serving=Serving(timeout_seconds=3))
    other = decide_snapshot(spec=edited, result=RESULT, existing=(old,), settings=settings)
    assert (other.image, other.revision == old.revision) == ("new", False)


def test_replicas_traffic_and_rollout_make_no_revision() -> None:
    edited = ModelDeploymentSpec(model=SPEC.model, replicas=7)
    found = [
        decide_snapshot(spec=spec, result=RESULT, existing=(), settings=laptop_settings())
        for spec in (SPEC, edited)
    ]
    assert found[0].revision == found[1].revision


def test_contract_rules_make_a_revision_and_ride_on_it() -> None:
    rule = ContractRule(column="island", rule="UnknownCategory", on_violation="Reject")
    ruled = ModelDeploymentSpec(model=SPEC.model, contract=Contract(rules=(rule,)))
    found = decide_snapshot(spec=ruled, result=RESULT, existing=(), settings=laptop_settings())
    plain = decide_snapshot(spec=SPEC, result=RESULT, existing=(), settings=laptop_settings())
    assert found.revision != plain.revision
    assert found.asked["contract"] == {
        "rules": [{"column": "island", "rule": "UnknownCategory", "onViolation": "Reject"}]
    }


# ── Conditions ───────────────────────────────────────────────────────────────────────────────
READY = assess(state(ready=1))
PARTIAL_OVERDUE = assess(state(ready=1), replicas=2, now=LATER)


def built(**report: Any) -> BuildDecision:
    result = replace_report(RESULT, Report(step="publish", ok=True, **report))
    return BuildDecision(phase=BuildPhase.DONE, build=None, detail="", result=result)  # type: ignore[arg-type]


def replace_report(result: BuildResult, report: Report) -> BuildResult:
    values = {name: getattr(result, name) for name in result.__struct_fields__}
    return BuildResult(**{**values, "report": report})


def situation(**more: Any) -> Situation:
    values: dict[str, Any] = {
        "blocked": None,
        "build": built(runtime="ONNX"),
        "asked": READY,
        "answering": READY,
        "answering_revision": "7c1f000000",
        "asked_revision": "7c1f000000",
        "route": route(fill_slots("s")),
        "hosts": None,
        "stable_is_asked": True,
        "arrived": True,
        "runtime_outdated": False,
    }
    return Situation(**(values | more))


def verdict(found: Situation, kind: str) -> tuple[str, str]:
    one = next(verdict for verdict in decide_verdicts(found) if verdict.type == kind)
    return one.status.value, one.reason


def refusing(reason: str) -> RouteState:
    return replace(route(fill_slots("s")), verified=False, trouble=(reason, "Words."))


NOT_ALLOWED = {"hosts": Finding(reason="HostnameNotAllowed", message="Words.")}


@pytest.mark.parametrize(
    ("changes", "kind", "expected"),
    [
        pytest.param({}, "Ready", ("True", "Serving"), id="all is well"),
        *(
            pytest.param(
                NOT_ALLOWED, kind, (status, "HostnameNotAllowed"), id=f"a host less: {kind}"
            )
            for kind, status in (
                ("Ready", "False"),
                ("UpToDate", "False"),
                ("TrafficProgrammed", "False"),
                ("Reconciling", "True"),
            )
        ),
        pytest.param(NOT_ALLOWED, "Available", ("True", "Serving"), id="a host less, it answers"),
        pytest.param(
            {**NOT_ALLOWED, "arrived": False},
            "Ready",
            ("False", "HostnameNotAllowed"),
            id="a host less, not ready for a moment either",
        ),
        pytest.param(
            {**NOT_ALLOWED, "arrived": False},
            "Reconciling",
            ("True", "RoutePending"),
            id="a host less, what is under way is told first",
        ),
        pytest.param({}, "UpToDate", ("True", "UpToDate"), id="up to date"),
        pytest.param(
            {"runtime_outdated": True}, "UpToDate", ("True", "RuntimeOutdated"), id="older image"
        ),
        pytest.param(
            {"blocked": Finding(reason="NameConflict", message="Words.", final=True)},
            "UpToDate",
            ("False", "NameConflict"),
            id="a stranger has a child's name",
        ),
        pytest.param(
            {"asked": PARTIAL_OVERDUE, "stable_is_asked": False, "arrived": False},
            "Ready",
            ("False", "ReplicasUnavailable"),
            id="some pods of a new revision never came",
        ),
        pytest.param(
            {"route": refusing("RouteNotAllowed"), "arrived": False},
            "Ready",
            ("False", "RouteNotAccepted"),
            id="route refused",
        ),
        pytest.param(
            {"route": refusing("RouteNotAllowed"), "arrived": False},
            "TrafficProgrammed",
            ("False", "RouteNotAccepted"),
            id="route refused, told by traffic",
        ),
        pytest.param(
            {"route": refusing("PortUnavailable"), "arrived": False},
            "Ready",
            ("False", "PortUnavailable"),
            id="a reason of the catalogue is kept",
        ),
        pytest.param(
            {"route": refusing("PortUnavailable"), "arrived": False},
            "TrafficProgrammed",
            ("False", "PortUnavailable"),
            id="also by traffic",
        ),
        pytest.param(
            {"answering": assess(state(), replicas=0), "asked": assess(state(), replicas=0)},
            "Ready",
            ("False", "ScaledToZero"),
            id="zero pods, as asked",
        ),
        pytest.param(
            {"route": route(fill_slots("s"), verified=False), "arrived": False},
            "TrafficProgrammed",
            ("Unknown", "RoutePending"),
            id="not yet confirmed",
        ),
        pytest.param(
            {"answering": None, "route": None}, "Ready", ("False", "NoRevision"), id="none answers"
        ),
        pytest.param(
            {"stable_is_asked": False},
            "UpToDate",
            ("False", "Progressing"),
            id="not yet stable",
        ),
        pytest.param(
            {"build": built(runtime="Native")},
            "ModelReady",
            ("True", "NativeRequested"),
            id="native by wish",
        ),
        pytest.param(
            {"build": built(runtime="Native", fallback=Fallback(reason="X", message="Words."))},
            "ModelReady",
            ("True", "NativeFallback"),
            id="native by need",
        ),
        pytest.param(
            {"build": built(runtime="ONNX", parity=Parity(verdict="NotNeeded"))},
            "ModelReady",
            ("True", "OriginalIsONNX"),
            id="was ONNX",
        ),
        pytest.param(
            {"build": built(runtime="ONNX", parity=Parity(verdict="NotVerified"))},
            "ModelReady",
            ("True", "NotVerified"),
            id="not verified",
        ),
        pytest.param(
            {"build": built(runtime="ONNX")}, "ModelReady", ("True", "NotVerified"), id="no parity"
        ),
    ],
)
def test_conditions_tell_the_deepest_cause(
    changes: dict[str, Any], kind: str, expected: tuple[str, str]
) -> None:
    assert verdict(situation(**changes), kind) == expected


def test_never_both_reconciling_and_stalled() -> None:
    final = situation(blocked=Finding(reason="InvalidSpec", message="Words.", final=True))
    assert verdict(final, "Reconciling")[0] == "False"
    assert verdict(final, "Stalled")[0] == "True"
    assert verdict(situation(arrived=False), "Reconciling")[0] == "True"
    assert verdict(situation(arrived=False), "Stalled")[0] == "False"
