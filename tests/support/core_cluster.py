"""A small cluster in memory: it carries plans out and moves Jobs, Deployments and routes on.

It behaves as an API server with its controllers does where the core could notice: uids,
generations, server-side apply that keeps what others wrote, defaults, garbage collection, late
status. What a model does in its build and as a pod is told by `Behaviour`. Time moves only by
`wait`.
"""

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from slipway_operator.contract import REPORT_SCHEMA, STEPS
from slipway_operator.decide.analysis.ledger import Ledger
from slipway_operator.lookups import list_pods_to_read, list_questions, list_secrets
from slipway_operator.plan import Apply, Delete, Plan, make_plan
from slipway_operator.settings import Settings
from slipway_operator.state.observed import Observed
from slipway_operator.state.readings import Reading, Readings, Source
from slipway_operator.state.tallies import Tally

START = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
Json = dict[str, Any]
IMMEDIATE = {"strategy": "Immediate"}  # for tests of anything but a rollout with steps


def _weigh(slots: list[tuple[str, int]]) -> dict[str, int]:
    shares: dict[str, int] = {}
    for name, weight in slots:
        shares[name] = shares.get(name, 0) + weight
    return shares


def read_slots(route: Json) -> list[tuple[str, int]]:
    return [(ref["name"], ref["weight"]) for ref in route["spec"]["rules"][1]["backendRefs"]]


def list_copied(route: Json) -> list[tuple[str, int]]:
    """Who gets copies of users' requests, and of how many of a million."""
    copied = []
    for filter_ in route["spec"]["rules"][1].get("filters", ()):
        mirror = filter_["requestMirror"]
        copied.append((mirror["backendRef"]["name"], mirror.get("fraction", {}).get("numerator")))
    return [(str(name), 1_000_000 if share is None else int(share)) for name, share in copied]


def list_backends(route: Json) -> list[Json]:
    """Every Service that the route sends requests to, or copies of them."""
    rules = route["spec"]["rules"]
    copied = [
        {**filter_["requestMirror"]["backendRef"], "weight": 1}
        for rule in rules
        for filter_ in rule.get("filters", ())
    ]
    return [ref for rule in rules for ref in rule["backendRefs"]] + copied


class WriteFailedError(Exception):
    """The API server did not take a write."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a model does: `fails` names the step that fails and `report` what it reports (None: it
    dies without a word, with `exit`); `pod` is ready | crash | silent | unplaced | unpulled. Of its
    requests the shares `errors`, `slow` and `violations` are bad, and `unpaid` of the events that
    only Prometheus knows of; `mute` pods do not tell."""

    digest: str = "sha256:" + "a" * 64
    fails: str | None = None
    report: Json | None = None
    exit: Json = field(default_factory=lambda: {"exitCode": 1})
    pod: str = "ready"
    runtime: str = "ONNX"
    fallback: Json | None = None
    job_condition: Json | None = None
    errors: float = 0.0
    slow: float = 0.01
    violations: float = 0.0
    unpaid: float = 0.0
    mute: bool = False


def stage_names(step: str) -> list[str]:
    return {"fetch": ["Fetched"], "convert": ["Converted", "Verified"], "publish": ["Packaged"]}[
        step
    ]


def report_ok(step: str, behaviour: Behaviour, *, build_hash: str) -> Json:
    digest = "sha256:" + (build_hash * 2)[:64]
    facts: dict[str, Json] = {
        "fetch": {"modelDigest": behaviour.digest, "modelBytes": 7, "samplesDigest": None},
        "convert": {"format": "SKLearn", "runtime": behaviour.runtime},
        "publish": {
            "artifact": f"oci-layout:///store@{digest}",
            "digest": digest,
            "modelDigest": behaviour.digest,
            "runtime": behaviour.runtime,
            "format": "SKLearn",
            "estimator": "LogisticRegression",
            "task": "Classification",
            "fallback": behaviour.fallback,
            "parity": {"verdict": "Verified", "rows": 344, "labelFlips": 0},
            "contract": {"columns": 6, "categorical": 2},
        },
    }
    return {
        "schema": REPORT_SCHEMA,
        "step": step,
        "ok": True,
        "stages": stage_names(step),
        "facts": facts[step],
    }


