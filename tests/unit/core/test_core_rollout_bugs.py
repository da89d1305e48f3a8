"""The mistakes of other rollout controllers, each as a small life that would show it here.

Every case is named by the report of the mistake (project#number). Left out are those that cannot
be made by construction, those of autoscaling and of scale to zero.
"""

from collections.abc import Callable
from typing import Any

import pytest

from core_cluster import Behaviour
from core_watched import NAME, Watched, digest

OLD, NEW, OTHER = "old", "new", "other"
Case = Callable[[], None]
CASES: list[Any] = []


def bug(*references: str) -> Callable[[Case], Case]:
    """Register a life under the reports that it is about."""

    def register(case: Case) -> Case:
        CASES.extend(pytest.param(case, id=reference) for reference in references[:1])
        case.__doc__ = f"{', '.join(references)}: {case.__doc__}"
        return case

    return register


def step(percent: int, **rest: Any) -> dict[str, Any]:
    weight = {"percent": percent, "minSeconds": 4, "maxSeconds": 300} | rest
    return {"type": "Weight", "weight": weight}


STEPS = [step(20), step(60), step(100)]


def begin(*, new: dict[str, Any] | None = None, **rollout: Any) -> Watched:
    """A model that serves; the new one is known and not yet asked for."""
    world = Watched()
    world.know(OLD, Behaviour(digest=digest("1")))
    world.know(NEW, Behaviour(digest=digest("2"), **(new or {})))
    world.know(OTHER, Behaviour(digest=digest("3")))
    world.ask(OLD, **({"steps": STEPS, "warmUp": {"requests": 10, "seconds": 2}} | rollout))
    world.live(60, until="Stable")
    assert world.name_of(world.stable) == OLD
    return world


def run_to(world: Watched, weight: int, *, seconds: int = 120) -> None:
    """Until the new model has this share, confirmed."""
    for _ in range(0, seconds, 2):
        world.live(2)
        if world.weigh(NEW) == weight and world.see().confirmed:
            return
    raise AssertionError(world.states[-5:])


def ready_pods(world: Watched, name: str) -> int:
    seen = world.see()
    return sum(seen.ready[rev][0] for rev, model in seen.digests.items() if model == model_of(name))


def model_of(name: str) -> str:
    return digest({OLD: "1", NEW: "2", OTHER: "3"}[name])


# ── requests to pods that are not there ──────────────────────────────────────────────────


@bug("argo-rollouts#4390", "argo-rollouts#587", "flagger#256", "flagger#773")
def supersede_while_it_has_traffic() -> None:
    """A newer model comes while one is on its way: its pods stay until no request can come."""
    world = begin()
    world.ask(NEW)
    run_to(world, 200_000)
    world.ask(OTHER)
    kept = 0
    for _ in range(60):
        # The gateway is slow: what it has not confirmed may still get requests.
        for _ in range(3):
            world.go()
            world.cluster.wait(2)
            revisions = {name.rsplit("-r", 1)[-1] for name in world.cluster.reachable}
            if NEW in {world.name_of(revision) for revision in revisions}:
                assert ready_pods(world, NEW) == 1
                kept += 1
        world.live(2)
        if world.name_of(world.stable) == OTHER:
            break
    assert kept > 3
    assert world.name_of(world.stable) == OTHER
    assert ("Superseded", None) in world.history


@bug("argo-rollouts#2050", "argo-rollouts#1731", "flagger#1202")
def old_pods_stay_until_new_ones_answer() -> None:
    """The new pods find no place: the old ones keep every request, for hours if need be."""
    world = begin(new={"pod": "unplaced"})
    world.ask(NEW, replicas=2)
    for _ in range(20):
        world.live(4)
        world.cluster.wait(600)
        assert world.weigh(NEW) == 0
        assert ready_pods(world, OLD) == 2
    assert world.cluster.condition(NAME, "UpToDate")[:2] == ("False", "Unschedulable")
    world.change(NEW, pod="ready")
    world.live(200, until="Draining")
    assert world.name_of(world.stable) == NEW


