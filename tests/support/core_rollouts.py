"""A rollout with steps in the cluster in memory: a model that serves, and a new one asked for."""

from datetime import timedelta
from typing import Any

from core_cluster import Behaviour, Cluster, laptop_settings
from slipway_operator.state.command import Command, render_command

NAME = "penguins"
OLD, NEW, OTHER = (f"file:///m/{name}.joblib" for name in ("old", "new", "other"))
DIGESTS = {OLD: "sha256:" + "1" * 64, NEW: "sha256:" + "2" * 64, OTHER: "sha256:" + "3" * 64}
PER_SECOND = 100
Rollout = dict[str, Any]


def begin(
    *, new: Behaviour | None = None, rollout: Rollout | None = None, old: Behaviour | None = None
) -> Cluster:
    """A model that serves, and a new one asked for."""
    cluster = Cluster(settings=laptop_settings())
    cluster.behaviours = {
        OLD: old or Behaviour(digest=DIGESTS[OLD]),
        NEW: new or Behaviour(digest=DIGESTS[NEW]),
        OTHER: Behaviour(digest=DIGESTS[OTHER]),
    }
    ask(cluster, OLD, rollout)
    cluster.settle(NAME)
    ask(cluster, NEW, rollout)
    return cluster


def ask(cluster: Cluster, uri: str, rollout: Rollout | None = None, **spec: Any) -> None:
    strategy = {"strategy": "Canary"} | (rollout or {})
    cluster.submit(NAME, {"model": {"uri": uri}, "rollout": strategy} | spec)


def live(cluster: Cluster, seconds: int, *, per_second: int = PER_SECOND) -> list[tuple[str, ...]]:
    """Time passes, requests come; the states with their weights, as they were gone through."""
    seen: list[tuple[str, ...]] = []
    for _ in range(0, seconds, 2):
        now = pass_by(cluster, per_second=per_second)
        if not seen or seen[-1] != now:
            seen.append(now)
    return seen


def pass_by(cluster: Cluster, *, per_second: int = PER_SECOND) -> tuple[str, str]:
    """Two seconds; the state with its weight."""
    cluster.serve(per_second * 2)
    cluster.reconcile(NAME)
    cluster.tick()
    cluster.wait(2)
    return look(cluster)


def look(cluster: Cluster) -> tuple[str, str]:
    """The state with its weight."""
    status = cluster.status(NAME)
    return status["rollout"]["state"], status["display"].get("weightPercent", "")


def live_until(
    cluster: Cluster, state: str, weight: str = "", *, per_second: int = PER_SECOND
) -> None:
    """Time passes until a state is reached; where a weight is given, at that weight."""
    for _ in range(600):
        now = pass_by(cluster, per_second=per_second)
        if now[0] == state and weight in ("", now[1]):
            return
    raise AssertionError(f"{state} {weight} never came: {cluster.status(NAME)}")


def behave(cluster: Cluster, uri: str, **how: Any) -> None:
    """A model behaves otherwise from now on."""
    cluster.behaviours[uri] = Behaviour(digest=DIGESTS[uri], **how)


def command(
    cluster: Cluster,
    verb: str,
    *,
    given_id: str = "",
    revision: str | None = None,
    target: str = "",
) -> None:
    """Give a command to the revision on its way, as the CLI does."""
    asked = cluster.objects["ModelDeployment", NAME]
    status = cluster.status(NAME)
    given = Command(
        id=given_id or f"{verb}-{cluster.now:%H%M%S}",
        verb=verb,
        revision=status.get("canaryRevision", "") if revision is None else revision,
        uid=asked["metadata"]["uid"],
        expires=cluster.now + timedelta(seconds=60),
        by="ann",
        target=target,
    )
    asked["metadata"].setdefault("annotations", {}).update(render_command(given))


def stable_uri(cluster: Cluster) -> str:
    status = cluster.status(NAME)
    digest = next(r["model"] for r in status["revisions"] if r["hash"] == status["stableRevision"])
    return next(uri for uri, one in cluster.behaviours.items() if one.digest == digest)


def find_revision(cluster: Cluster, uri: str) -> dict[str, Any]:
    """What the status tells of the revision of a model; nothing where it is gone."""
    rows = cluster.status(NAME)["revisions"]
    return next((row for row in rows if row.get("model") == DIGESTS[uri]), {})


def count_pods(cluster: Cluster, uri: str) -> int:
    name = f"{NAME}-r{find_revision(cluster, uri).get('hash', '-')}"
    return sum(pod.startswith(f"{name}-") for pod in cluster.names("Pod"))


def weigh(percent: float | str, **more: Any) -> dict[str, Any]:
    """A step with a weight."""
    return {"type": "Weight", "weight": {"percent": percent} | more}


def lasts(percent: float | str, seconds: int) -> dict[str, Any]:
    """A step of a time, whatever the evidence says."""
    return weigh(percent, until="Duration", minSeconds=0, maxSeconds=seconds)


APPROVAL: dict[str, Any] = {"type": "Approval"}
