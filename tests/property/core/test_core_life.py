"""Whatever happens to a model's life, the core ends where the spec says, and never breaks a rule on
the way.

Covered: convergence, determinism, failed writes, lost status, edits and deletions by hand, broken
models, the route's rules (no weight 0, no missing Service, nothing in a slot is deleted; `Cluster`
checks these at every write). Left out: several models at once; they share nothing.
"""

import random
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_cluster import (
    IMMEDIATE,
    Behaviour,
    Cluster,
    WriteFailedError,
    laptop_settings,
    report_failed,
)
from slipway_operator.state.observed import Observed

NAME = "penguins"
GOOD = tuple(f"file:///m/good-{letter}.joblib" for letter in "abc")
BROKEN = "file:///m/broken.joblib"
FLAKY = "file:///m/flaky.joblib"
CRASHING = "file:///m/crashing.joblib"
SILENT = "file:///m/silent.joblib"
BEHAVIOURS = {
    **{uri: Behaviour(digest="sha256:" + uri[-8] * 64) for uri in GOOD},
    BROKEN: Behaviour(
        digest="sha256:" + "1" * 64,
        fails="convert",
        report=report_failed("convert", "ModelUnreadable", "The file is no model."),
    ),
    FLAKY: Behaviour(
        digest="sha256:" + "2" * 64,
        fails="fetch",
        report=report_failed("fetch", "SourceUnavailable", "The host is down.", retryable=True),
    ),
    CRASHING: Behaviour(digest="sha256:" + "3" * 64, pod="crash"),
    SILENT: Behaviour(digest="sha256:" + "4" * 64, pod="silent"),
}
ILL = {BEHAVIOURS[uri].digest for uri in (CRASHING, SILENT)}