@bug("argo-rollouts#3275")
def change_of_strategy_in_the_middle() -> None:
    """Another strategy in the middle takes no pod from whatever has requests."""
    world = begin(new={"pod": "silent"})
    world.ask(NEW)
    world.live(20)
    world.ask(strategy="Immediate")
    world.live(60)
    assert (world.weigh(OLD), ready_pods(world, OLD)) == (1_000_000, 1)
    world.change(NEW, pod="ready")
    world.live(20)
    assert world.name_of(world.stable) == NEW


@bug("argo-rollouts#1292")
def abort_with_nothing_to_abort() -> None:
    """To abort where nothing is under way is refused, and touches nothing."""
    world = begin()
    before = world.see()
    world.command("abort", revision=world.stable or "")
    world.live(20)
    assert world.answer == ("Refused", "No rollout is running.")
    assert world.see() == before


@bug("argo-rollouts#3020", "argo-rollouts#4035", "argo-rollouts#4926")
def abort_finds_the_stable_whole() -> None:
    """Whenever it is aborted, the stable has all of its pods; those of the other stay a while."""
    world = begin()
    world.ask(NEW, replicas=3)
    run_to(world, 600_000)
    world.command("abort")
    world.live(2)
    assert world.weigh(NEW) <= 1
    assert ready_pods(world, OLD) == 3
    world.live(30)
    assert world.weigh(NEW) == 0
    assert ready_pods(world, NEW) == 3  # requests under way end
    assert world.history[0] == ("Aborted", "RolloutAborted")


@bug("flagger#1898")
def broken_after_promotion() -> None:
    """One that breaks right after its promotion: nothing was copied, and what served before comes
    back at once, without steps."""
    world = begin()
    world.ask(NEW)
    world.live(120, until="Draining")
    assert world.name_of(world.stable) == NEW
    world.change(NEW, pod="crash")
    world.live(6)
    assert ready_pods(world, OLD) == 1
    world.ask(OLD)
    world.live(14)
    assert world.name_of(world.stable) == OLD
    assert world.history[0][0] == "FastPromoted"


@bug("flagger#874")
def approval_with_no_pods() -> None:
    """While somebody thinks about it the pods go: approving gives them nothing."""
    world = begin(steps=[{"type": "Approval"}, *STEPS])
    world.ask(NEW)
    world.live(60, until="Paused")
    world.change(NEW, pod="silent")
    world.cluster.tick()
    world.command("promote")
    world.live(30)
    assert world.answer[0] == "Accepted"
    assert world.weigh(NEW) == 0
    world.change(NEW, pod="ready")  # and the approval was not lost
    run_to(world, 200_000)


@bug("envoy#46800", "istio#39825")
def last_pod_dies() -> None:
    """A gateway sends requests to pods that are not ready where none is: they lose their share."""
    world = begin(analysis={"guardrails": {"errorRate": "0.2", "minRequests": 20}})
    world.ask(NEW)
    run_to(world, 600_000)
    world.change(NEW, pod="silent")
    world.cluster.tick()
    world.go()
    assert world.weigh(NEW) <= 1
    assert world.weigh(OLD) >= 999_999


# ── routes ───────────────────────────────────────────────────────────────────────────────


@bug("gatewayapi-plugin#158")
def header_rule_stays() -> None:
    """Weights move, and the rule for a chosen revision is never rewritten or inserted."""
    world = begin()
    before = world.cluster.of_kind("HTTPRoute")[0]["spec"]["rules"]
    world.ask(NEW)
    run_to(world, 600_000)
    after = world.cluster.of_kind("HTTPRoute")[0]["spec"]["rules"]
    assert len(after) == len(before) == 2
    assert [rule["matches"] for rule in after] == [rule["matches"] for rule in before]


