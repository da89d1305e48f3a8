"""A rollout in the cluster in memory, watched: every pass is held against the rules of rollouts.

The numbers I1 to I7 are those of docs/architecture.md, or of the design behind it: a dead revision
loses its requests first (I1), only what is all there gets more (I2, I3), nothing goes that may
still get a request (I4), the stable revision changes only where all requests go elsewhere (I5), a
plan depends on what is seen alone and may be repeated (I6), and to abort needs nothing (I7).
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from core_cluster import (
    Behaviour,
    Cluster,
    WriteFailedError,
    laptop_settings,
    list_backends,
    list_copied,
    read_slots,
)
from slipway_operator.plan import Apply, Delete, Plan
from slipway_operator.state.command import Command, Verb, render_command

NAME = "penguins"
CRD = Path(__file__).parents[2] / "charts" / "slipway" / "files" / "crd.yaml"
Json = dict[str, Any]


def locate(name: str) -> str:
    return f"file:///m/{name}.joblib"


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


@cache
def status_validator() -> Draft202012Validator:
    schema = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return Draft202012Validator(schema["properties"]["status"])


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was there before a pass. `route`: revision → millionths, `copied`: the same of copies;
    `ready`: by revision, pods of those that are wanted."""

    route: Mapping[str, int]
    slots: tuple[tuple[str, int], ...]
    copied: Mapping[str, int]
    confirmed: bool
    ready: Mapping[str, tuple[int, int]]
    digests: Mapping[str, str]

    def is_whole(self, revision: str) -> bool:
        ready, wanted = self.ready.get(revision, (0, 1))
        return ready >= wanted

    def is_dead(self, revision: str) -> bool:
        ready, wanted = self.ready.get(revision, (0, 1))
        return ready == 0 and wanted > 0