submissions = st.tuples(
    st.just("submit"),
    st.sampled_from([*GOOD, *GOOD, BROKEN, FLAKY, CRASHING, SILENT]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([(), ("a.example.com",)]),
)
accidents = st.sampled_from(
    [
        ("invalid",),
        ("lose status",),
        ("edit", "Deployment"),
        ("edit", "Service"),
        ("edit", "HTTPRoute"),
        ("edit", "slots"),
        ("delete", "Deployment"),
        ("delete", "Service"),
        ("delete", "HTTPRoute"),
        ("delete", "Job"),
        ("fail", 0),
        ("fail", 1),
        ("fail", 2),
        ("wait", 7),
        ("wait", 700),
    ]
)
passes = st.sampled_from([("go",), ("go",), ("go",), ("tick",), ("plan",), ("plan",)])
steps = st.one_of(submissions, accidents, passes, passes, passes)


def new_cluster() -> Cluster:
    return Cluster(settings=laptop_settings(), behaviours=dict(BEHAVIOURS))


def submit(cluster: Cluster, uri: str, replicas: int | None = None, hostnames: tuple = ()) -> None:
    spec: dict = {"model": {"uri": uri}, "rollout": IMMEDIATE}
    if replicas is not None:
        spec["replicas"] = replicas
    if hostnames:
        spec["traffic"] = {"hostnames": list(hostnames)}
    cluster.submit(NAME, spec)


def act(cluster: Cluster, step: tuple) -> None:  # noqa: C901 - a flat table of what can happen
    match step:
        case ("submit", uri, replicas, hostnames):
            submit(cluster, uri, replicas, hostnames)
        case ("invalid",):
            cluster.submit(NAME, {"model": {"uri": GOOD[0]}, "rollout": IMMEDIATE, "replicas": -1})
        case ("lose status",):
            cluster.objects[("ModelDeployment", NAME)].pop("status", None)
        case ("edit", kind):
            edit(cluster, kind)
        case ("delete", kind):
            for obj in cluster.of_kind(kind)[:1]:
                cluster._delete((kind, obj["metadata"]["name"]))
        case ("fail", index):
            with suppress(WriteFailedError):
                cluster.reconcile(NAME, fail_at=index)
        case ("wait", seconds):
            cluster.wait(seconds)
        case ("plan",):
            cluster.reconcile(NAME)
        case ("tick",):
            cluster.tick()
        case _:
            cluster.reconcile(NAME)
            cluster.tick()


def edit(cluster: Cluster, kind: str) -> None:
    if kind == "slots":
        for route in cluster.of_kind("HTTPRoute"):
            for backend, weight in zip(
                route["spec"]["rules"][1]["backendRefs"], (300_000, 700_000), strict=True
            ):
                backend["weight"] = weight
            route["metadata"]["generation"] += 1
            route["metadata"]["edited"] = True
        return
    for obj in cluster.of_kind(kind)[:1]:
        if kind == "Deployment":
            obj["spec"]["replicas"] = 5
        elif kind == "Service":
            obj["spec"]["selector"]["slipway.dev/revision"] = "elsewhere"
        else:
            obj["spec"]["rules"][0]["timeouts"] = {"request": "1s"}
        obj["metadata"]["generation"] += 1


def assert_no_ill_revision_has_traffic(cluster: Cluster) -> None:
    """Only revisions whose pods answered ever get a share of the requests."""
    for route in cluster.of_kind("HTTPRoute"):
        for backend in route["spec"]["rules"][1]["backendRefs"]:
            if backend["weight"] <= 1:
                continue
            deployment = cluster.objects.get(("Deployment", backend["name"]))
            if deployment is not None:
                text = deployment["metadata"]["annotations"]["slipway.dev/snapshot"]
                assert not any(digest in text for digest in ILL), "an ill revision has traffic"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(life=st.lists(steps, min_size=1, max_size=40))
def test_every_life_ends_with_what_the_spec_asks_for(life: list[tuple]) -> None:
    cluster = new_cluster()
    submit(cluster, GOOD[0])
    for step in life:
        act(cluster, step)
        assert_no_ill_revision_has_traffic(cluster)
    submit(cluster, GOOD[2])
    cluster.settle(NAME, rounds=400, seconds=5)
    cluster.wait(3600)
    cluster.settle(NAME, rounds=100, seconds=5)
    # What served before may come back for a day, and has no pods meanwhile.
    kept = f"{NAME}-r{cluster.status(NAME)['stableRevision']}"
    serving = {pod.rsplit("-", 1)[0] for pod in cluster.names("Pod") if f"{NAME}-r" in pod}
    assert serving == {kept}
    cluster.wait(90_000)
    cluster.settle(NAME, rounds=100, seconds=5)
    assert cluster.condition(NAME, "Ready")[:2] == ("True", "Serving")
    assert cluster.condition(NAME, "UpToDate")[:2] == ("True", "UpToDate")
    status = cluster.status(NAME)
    name = f"{NAME}-r{status['stableRevision']}"
    route = cluster.of_kind("HTTPRoute")[0]
    assert {ref["name"] for rule in route["spec"]["rules"] for ref in rule["backendRefs"]} == {name}
    # Nothing of any other revision or build is left.
    assert cluster.names("Deployment") == {name}
    assert cluster.names("Service") == {name, NAME}
    assert cluster.names("PodDisruptionBudget") == {name}
    assert len(cluster.names("Job")) <= 1
    assert [row["hash"] for row in status["revisions"]] == [status["stableRevision"]]
    # A converged state plans nothing.
    plan = cluster.plan(NAME)
    assert (plan.actions, plan.status, plan.events) == ((), None, ())
    assert plan.requeue_after_seconds is None


@settings(max_examples=30, deadline=None, derandomize=True)
@given(life=st.lists(steps, min_size=1, max_size=12), seed=st.integers(0, 2**16))
def test_the_order_of_what_is_observed_never_matters(life: list[tuple], seed: int) -> None:
    cluster = new_cluster()
    submit(cluster, GOOD[0])
    for step in life:
        act(cluster, step)
    observed = cluster.observe(NAME)
    shuffled = list(observed.objects)
    random.Random(seed).shuffle(shuffled)
    other = Observed(objects=tuple(shuffled), absent_secrets=observed.absent_secrets)
    assert cluster.plan(NAME, observed=other) == cluster.plan(NAME)


def live(cluster: Cluster) -> Iterator[None]:
    """A life with a changed model: first revision, new one, live edit. Yields at each pass."""
    for uri, replicas in ((GOOD[0], None), (GOOD[1], None), (GOOD[1], 2)):
        submit(cluster, uri, replicas)
        for _ in range(12):
            yield
            cluster.tick()
            cluster.wait(1)
        cluster.wait(70)
        for _ in range(4):
            yield
            cluster.tick()
            cluster.wait(5)


def describe(cluster: Cluster) -> tuple:
    """What is there in the end, without times and uids."""
    conditions = [
        (item["type"], item["status"], item["reason"])
        for item in cluster.status(NAME)["conditions"]
    ]
    routes = [route["spec"] for route in cluster.of_kind("HTTPRoute")]
    return sorted(cluster.objects), conditions, routes, cluster.status(NAME)["stableRevision"]


@cache
def live_undisturbed() -> Cluster:
    cluster = new_cluster()
    for _ in live(cluster):
        cluster.reconcile(NAME)
    return cluster


# Every write of the whole life: measured 45; an upper bound, so that a fault cannot hide beyond it.
MOST_WRITES = 60


@pytest.mark.parametrize("first", range(8), ids=lambda first: f"every-eighth-from-{first}")
def test_any_failed_write_heals(first: int) -> None:
    wanted = describe(live_undisturbed())
    for number in range(first, live_undisturbed().writes, 8):
        cluster = new_cluster()
        failed = False
        for _ in live(cluster):
            index = number - cluster.attempts
            try:
                cluster.reconcile(NAME, fail_at=None if failed else index)
            except WriteFailedError:
                failed = True
                cluster.reconcile(NAME)
        assert failed
        cluster.settle(NAME)
        assert describe(cluster) == wanted


def test_a_life_needs_few_writes() -> None:
    # First revision, change of the model with its three route steps and clean-up, one live edit.
    assert live_undisturbed().writes <= MOST_WRITES