@bug("gatewayapi-plugin#191")
def restart_keeps_the_route() -> None:
    """An operator that starts anew writes nothing to a route that is right."""
    world = begin()
    world.ask(NEW)
    run_to(world, 200_000)
    world.cluster.ledger = None
    before = len(world.cluster.route_log)
    world.go()
    assert len(world.cluster.route_log) == before
    assert world.weigh(NEW) == 200_000


@bug("argo-rollouts#4569")
def misspelled_setting() -> None:
    """An unknown setting is refused by name; what serves goes on."""
    world = begin()
    world.cluster.submit(NAME, {**world.spec, "rollout": {"strategy": "Canary", "stepz": []}})
    plan = world.cluster.reconcile(NAME)
    assert "stepz" in world.cluster.condition(NAME, "Ready")[2]
    assert plan.actions == ()


@bug("envoy-gateway#4602")
def split_that_is_not_applied() -> None:
    """The gateway says that it took the weights, and sends all the same too much: it is held."""
    world = begin(steps=[step(5), step(100)])
    world.ask(NEW)
    run_to(world, 50_000)
    world.per_tick = 0
    for _ in range(30):
        for pod in world.cluster.of_kind("Pod"):  # half and half
            uid = pod["metadata"]["uid"]
            world.cluster.counted[uid] = world.cluster.counted.get(uid, 0) + 500
        world.live(2)
        if world.state == "Held":
            break
    assert world.state == "Held"
    assert world.status["rollout"]["reason"] == "TrafficSplitMismatch"
    assert world.weigh(NEW) == 50_000


# ── stuck, and lost commands ─────────────────────────────────────────────────────────────


@bug("argo-rollouts#4694")
def promote_whose_write_was_lost() -> None:
    """The route or the status could not be written: the command is carried out all the same."""
    for fail_at in (0, 1):
        world = begin(steps=[step(20), {"type": "Approval"}, step(100)])
        world.ask(NEW)
        world.live(120, until="Paused")
        world.command("promote")
        world.go(fail_at=fail_at)
        run_to(world, 999_999)
        assert world.answer[0] == "Accepted"


@bug("argo-rollouts#4694-abort")
def abort_whose_write_was_lost() -> None:
    """The same with abort, of which the route knows already when the status cannot be written."""
    for fail_at in (0, 1, 2):
        world = begin()
        world.ask(NEW)
        run_to(world, 200_000)
        world.command("abort")
        world.go(fail_at=fail_at)
        world.live(10)
        assert world.weigh(NEW) == 0
        assert world.answer[0] == "Accepted"
        assert world.history[0] == ("Aborted", "RolloutAborted")


@bug("argo-rollouts#720")
def paused_twice() -> None:
    """A command is carried out once, also where the status that says so was lost."""
    world = begin(steps=[step(20, minSeconds=600, maxSeconds=900), step(100)])
    world.ask(NEW)
    run_to(world, 200_000)
    world.command("pause")
    world.live(6)
    world.command("resume")
    world.live(6)
    assert world.state == "Observing"
    world.lose_status()
    world.live(12)
    assert world.state == "Observing"
    assert world.answer[0] == "Refused"


@bug("argo-rollouts#3015")
def promote_after_inconclusive() -> None:
    """A step ended without a verdict; promote leaves it, and the next one is a whole step."""
    world = begin(
        new={"errors": 0.008},
        steps=[step(20, maxSeconds=60), step(60, maxSeconds=60), step(100)],
        analysis={"onInconclusive": "Pause"},
    )
    world.per_tick = 100
    world.ask(NEW)
    world.live(200, until="Paused")
    assert world.status["rollout"]["paused"] == "AnalysisInconclusive"
    world.excused.add(world.canary or "")
    world.command("promote")
    world.live(10)
    assert world.weigh(NEW) == 600_000
    assert world.state == "Observing"