def report_failed(step: str, reason: str, message: str, *, retryable: bool = False) -> Json:
    return {
        "schema": REPORT_SCHEMA,
        "step": step,
        "ok": False,
        "reason": reason,
        "message": message,
        "retryable": retryable,
    }


@dataclass
class Cluster:
    """The objects by (kind, name), one namespace, and the present."""

    settings: Settings
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    now: datetime = START
    counter: int = 0
    writes: int = 0  # of plans that were carried out whole
    attempts: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)
    route_log: list[tuple[tuple[str, int], ...]] = field(default_factory=list)
    deleted: list[tuple[str, str]] = field(default_factory=list)
    plans: int = 0
    ledger: Ledger | None = None
    counted: dict[str, float] = field(default_factory=dict)  # requests of a pod, by uid
    copied: dict[str, float] = field(default_factory=dict)  # copies that a pod got, by uid
    override_token: str | None = None
    untold: dict[str, str] = field(default_factory=dict)  # metrics that Prometheus does not tell
    reachable: set[str] = field(default_factory=set)  # Services that may still get requests

    # ── what a user does ─────────────────────────────────────────────────────────────────
    def submit(self, name: str, spec: Json) -> None:
        key = ("ModelDeployment", name)
        if key not in self.objects:
            self.objects[key] = {
                "apiVersion": "slipway.dev/v1alpha1",
                "kind": "ModelDeployment",
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    "uid": self._next("md"),
                    "generation": 0,
                },
            }
        found = self.objects[key]
        if found.get("spec") != spec:
            found["spec"] = copy.deepcopy(spec)
            found["metadata"]["generation"] += 1

    def remove(self, name: str) -> None:
        self._delete(("ModelDeployment", name))

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # ── what the operator does ───────────────────────────────────────────────────────────
    def observe(self, name: str) -> Observed:
        asked = self.objects[("ModelDeployment", name)]
        return Observed(
            objects=tuple(
                obj for (kind, _), obj in self.objects.items() if kind != "ModelDeployment"
            ),
            absent_secrets=frozenset(set(list_secrets(asked)) - self.secrets),
            readings=self.read(name),
            override_token=self.override_token,
        )

    def read(self, name: str) -> Readings | None:
        """What the pods tell that the core wants to hear of."""
        asked = self.objects[("ModelDeployment", name)]
        sources = list_pods_to_read(asked, self.of_kind("Pod"))
        if not sources:
            return None
        mute = {source.pod: "no answer" for source in sources if self._behaves(source.pod).mute}
        found = [(one, self._tell(one)) for one in sources if one.pod not in mute]
        tallies = {
            (query.metric, query.revision): self._tally(query.revision, sources)
            for query in getattr(list_questions(asked), "queries", ())
            if query.metric not in self.untold
        }
        return Readings(
            at=self.now, found=tuple(found), unread=mute, tallies=tallies, untold=self.untold
        )

    def serve(self, requests: int) -> None:
        """Requests come in, and are dealt out as the route says."""
        for route in self.of_kind("HTTPRoute"):
            for name, weight in _weigh(read_slots(route)).items():
                pods = [pod for pod in self.of_kind("Pod") if self._is_of(pod, name)]
                for pod in pods:
                    share = requests * weight / 1_000_000 / len(pods)
                    uid = pod["metadata"]["uid"]
                    self.counted[uid] = self.counted.get(uid, 0) + share
            for name, share in list_copied(route):
                pods = [pod for pod in self.of_kind("Pod") if self._is_of(pod, name)]
                for pod in pods:
                    uid = pod["metadata"]["uid"]
                    copies = requests * share / 1_000_000 / len(pods)
                    self.copied[uid] = self.copied.get(uid, 0) + copies

    def _is_of(self, pod: Json, name: str) -> bool:
        return bool(pod["metadata"]["ownerReferences"][0]["name"] == name)

    def _behaves(self, pod: str) -> Behaviour:
        owner = self.objects[("Pod", pod)]["metadata"]["ownerReferences"][0]["name"]
        return self._find_behaviour(self.objects[("Deployment", owner)])

    def _tell(self, source: Source) -> Reading:
        behaviour = self._behaves(source.pod)
        users = self._count_of(behaviour, self.counted.get(source.uid, 0))
        copied = self.copied.get(source.uid)
        if copied is None:
            return users
        return replace(users, mirrored=self._count_of(behaviour, copied))

    def _count_of(self, behaviour: Behaviour, requests: float) -> Reading:
        total = int(requests)
        slow = int(total * behaviour.slow)
        return Reading(
            requests=total,
            errors=int(total * behaviour.errors),
            latency=((0.01, total - slow), (0.1, total), (float("inf"), total)),
            rows=total,
            violations=int(total * behaviour.violations),
        )

    def _tally(self, revision: str, sources: Iterable[Source]) -> Tally:
        """An event for each request that a pod answered."""
        events = {
            source.pod: (int(self.counted.get(source.uid, 0)), self._behaves(source.pod).unpaid)
            for source in sources
            if source.revision == revision
        }
        return Tally(
            total={pod: {"all": count} for pod, (count, _) in events.items()},
            good={pod: {"paid": int(count * (1 - bad))} for pod, (count, bad) in events.items()},
        )

    def plan(self, name: str, *, observed: Observed | None = None) -> Plan:
        self.plans += 1
        return make_plan(
            asked=self.objects[("ModelDeployment", name)],
            observed=observed or self.observe(name),
            settings=self.settings,
            now=self.now,
            ledger=self.ledger,
        )

    def execute(self, name: str, plan: Plan, *, fail_at: int | None = None) -> int:
        """Carry a plan out; the write number `fail_at` (from 0; the status is the last) fails."""
        done = 0
        for action in plan.actions:
            if done == fail_at:
                raise WriteFailedError
            done += 1
            self.attempts += 1
            if isinstance(action, Apply):
                self.apply(action.object)
            else:
                self._carry_out(action)
        if plan.status is not None:
            if done == fail_at:
                raise WriteFailedError
            done += 1
            self.attempts += 1
            self.objects[("ModelDeployment", name)]["status"] = copy.deepcopy(dict(plan.status))
        self.writes += done
        self.events += [(event.reason, event.message) for event in plan.events]
        return done

    def reconcile(self, name: str, *, fail_at: int | None = None) -> Plan:
        plan = self.plan(name)
        self.ledger = plan.ledger
        self.execute(name, plan, fail_at=fail_at)
        return plan

    def settle(self, name: str, *, rounds: int = 60, seconds: float = 1) -> None:
        """Reconcile and tick until nothing changes any more."""
        for _ in range(rounds):
            plan = self.reconcile(name)
            moved = self.tick()
            if not plan.actions and plan.status is None and not moved:
                return
            self.wait(seconds)
        raise AssertionError(f"does not settle: {self.plan(name)}")

    # ── the API server ───────────────────────────────────────────────────────────────────
    def apply(self, desired: Mapping[str, Any]) -> None:
        obj = copy.deepcopy(dict(desired))
        key = (obj["kind"], obj["metadata"]["name"])
        found = self.objects.get(key)
        if found is None:
            obj["metadata"] |= {
                "uid": self._next("uid"),
                "generation": 1,
                "creationTimestamp": self.instant(),
            }
            self._default(obj)
            self.objects[key] = obj
        else:
            assert obj["kind"] != "Job", "a Job's template cannot be changed"
            if obj["kind"] == "HTTPRoute":
                self._check_step(found, obj)
            before = copy.deepcopy(found.get("spec"))
            annotations = {**found["metadata"]["annotations"], **obj["metadata"]["annotations"]}
            labels = {**found["metadata"]["labels"], **obj["metadata"]["labels"]}
            found["metadata"] |= {
                "annotations": annotations,
                "labels": labels,
                "ownerReferences": obj["metadata"]["ownerReferences"],
            }
            if "spec" in obj:
                scaled = (found.get("spec") or {}).get("replicas")
                found["spec"] = obj["spec"]
                if obj["kind"] == "Deployment":
                    self._count(found, scaled)
                self._default(found)
            if found.get("spec") != before:
                found["metadata"]["generation"] += 1
        if obj["kind"] == "HTTPRoute":
            self._log_route(obj)

    def scale(self, name: str, replicas: int, *, manager: str) -> None:
        """Write a Deployment's number of pods by its subresource `scale`."""
        deployment = self.objects[("Deployment", name)]
        deployment["spec"]["replicas"] = replicas
        deployment["metadata"]["generation"] += 1
        entry = {
            "manager": manager,
            "operation": "Update",
            "subresource": "scale",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
        deployment["metadata"]["managedFields"] = [entry]

    def _count(self, deployment: Json, scaled: int | None) -> None:
        """Who applies a number owns it; who applies none leaves it to whoever does."""
        if "replicas" in deployment["spec"]:
            if deployment["spec"]["replicas"] != scaled:
                deployment["metadata"].pop("managedFields", None)
        else:
            assert deployment["metadata"].get("managedFields"), "nobody's number goes back to 1"
            deployment["spec"]["replicas"] = scaled

    def _default(self, obj: Json) -> None:
        """What a server adds by itself."""
        if obj["kind"] == "Deployment":
            obj["spec"]["template"]["spec"] |= {"dnsPolicy": "ClusterFirst"}
            for container in obj["spec"]["template"]["spec"]["containers"]:
                container["imagePullPolicy"] = "IfNotPresent"
        if obj["kind"] == "Service":
            obj["spec"] |= {"clusterIP": "10.0.0.7", "sessionAffinity": "None"}

    def _check_step(self, old: Json, new: Json) -> None:
        """Weights move or one slot is repointed, confirmed before; only what the stable gets back
        waits for nothing."""
        before, after = read_slots(old), read_slots(new)
        if before == after or old["metadata"].pop("edited", False):
            return  # as it was, or put back after an edit
        stable = old["metadata"]["annotations"].get("slipway.dev/stable", "")
        weights = _weigh(before), _weigh(after)
        gains = [name for name in weights[1] if weights[1][name] > weights[0].get(name, 0)]
        is_back = [name.endswith(f"-r{stable}") for name in gains] == [True]
        moved = [pair for pair in zip(before, after, strict=True) if pair[0][0] != pair[1][0]]
        if not (is_back and not moved):
            assert self._is_confirmed(old), f"{before} became {after} before it was confirmed"
        for (_, was), (_, now) in moved:
            assert (len(moved), was, now) == (1, 1, 1), (before, after)
        for name in gains:
            status = self.objects[("Deployment", name)].get("status", {})
            assert status.get("readyReplicas") or is_back, f"{name} gains without a ready pod"

    def _log_route(self, route: Json) -> None:
        for backend in list_backends(route):
            assert backend["weight"] > 0, "weight 0 was written"
            assert ("Service", backend["name"]) in self.objects, f"no Service {backend['name']}"
            self.reachable.add(backend["name"])
        self.route_log.append(tuple(read_slots(route)))

    def _carry_out(self, action: Delete) -> None:
        key = (action.kind, action.name)
        found = self.objects.get(key)
        if found is not None and found["metadata"]["uid"] == action.uid:
            assert found["apiVersion"] == action.api_version
            self._check_unused(action)
            self._delete(key)

    def _check_unused(self, action: Delete) -> None:
        route = next((o for (kind, _), o in self.objects.items() if kind == "HTTPRoute"), None)
        if route is None or action.kind not in {"Deployment", "Service"}:
            return
        named = {ref["name"] for ref in list_backends(route)}
        assert action.name not in named, f"{action.kind} {action.name} is in a slot"
        assert action.name not in self.reachable, "the gateway may still send requests there"

    def _is_confirmed(self, route: Json) -> bool:
        parents = route.get("status", {}).get("parents", [])
        return bool(parents) and all(
            condition["observedGeneration"] == route["metadata"]["generation"]
            for condition in parents[0]["conditions"]
        )

    def _delete(self, key: tuple[str, str]) -> None:
        gone = self.objects.pop(key, None)
        if gone is None:
            return
        self.deleted.append(key)
        uid = gone["metadata"]["uid"]
        for child, obj in list(self.objects.items()):
            owners = obj["metadata"].get("ownerReferences", [])
            if any(owner["uid"] == uid for owner in owners):
                self._delete(child)

    def _next(self, prefix: str) -> str:
        self.counter += 1
        return f"{prefix}-{self.counter:04d}"

    def instant(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    # ── the controllers ──────────────────────────────────────────────────────────────────
    def tick(self) -> bool:
        """Every controller takes one step; True when something moved."""
        before = json.dumps(list(self.objects.values()), sort_keys=True)
        for (kind, _), obj in sorted(self.objects.items()):
            if kind == "Job":
                self._step_job(obj)
            elif kind == "Deployment":
                self._step_deployment(obj)
            elif kind == "HTTPRoute":
                self.confirm_route(obj)
        return json.dumps(list(self.objects.values()), sort_keys=True) != before

    def confirm_route(self, route: Json) -> None:
        route["metadata"]["annotations"]["slipway.dev/address"] = "127.0.0.1:8080"
        backends = list_backends(route)
        self.reachable = {ref["name"] for ref in backends}
        resolved = all(("Service", ref["name"]) in self.objects for ref in backends)
        route["status"] = {
            "parents": [
                {
                    "conditions": [
                        {
                            "type": kind,
                            "status": "True" if kind != "ResolvedRefs" or resolved else "False",
                            "reason": kind if resolved else "BackendNotFound",
                            "message": "",
                            "observedGeneration": route["metadata"]["generation"],
                        }
                        for kind in ("Accepted", "ResolvedRefs", "Programmed")
                    ]
                }
            ]
        }

    def _behaviour(self, uri: str) -> Behaviour:
        return self.behaviours.get(uri, Behaviour())

    def _step_job(self, job: Json) -> None:
        status = job.setdefault("status", {})
        if status.get("conditions"):
            return
        pod_spec = job["spec"]["template"]["spec"]
        env = {item["name"]: item["value"] for item in pod_spec["containers"][0]["env"]}
        request = json.loads(env["SLIPWAY_BUILD"])
        behaviour = self._behaviour(request["model"]["uri"])
        pod = self._pod_of(job, suffix="x", labels=job["spec"]["template"]["metadata"]["labels"])
        done = pod["status"].setdefault("done", 0)
        if done == len(STEPS):
            status["conditions"] = [
                {"type": "Complete", "status": "True", "lastTransitionTime": self.instant()}
            ]
            return
        step = STEPS[done]
        terminated: Json = {"exitCode": 0, "finishedAt": self.instant()}
        if behaviour.fails == step:
            terminated |= behaviour.exit
            if behaviour.report is not None:
                terminated["message"] = json.dumps(behaviour.report)
            status["conditions"] = [
                behaviour.job_condition
                or {
                    "type": "Failed",
                    "status": "True",
                    "reason": "BackoffLimitExceeded",
                    "lastTransitionTime": self.instant(),
                }
            ]
        else:
            terminated["message"] = json.dumps(
                report_ok(step, behaviour, build_hash=request["buildHash"])
            )
            pod["status"]["done"] = done + 1
        kind = "containerStatuses" if step == "publish" else "initContainerStatuses"
        pod["status"].setdefault(kind, []).append(
            {"name": step, "restartCount": 0, "state": {"terminated": terminated}}
        )

    def _step_deployment(self, deployment: Json) -> None:
        spec, name = deployment["spec"], deployment["metadata"]["name"]
        behaviour = self._find_behaviour(deployment)
        wanted, labels = spec["replicas"], spec["template"]["metadata"]["labels"]
        pods = [key for key in self.objects if key[0] == "Pod" and key[1].startswith(f"{name}-")]
        for key in pods[wanted:]:
            del self.objects[key]
        ready = 0
        for index in range(wanted):
            pod = self._pod_of(deployment, suffix=str(index), labels=labels)
            self._step_pod(pod, behaviour)
            ready += behaviour.pod == "ready"
        status = deployment.setdefault("status", {})
        available = "True" if ready >= wanted else "False"
        conditions = status.get("conditions", [{}])
        if conditions[0].get("status") != available:
            conditions = [
                {"type": "Available", "status": available, "lastTransitionTime": self.instant()}
            ]
        status |= {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": wanted,
            "readyReplicas": ready,
            "conditions": conditions,
        }

    def _find_behaviour(self, deployment: Json) -> Behaviour:
        snapshot = json.loads(deployment["metadata"]["annotations"]["slipway.dev/snapshot"])
        digest = snapshot.get("build", {}).get("modelDigest", "")
        found = (b for b in self.behaviours.values() if b.digest == digest)
        return next(found, Behaviour(digest=digest))

    def _step_pod(self, pod: Json, behaviour: Behaviour) -> None:
        if behaviour.pod == "unplaced":
            pod["status"] = {
                "phase": "Pending",
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": "0/3 nodes fit."}
                ],
            }
            return
        if behaviour.pod == "unpulled":
            ended = {"exitCode": 1, "message": "no such artifact"}
            pull = {"name": "pull", "restartCount": 5, "lastState": {"terminated": ended}}
            waits = {"name": "serve", "state": {"waiting": {"reason": "PodInitializing"}}}
            pod["status"] = {
                "phase": "Pending",
                "initContainerStatuses": [pull],
                "containerStatuses": [waits],
            }
            return
        pod["status"].pop("initContainerStatuses", None)
        container: Json = {"name": "serve", "ready": behaviour.pod == "ready", "restartCount": 0}
        if behaviour.pod == "crash":
            before = pod["status"].get("containerStatuses", [{"restartCount": -1}])[0]
            container |= {
                "restartCount": min(before["restartCount"] + 1, 5),
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {"terminated": {"exitCode": 1, "message": "golden rows differ"}},
            }
        else:
            container["state"] = {"running": {}}
        pod["status"]["containerStatuses"] = [container]
        ready = "True" if container["ready"] else "False"
        conditions = pod["status"].get("conditions", [{}])
        if conditions[0].get("status") != ready:
            conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": self.instant()}]
        pod["status"] |= {"phase": "Running", "podIP": "10.1.0.9", "conditions": conditions}

    def _pod_of(self, owner: Json, *, suffix: str, labels: Mapping[str, str]) -> Json:
        name = f"{owner['metadata']['name']}-{suffix}"
        key = ("Pod", name)
        if key not in self.objects:
            self.objects[key] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    "uid": self._next("pod"),
                    "labels": dict(labels),
                    "ownerReferences": [
                        {
                            "kind": owner["kind"],
                            "name": owner["metadata"]["name"],
                            "uid": owner["metadata"]["uid"],
                            "controller": True,
                        }
                    ],
                },
                "status": {},
            }
        return self.objects[key]

    # ── what a test looks at ─────────────────────────────────────────────────────────────
    def status(self, name: str) -> Json:
        return self.objects[("ModelDeployment", name)].get("status", {})

    def condition(self, name: str, kind: str) -> tuple[str, str, str]:
        found = next(c for c in self.status(name)["conditions"] if c["type"] == kind)
        return found["status"], found["reason"], found["message"]

    def names(self, kind: str) -> set[str]:
        return {name for of, name in self.objects if of == kind}

    def of_kind(self, kind: str) -> list[Json]:
        return [obj for (of, _), obj in sorted(self.objects.items()) if of == kind]


def laptop_settings() -> Settings:
    return Settings.laptop(artifact_store="oci-layout:///store")
