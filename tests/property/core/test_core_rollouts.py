"""Whatever happens during rollouts, no rule of theirs is broken, and a good model arrives.

`Watched` checks the rules at every pass. Left out: several models at once, which share nothing, and
specs that cannot be read (`test_core_life`).
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core_cluster import Behaviour
from core_watched import NAME, Watched, digest
from slipway_operator.state.command import Verb

GOOD = ("good-a", "good-b", "good-c")
ILL: dict[str, dict[str, Any]] = {
    "errors": {"errors": 0.05},
    "broken": {"errors": 1.0},
    "slow": {"slow": 0.3},
    "strange": {"violations": 0.3},
    "crashing": {"pod": "crash"},
    "silent": {"pod": "silent"},
}
LAST = "last"
MODELS = {
    **{name: Behaviour(digest=digest(name[-1])) for name in GOOD},
    **{name: Behaviour(digest=digest(str(n)), **ill) for n, (name, ill) in enumerate(ILL.items())},
    LAST: Behaviour(digest=digest("f")),
}


def step(percent: int, **rest: Any) -> dict[str, Any]:
    weight = {"percent": percent, "minSeconds": 4, "maxSeconds": 900} | rest
    return {"type": "Weight", "weight": weight}


APPROVAL = {"type": "Approval"}
SHADOW = {"type": "Shadow", "shadow": {"percent": 40, "minSeconds": 4, "maxSeconds": 900}}
SHORT = [step(10), step(100)]
PATHS: list[list[dict[str, Any]]] = [
    SHORT,
    [step(20), APPROVAL, step(60), step(100)],
    [APPROVAL, step(50)],
    [SHADOW, step(50), step(100)],
    [SHADOW, APPROVAL, step(20)],
    [SHADOW],
    [SHADOW, APPROVAL],
    [step(5), step(25), step(50), step(100)],
    [],
]
POLICIES: list[dict[str, Any]] = [
    {},
    {"analysis": {"onInconclusive": "Pause"}},
    {"analysis": {"onInconclusive": "Abort"}},
    {"analysis": {"onInconclusive": "Proceed"}},
    {"analysis": {"onInconclusive": "Pause", "onUnavailable": "Abort"}},
    {"analysis": {"onInconclusive": "Pause", "onUnavailable": "Proceed"}},
    {"analysis": {"onInconclusive": "Pause", "holdTimeoutSeconds": 20}},
    {"onNewRevision": "Queue"},
    {"onNewRevision": "Supersede"},
    {"strategy": "Immediate"},
    {"strategy": "Canary"},
    {"strategy": "Shadow"},
    {"strategy": "BlueGreen"},
    {"strategy": "BlueGreen", "steps": [SHADOW]},
    {"strategy": "Shadow", "steps": [SHADOW, step(50), step(100)]},
]
names = st.sampled_from([*GOOD, *GOOD, *ILL])


class Rollouts(RuleBasedStateMachine):
    """One model through many rollouts."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Watched()
        self.world.cluster.behaviours = {}
        for name, behaviour in MODELS.items():
            self.world.know(name, behaviour)
        self.went_back = False

    @initialize(
        path=st.sampled_from([*PATHS[:2], PATHS[3]]),
        queues=st.booleans(),
        name=st.sampled_from([GOOD[1], GOOD[1], "errors", "slow"]),
        ticks=st.sampled_from([8, 10, 14, 20]),
    )
    def begin(self, path: list[dict[str, Any]], queues: bool, name: str, ticks: int) -> None:
        """One serves, and another one is on its way."""
        on_new = "Queue" if queues else "Supersede"
        self.world.ask(
            GOOD[0],
            steps=path,
            onNewRevision=on_new,
            analysis={"onInconclusive": "Pause"},
            warmUp={"requests": 10, "seconds": 2},
        )
        self.world.live(60, until="Stable")
        self.world.ask(name)
        self.world.live(2 * ticks)

    # ── time ─────────────────────────────────────────────────────────────────────────────
    @rule(ticks=st.sampled_from([1, 2, 4, 8, 16]))
    def time_passes(self, ticks: int) -> None:
        self.world.live(2 * ticks)

    @rule(passes=st.sampled_from([1, 3]))
    def gateway_says_nothing(self, passes: int) -> None:
        for _ in range(passes):
            self.world.go()
            self.world.cluster.wait(2)

    @rule(seconds=st.sampled_from([30, 70, 700, 2000]))
    def clock_jumps(self, seconds: int) -> None:
        self.world.cluster.wait(seconds)
        self.world.go()

    @precondition(lambda self: not self.went_back)
    @rule()
    def clock_goes_back(self) -> None:
        self.went_back = True
        self.world.cluster.wait(-60)
        self.world.go()

    @rule(per_tick=st.sampled_from([0, 3, 2000]))
    def traffic_changes(self, per_tick: int) -> None:
        self.world.per_tick = per_tick

    # ── people ───────────────────────────────────────────────────────────────────────────
    @rule(name=names, ticks=st.sampled_from([1, 6, 12]))
    def another_model(self, name: str, ticks: int) -> None:
        self.world.ask(name)
        self.world.live(2 * ticks)

    @rule(name=st.sampled_from(GOOD), ticks=st.sampled_from([10, 14, 20, 40]))
    def another_good_one(self, name: str, ticks: int) -> None:
        """All is well for a while, so that a rollout gets far."""
        self.recovery()
        self.world.ask(name)
        self.world.live(2 * ticks)

    @rule()
    def revert(self) -> None:
        name = self.world.name_of(self.world.stable)
        if name is not None:
            self.world.ask(name)
            self.world.live(4)

    @rule(path=st.sampled_from(PATHS))
    def other_steps(self, path: list[dict[str, Any]]) -> None:
        self.world.ask(steps=path)
        self.world.go()

    @rule(policy=st.sampled_from(POLICIES))
    def other_policy(self, policy: dict[str, Any]) -> None:
        self.world.ask(**policy)
        self._excuse()
        self.world.go()

    @rule(paused=st.booleans())
    def pause_by_spec(self, paused: bool) -> None:
        self.world.ask(paused=paused)
        self.world.go()

    @rule(replicas=st.sampled_from([1, 2]))
    def other_replicas(self, replicas: int) -> None:
        self.world.ask(replicas=replicas)
        self.world.go()

    @rule(verb=st.sampled_from([*Verb, Verb.PROMOTE, Verb.RETRY]))
    def command(self, verb: Verb) -> None:
        given = self.world.command(verb)
        if verb in {Verb.PROMOTE, Verb.PROMOTE_FULL} and self.world.canary is not None:
            self.world.excused.add(self.world.canary)
        self.world.go()
        assert self.world.status["lastCommand"]["id"] == given

    @rule(is_on=st.booleans(), has_secret=st.booleans())
    def override(self, is_on: bool, has_secret: bool) -> None:
        """Whoever has the token may choose the revision on its way."""
        world = self.world
        world.spec["traffic"] = {"revisionOverride": "Token" if is_on else "Off"}
        world.cluster.override_token = "0123456789abcdef" * 3 if has_secret else None
        world.ask()
        world.go()

    @rule(is_named=st.booleans(), ticks=st.sampled_from([0, 1, 2, 12]))
    def rollback(self, is_named: bool, ticks: int) -> None:
        world, former = self.world, self.world.list_former()
        if not former:
            return
        target = former[-1] if is_named else ""
        given = world.command(Verb.ROLLBACK, target=target[:6])
        world.go()
        assert world.status["lastCommand"]["id"] == given
        world.live(2 * ticks)

    @rule(index=st.sampled_from([0, 1, 2, 3]), loses_status=st.booleans())
    def rollback_with_a_lost_write(self, index: int, loses_status: bool) -> None:
        """What was taken does happen, whatever is lost; and nothing goes forward by itself."""
        world = self.world
        before, was = world.see().digests.get(world.stable or ""), world.stable
        former = [one for one in world.list_former() if world.see().digests[one] != before]
        if world.canary is not None or not former or was is None:
            return
        given = world.command(Verb.ROLLBACK, target=former[0])
        world.go(fail_at=index)
        world.go()
        if world.status["lastCommand"] != {"id": given} | world.status["lastCommand"]:
            return
        if world.answer[0] != "Accepted":
            return
        if loses_status:
            self.status_is_lost()
        name = world.name_of(former[0])
        assert name is not None
        world.change(name, pod="ready")
        world.live(16)
        assert world.stable == former[0], world.states[-6:]
        assert before in world.rejected or was in world.rejected

    @rule(
        verb=st.sampled_from(list(Verb)),
        fault=st.sampled_from(
            [{"revision": "0" * 10}, {"uid": "another"}, {"expires": None}, {"verb": "jump"}]
        ),
    )
    def faulty_command(self, verb: Verb, fault: dict[str, Any]) -> None:
        given = self.world.command(**({"verb": verb} | fault))
        self.world.go()
        assert self.world.status["lastCommand"]["id"] == given
        assert self.world.status["lastCommand"]["result"] == "Refused"

    @rule(kind=st.sampled_from(["weights", "first", "second", "swapped"]))
    def route_is_edited(self, kind: str) -> None:
        slots = [(f"{NAME}-r{revision}", weight) for revision, weight in self.world.see().slots]
        if not slots:
            return
        (first, one), (second, other) = slots
        edits = {
            "weights": [(first, 300_000), (second, 700_000)],
            "first": [(first, one), (first, other)],
            "second": [(second, one), (second, other)],
            "swapped": [(second, one), (first, other)],
        }
        self.world.edit_route(edits[kind])
        self.world.cluster.tick()
        self.world.go()

    # ── accidents ────────────────────────────────────────────────────────────────────────
    @rule(name=names, pod=st.sampled_from(["ready", "silent", "crash"]))
    def pods_change(self, name: str, pod: str) -> None:
        self.world.change(name, pod=pod)
        self.world.cluster.tick()
        self.world.go()

    @rule(which=st.sampled_from(["stableRevision", "canaryRevision"]))
    def pods_of_the_rollout_die(self, which: str) -> None:
        name = self.world.name_of(self.world.status.get(which))
        if name is not None:
            self.pods_change(name, "silent")

    @rule(mute=st.booleans(), name=names)
    def pods_do_not_tell(self, mute: bool, name: str) -> None:
        self.world.change(name, mute=mute)
        self.world.live(4)

    @rule()
    def stable_does_not_tell(self) -> None:
        name = self.world.name_of(self.world.stable)
        if name is not None:
            self.world.change(name, mute=True)
        self.world.live(14)

    @rule(index=st.sampled_from([0, 0, 1, 2, 3]), again=st.booleans())
    def write_fails(self, index: int, again: bool) -> None:
        self.world.cluster.serve(self.world.per_tick)
        self.world.go(fail_at=index)
        if again:
            self.world.go()

    @precondition(lambda self: self._is_running())
    @rule(index=st.sampled_from([0, 1, 2]))
    def abort_with_a_lost_write(self, index: int) -> None:
        canary = self.world.canary
        given = self.world.command(Verb.ABORT)
        self.world.go(fail_at=index)
        self.operator_restarts()
        self.world.live(12)
        assert self.world.status["lastCommand"]["id"] == given
        assert self.world.answer[0] == "Accepted"
        assert self.world.see().route.get(canary or "", 0) <= 1

    def _is_running(self) -> bool:
        world = self.world
        ended = {"Pending", "Initializing", "Stable", "Draining", "RolledBack", "Aborting"}
        known = {world.canary, world.status.get("stableRevision")}
        return None not in known and world.state not in ended

    @rule()
    def operator_restarts(self) -> None:
        self.world.cluster.ledger = None
        self.world.go()

    @rule()
    def status_is_lost(self) -> None:
        self.world.lose_status()
        self._excuse()
        self.world.go()

    @rule()
    def recovery(self) -> None:
        for name in (*GOOD, "errors", "broken", "slow", "strange"):
            self.world.change(name, pod="ready", mute=False)
        self.world.ask(paused=False)
        self.world.per_tick = 2000
        self.world.live(12)

    def _excuse(self) -> None:
        """What may be promoted without evidence from now on is no broken rule."""
        rollout = self.world.rollout
        policy = rollout.get("analysis", {}).get("onInconclusive")
        if rollout["strategy"] == "Immediate" or policy in {None, "Proceed"}:
            self.world.excused |= set(self.world.see().digests)

    # ── always ───────────────────────────────────────────────────────────────────────────
    @invariant()
    def plans_are_functions(self) -> None:
        if self.world.spec:
            self._excuse()
            self.world.plan_twice()

    @precondition(lambda self: self.world.spec and self.world.canary is not None)
    @rule()
    def abort_needs_nothing(self) -> None:
        self.world.abort_blindly()

    def teardown(self) -> None:
        world = self.world
        if not world.spec:
            return
        for name, behaviour in MODELS.items():
            world.know(name, behaviour)
        world.per_tick = 2000
        world.ask(
            LAST,
            replicas=1,
            strategy="Canary",
            steps=SHORT,
            paused=False,
            onNewRevision="Supersede",
            analysis={"onInconclusive": "Pause"},
        )
        for _ in range(200):
            world.live(2)
            if world.name_of(world.stable) == LAST:
                break
        assert world.name_of(world.stable) == LAST, world.states[-6:]
        world.cluster.wait(700)
        for _ in range(12):
            world.live(2)
            world.cluster.wait(30)
        child = f"{NAME}-r{world.stable}"
        kept = world.cluster.names("Deployment") - {child}
        assert kept == {f"{NAME}-r{revision}" for revision in world.list_former()}
        assert len(kept) <= 3
        pods = {pod for pod in world.cluster.names("Pod") if f"{NAME}-r" in pod}
        assert {pod.rsplit("-", 1)[0] for pod in pods} == {child}
        world.cluster.wait(90_000)
        for _ in range(6):
            world.live(2)
        assert world.cluster.names("Deployment") == {child}
        assert world.cluster.names("Service") == {NAME, child}
        assert set(world.see().route) == {world.stable}
        assert world.state == "Stable"
        assert world.cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")


def test_rollouts_keep_their_rules_whatever_happens() -> None:
    run_state_machine_as_test(
        Rollouts,
        settings=settings(max_examples=14, stateful_step_count=25, deadline=None, derandomize=True),
    )