@bug("argo-rollouts#2117")
def two_leaders() -> None:
    """Two operators make the same plan; both carry it out, and the second one changes nothing."""
    world = begin()
    world.ask(NEW)
    for _ in range(60):
        world.plan_twice()
        world.live(2)
    assert world.name_of(world.stable) == NEW


@bug("flagger#1588", "flagger#1591", "flagger#1450")
def crash_while_promoting() -> None:
    """At the last step the pods die before it is promoted: no wait without end."""
    world = begin()
    world.ask(NEW)
    run_to(world, 999_999)
    world.change(NEW, pod="crash")
    world.cluster.tick()
    world.live(40)
    assert world.name_of(world.stable) == OLD
    assert world.weigh(OLD) == 1_000_000
    assert world.history[0][0] == "Aborted"


@bug("flagger#1578", "flagger#1247")
def deadline_of_pods() -> None:
    """Pods that had requests and stay away end the rollout at the deadline, not before."""
    world = begin(progressDeadlineSeconds=120)
    world.ask(NEW)
    run_to(world, 200_000)
    world.change(NEW, pod="silent")
    world.cluster.tick()
    world.live(100)
    assert world.history[0][0] == "Promoted"
    world.live(40)
    assert world.history[0] == ("Aborted", "ReplicasUnavailable")


@bug("flagger#379", "flagger#1152", "flagger#862")
def retry_after_failure() -> None:
    """One that was rolled back stays out until somebody says retry; then it has every step."""
    world = begin(new={"errors": 1.0})
    world.ask(NEW)
    world.live(80, until="RolledBack")
    world.change(NEW, errors=0.0)
    world.live(60)
    assert world.weigh(NEW) == 0
    world.command("retry")
    run_to(world, 200_000)
    world.live(120, until="Draining")
    assert world.name_of(world.stable) == NEW


@bug("flagger#1801")
def revert_while_it_waits() -> None:
    """While it waits for an approval the spec goes back: so does the traffic, at once."""
    world = begin(steps=[step(20), {"type": "Approval"}, step(100)])
    world.ask(NEW)
    world.live(120, until="Paused")
    world.ask(OLD)
    world.live(10)
    assert world.weigh(OLD) == 1_000_000
    assert world.history[0] == ("RolledBack", None)
    assert world.cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")


# ── analysis ─────────────────────────────────────────────────────────────────────────────


@bug("argo-rollouts#1411")
def bad_while_paused() -> None:
    """Evidence against it ends a rollout also while it is paused."""
    world = begin(steps=[step(20), {"type": "Approval"}, step(100)])
    world.ask(NEW)
    world.live(120, until="Paused")
    world.change(NEW, errors=0.5)
    world.live(60)
    assert world.history[0][0] == "Aborted"
    assert world.weigh(NEW) == 0


@bug("argo-rollouts#1832", "argo-rollouts#404")
def reason_is_told() -> None:
    """Why it was taken back is in the condition, the history and an event, with the numbers."""
    world = begin(new={"errors": 0.05})
    world.ask(NEW)
    world.live(120, until="RolledBack")
    status, reason, message = world.cluster.condition(NAME, "Ready")
    assert (status, reason) == ("False", "AnalysisFailed")
    assert "errors: canary" in message
    assert world.history[0] == ("Aborted", "AnalysisFailed")
    assert any(why == "AnalysisFailed" for why, _ in world.cluster.events)


@bug("argo-rollouts#3264", "argo-rollouts#1107")
def nothing_is_made_without_end() -> None:
    """A rollout of many passes writes little and leaves no objects behind."""
    world = begin(steps=[step(20, minSeconds=3000, maxSeconds=6000), step(100)])
    world.ask(NEW)
    run_to(world, 200_000)
    count, writes = len(world.cluster.objects), world.cluster.writes
    world.live(600)
    assert len(world.cluster.objects) == count
    assert world.cluster.writes - writes <= 15