@dataclass
class Watched:
    """One model named `NAME`. `stable` and `rejected` are kept here as the status last told them,
    for a status may be lost."""

    cluster: Cluster = field(default_factory=lambda: Cluster(settings=laptop_settings()))
    spec: Json = field(default_factory=dict)
    rollout: Json = field(default_factory=lambda: {"strategy": "Canary"})
    per_tick: int = 2000
    stable: str | None = None
    rejected: frozenset[str] = frozenset()
    excused: set[str] = field(default_factory=set)
    states: list[tuple[str, str]] = field(default_factory=list)
    commands: int = 0
    settled: int = 0  # passes in a row that ended with nobody on the way

    # ── what happens to it ───────────────────────────────────────────────────────────────
    def know(self, name: str, behaviour: Behaviour) -> None:
        self.cluster.behaviours[locate(name)] = behaviour

    def change(self, name: str, **changes: Any) -> None:
        known = self.cluster.behaviours[locate(name)]
        self.know(name, replace(known, **changes))

    def ask(self, name: str | None = None, *, replicas: int | None = None, **rollout: Any) -> None:
        if name is not None:
            self.spec["model"] = {"uri": locate(name)}
        if replicas is not None:
            self.spec["replicas"] = replicas
        self.rollout |= rollout
        given = self.rollout
        if given["strategy"] == "Immediate":
            given = {"strategy": "Immediate"}
        if given["strategy"] == "BlueGreen":
            steps = [step for step in given.get("steps", []) if step["type"] != "Weight"]
            given = given | {"steps": steps}
        self.cluster.submit(NAME, {**self.spec, "rollout": given})

    def command(self, verb: str, **changes: Any) -> str:
        """Give a command as the terminal does. The id."""
        self.commands += 1
        metadata = self.cluster.objects[("ModelDeployment", NAME)]["metadata"]
        seen = self.stable if verb == Verb.ROLLBACK else self.asked_revision()
        command = Command(
            id=f"command-{self.commands}",
            verb=verb,
            revision=self.canary or seen or "",
            uid=metadata["uid"],
            expires=self.cluster.now + timedelta(seconds=240),
            by="somebody",
        )
        command = replace(command, **changes)
        metadata["annotations"] = render_command(command)
        return command.id

    def asked_revision(self) -> str | None:
        """The revision of what the spec asks for, as far as the status lists it."""
        behaviour = self.cluster.behaviours[self.spec["model"]["uri"]]
        rows = self.status.get("revisions", [])
        return next((r["hash"] for r in rows if r.get("model") == behaviour.digest), None)

    def list_former(self) -> list[str]:
        """The revisions that may come back, the latest first, as the status lists them."""
        rows = [row for row in self.status.get("revisions", []) if row.get("servedUntil")]
        return [row["hash"] for row in sorted(rows, key=lambda row: row["servedUntil"])[::-1]]

    def lose_status(self) -> None:
        self.cluster.objects[("ModelDeployment", NAME)].pop("status", None)

    def edit_route(self, slots: list[tuple[str, int]]) -> None:
        """Somebody writes other slots by hand."""
        for route in self.cluster.of_kind("HTTPRoute"):
            backends = route["spec"]["rules"][1]["backendRefs"]
            for backend, (name, weight) in zip(backends, slots, strict=True):
                backend |= {"name": name, "weight": weight}
            route["metadata"]["generation"] += 1
            route["metadata"]["edited"] = True

    # ── what there is ────────────────────────────────────────────────────────────────────
    @property
    def status(self) -> Json:
        return self.cluster.status(NAME)

    @property
    def canary(self) -> str | None:
        return self.status.get("canaryRevision")

    @property
    def state(self) -> str:
        return self.status.get("rollout", {}).get("state", "Pending")

    @property
    def history(self) -> list[tuple[str, str | None]]:
        return [(one["outcome"], one.get("reason")) for one in self.status.get("history", [])]

    @property
    def answer(self) -> tuple[str, str]:
        told = self.status["lastCommand"]
        return told["result"], told["message"]

    def name_of(self, revision: str | None) -> str | None:
        """The name under which a model is known here."""
        found = self.see().digests.get(revision or "")
        uris = (uri for uri, one in self.cluster.behaviours.items() if one.digest == found)
        return next((uri.split("/")[-1].removesuffix(".joblib") for uri in uris), None)

    def weigh(self, name: str) -> int:
        """The share of a model, by its name, in millionths."""
        return sum(w for rev, w in self.see().route.items() if self.name_of(rev) == name)

    def see(self) -> Seen:
        routes = self.cluster.of_kind("HTTPRoute")
        slots = (
            tuple((n.rsplit("-r", 1)[-1], w) for n, w in read_slots(routes[0])) if routes else ()
        )
        shares: dict[str, int] = {}
        for revision, weight in slots:
            shares[revision] = shares.get(revision, 0) + weight
        ready, digests = {}, {}
        for deployment in self.cluster.of_kind("Deployment"):
            revision = deployment["metadata"]["name"].rsplit("-r", 1)[-1]
            wanted = deployment["spec"]["replicas"]
            ready[revision] = (deployment.get("status", {}).get("readyReplicas", 0), wanted)
            text = deployment["metadata"]["annotations"]["slipway.dev/snapshot"]
            digests[revision] = json.loads(text)["build"]["modelDigest"]
        return Seen(
            route=shares,
            slots=slots,
            copied={name.rsplit("-r", 1)[-1]: share for name, share in list_copied(routes[0])}
            if routes
            else {},
            confirmed=bool(routes) and self.cluster._is_confirmed(routes[0]),
            ready=ready,
            digests=digests,
        )

    # ── a pass ───────────────────────────────────────────────────────────────────────────
    def live(self, seconds: float, *, until: str | None = None) -> list[tuple[str, str]]:
        """Time passes, requests come; the states with their percentages, as they were gone
        through."""
        begun = len(self.states)
        for _ in range(0, int(seconds), 2):
            self.cluster.serve(self.per_tick)
            self.go()
            self.cluster.tick()
            self.cluster.wait(2)
            if until is not None and self.state == until:
                break
        return self.states[begun:]

    def go(self, *, fail_at: int | None = None) -> Plan:
        """One pass of the operator, with the rules checked before and after."""
        seen = self.see()
        retries = self._retries()
        plan = self.cluster.plan(NAME)
        self._check_removals(plan, seen)
        self.cluster.ledger = plan.ledger
        failed = False
        try:
            self.cluster.execute(NAME, plan, fail_at=fail_at)
        except WriteFailedError:
            failed = True
        now = self.see()
        self._check_route(seen, now, failed=failed, retries=retries)
        self._check_mirror(seen, now, failed=failed)
        if "status" in self.cluster.objects[("ModelDeployment", NAME)]:
            self._check_status(seen)
        return plan

    def plan_twice(self) -> None:
        """I6: a plan is the same for the same, and to repeat what it does changes nothing."""
        observed = self.cluster.observe(NAME)
        plan = self.cluster.plan(NAME, observed=observed)
        assert plan == self.cluster.plan(NAME, observed=observed)
        repeatable = [a for a in plan.actions if isinstance(a, Delete) or a.object["kind"] != "Job"]
        again = copy.deepcopy(self.cluster)
        for once in (True, False):
            for action in repeatable:
                if isinstance(action, Apply):
                    again.apply(action.object)
                else:
                    again._carry_out(action)
            if once:
                after = copy.deepcopy(again.objects)
        assert again.objects == after, "to repeat it changed something"

    def abort_blindly(self) -> None:
        """I7: in a copy of this world nothing can be measured and no pod is there, and still the
        candidate gets nothing any more."""
        copied = copy.deepcopy(self)
        canary = copied.canary
        if canary is None or copied.state in {"Aborting", "Stable"} or copied.stable is None:
            return
        name, kept = copied.name_of(canary), copied.name_of(copied.stable)
        if name is None or kept is None:
            return
        copied.change(kept, mute=True)
        copied.change(name, mute=True, pod="silent")
        copied.cluster.tick()
        copied.command(Verb.ABORT, revision=canary)
        for _ in range(8):
            copied.go()
            copied.cluster.tick()
            copied.cluster.wait(2)
        seen = copied.see()
        # With no pod of the stable either its slot stays, at the least weight there is.
        most = 1 if seen.is_dead(copied.stable) else 0
        assert seen.route.get(canary, 0) <= most, "it was to lose every request"
        assert copied.answer[0] == "Accepted"

    # ── the rules ────────────────────────────────────────────────────────────────────────
    def _retries(self) -> bool:
        given = self.cluster.objects[("ModelDeployment", NAME)]["metadata"].get("annotations", {})
        return given.get("slipway.dev/command") == Verb.RETRY

    def _check_removals(self, plan: Plan, seen: Seen) -> None:
        """I4, also for pods: `Cluster` checks what is deleted."""
        for action in plan.actions:
            if not isinstance(action, Apply) or action.object["kind"] != "Deployment":
                continue
            name = action.object["metadata"]["name"]
            if action.object["spec"].get("replicas") == 0 and self.spec.get("replicas") != 0:
                named = name.rsplit("-r", 1)[-1] in seen.route
                assert not named, f"{name} is in a slot and loses its pods"
                assert name not in self.cluster.reachable, f"{name} may still get requests"

    def _check_route(self, seen: Seen, now: Seen, *, failed: bool, retries: bool) -> None:
        if not now.slots:
            return
        assert len(now.slots) == 2
        assert sum(now.route.values()) == 1_000_000
        assert min(weight for _, weight in now.slots) > 0
        stable = self.status.get("stableRevision") or self.stable
        for revision, weight in now.route.items():
            if weight <= seen.route.get(revision, 0) or revision == stable:
                continue
            # I2: it gets more than it had.
            assert seen.is_whole(revision), f"{revision} gets more, and its pods are not there"
            model = now.digests.get(revision)
            assert retries or not self.rejected & {revision, model}, f"{revision} was rejected"
        if failed or stable is None or seen.is_dead(stable) or stable not in now.route:
            return
        for revision, weight in now.route.items():  # I1 and I3
            dead = revision != stable and seen.is_dead(revision)
            assert not dead or weight <= 1, f"{revision} has no pod and gets {weight}"

    def _check_mirror(self, seen: Seen, now: Seen, *, failed: bool) -> None:
        """Copies go to one revision on its way, that no user is sent to, and end with it."""
        for route in self.cluster.of_kind("HTTPRoute"):
            for backend in list_backends(route):
                name = backend["name"]
                assert ("Service", name) in self.cluster.objects, f"no Service {name}"
        assert len(now.copied) <= 1
        for revision in now.copied:
            begins = revision not in seen.copied
            assert not begins or revision not in now.route, f"{revision} has a slot and gets copies"
            model = now.digests.get(revision)
            assert not begins or not self.rejected & {revision, model}, f"{revision} was rejected"
        if failed or "status" not in self.cluster.objects[("ModelDeployment", NAME)]:
            self.settled = 0
            return
        is_over = self.state in {"Stable", "RolledBack", "Draining"}
        self.settled = self.settled + 1 if is_over else 0
        if self.settled >= 2:
            assert not now.copied, f"{self.state}, and copies are sent"
        if self.state == "Shadowing" and seen.confirmed:
            assert set(now.route) == {self.status["stableRevision"]}, "a user is sent elsewhere"
            assert set(now.copied) == {self.canary}, "the one that is watched gets no copies"

    def _check_status(self, seen: Seen) -> None:
        status = self.status
        errors = [error.message for error in status_validator().iter_errors(status)]
        assert errors == []
        assert len(status.get("history", [])) <= 10
        assert self.cluster.condition(NAME, "Ready")[1] != "InvalidSpec"
        if not status["observedGeneration"]:
            return
        stable, rollout = status.get("stableRevision"), status.get("rollout", {})
        if stable != self.stable and stable is not None:  # I5
            assert set(seen.route) == {stable}, "not every request goes to the new stable one"
            assert seen.confirmed, "the gateway did not confirm it"
            behaviour = self.cluster.behaviours.get(locate(self.name_of(stable) or ""))
            ill = behaviour is not None and is_ill(behaviour)
            assert not ill or stable in self.excused, f"{self.name_of(stable)} was promoted"
        if stable is None:
            self.excused |= set(seen.digests)
        self.stable = stable or self.stable
        self.rejected = frozenset(status.get("rejectedDigests", ()))
        now = (rollout.get("state", "Pending"), status.get("display", {}).get("weightPercent", ""))
        if not self.states or self.states[-1] != now:
            self.states.append(now)


def is_ill(behaviour: Behaviour) -> bool:
    """Whether no amount of evidence lets it pass."""
    return behaviour.errors >= 0.05 or behaviour.slow >= 0.3 or behaviour.violations >= 0.3