@bug("flagger#1035", "flagger#1353", "flagger#1689", "flagger#1098")
def no_traffic_is_no_failure() -> None:
    """Nobody asks for anything: nothing is aborted for it, and it arrives in the end."""
    world = begin(steps=[step(20, maxSeconds=60), step(100, maxSeconds=60)])
    world.per_tick = 0
    world.ask(NEW)
    world.live(300)
    assert world.name_of(world.stable) == NEW
    assert [outcome for outcome, _ in world.history] == ["Promoted", "Promoted"]


@bug("flagger#1035-restart")
def restart_is_no_idleness() -> None:
    """An operator that starts at the end of a step does not take its own start for no traffic."""
    world = begin(new={"errors": 0.008}, steps=[step(20, maxSeconds=120), step(100)])
    world.per_tick = 100
    world.ask(NEW)
    run_to(world, 200_000)
    world.live(112)
    world.cluster.wait(60)
    world.cluster.ledger = None
    world.live(10)
    assert world.state == "Paused"
    assert world.status["rollout"]["paused"] == "AnalysisInconclusive"


@bug("flagger#1581")
def unknown_metric() -> None:
    """A metric that does not exist is refused; it does not pass in silence."""
    world = begin()
    metric = {"name": "errors", "type": "ErrorRat", "errorRate": {"tolerated": "0.01"}}
    rollout = {"strategy": "Canary", "analysis": {"metrics": [metric]}}
    world.cluster.submit(NAME, {**world.spec, "rollout": rollout})
    world.cluster.reconcile(NAME)
    assert world.cluster.condition(NAME, "Ready")[:2] == ("False", "InvalidSpec")


@bug("argo-rollouts-metrics-down")
def metrics_are_down() -> None:
    """Pods that cannot be read hold it: it is neither aborted nor promoted, then it waits."""
    world = begin(analysis={"holdTimeoutSeconds": 60})
    world.ask(NEW)
    run_to(world, 200_000)
    world.change(OLD, mute=True)
    world.live(30, until="Held")
    assert world.state == "Held"
    world.live(80, until="Paused")
    assert (world.state, world.weigh(NEW)) == ("Paused", 200_000)
    world.change(OLD, mute=False)
    world.command("resume")
    world.live(120, until="Draining")
    assert world.name_of(world.stable) == NEW


# ── of our own making ────────────────────────────────────────────────────────────────────


@bug("slipway-abort-while-superseding")
def abort_while_superseding() -> None:
    """The newest one can be aborted before the one before it has left."""
    world = begin()
    world.ask(NEW)
    run_to(world, 200_000)
    world.ask(OTHER)
    for _ in range(20):
        world.go()
        if world.state == "Superseding":
            break
        for obj in world.cluster.of_kind("Job"):
            world.cluster._step_job(obj)
    assert world.state == "Superseding"
    world.command("abort")
    world.live(40)
    assert world.answer[0] == "Accepted"
    assert world.weigh(OLD) == 1_000_000
    assert world.state == "RolledBack"


@bug("slipway-queue")
def queue_waits_for_the_end() -> None:
    """With Queue a newer model waits, from its build on; then it has its turn."""
    world = begin(onNewRevision="Queue")
    world.ask(NEW)
    run_to(world, 200_000)
    world.ask(OTHER)
    for _ in range(80):
        world.live(2)
        if world.name_of(world.stable) == NEW:
            break
        assert world.weigh(NEW) >= 200_000
    assert world.name_of(world.stable) == NEW
    world.live(160)
    assert world.name_of(world.stable) == OTHER


@bug("slipway-approval-removed")
def approval_that_is_no_longer_asked_for() -> None:
    """Steps without the approval that it waits for: it goes on."""
    world = begin(steps=[step(20), {"type": "Approval"}, step(100)])
    world.ask(NEW)
    world.live(120, until="Paused")
    world.ask(steps=[step(20), step(100)])
    world.live(120, until="Draining")
    assert world.name_of(world.stable) == NEW


@pytest.mark.parametrize("case", CASES)
def test_it_does_not_happen_here(case: Case) -> None:
    case()
