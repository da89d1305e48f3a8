"""What an edge has to look up before it makes a plan: a plan itself asks nobody."""

from collections.abc import Iterable, Mapping
from typing import Any

from slipway_operator.api.parse import parse_modeldeployment
from slipway_operator.api.status import read_status
from slipway_operator.api.vocabulary import MetricSource, RevisionOverride
from slipway_operator.decide.build_result import compute_inputs, is_pinned
from slipway_operator.decide.hosts import list_foreign_hosts
from slipway_operator.decide.rollout.path import lay_path
from slipway_operator.decide.rollout.scene import is_tried
from slipway_operator.resources.override import name_override
from slipway_operator.settings import Settings
from slipway_operator.state.identity import LABEL_UID
from slipway_operator.state.observed import Json, read_labels
from slipway_operator.state.questions import Query, Questions, fill_in
from slipway_operator.state.readings import Source, list_sources
from slipway_operator.steering.world import read_owner


def list_secrets(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """The Secrets whose existence an edge has to look up before it makes a plan, by name."""
    parsed = parse_modeldeployment(asked)
    reference = parsed.asked.spec.model.access.secret_ref if parsed.asked else None
    return () if reference is None else (reference.name,)


def name_override_secret(asked: Mapping[str, Any]) -> str | None:
    """The Secret that an edge has to keep before it makes a plan, with a token that it draws once:
    requests that carry it choose the new revision. None: none may."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None or parsed.asked.spec.traffic.revision_override is RevisionOverride.OFF:
        return None
    return name_override(asked["metadata"]["name"])


def list_hosts_to_check(asked: Mapping[str, Any], *, settings: Settings) -> tuple[str, ...]:
    """The host names of which an edge has to look up before it makes a plan whether they are
    allowed to the namespace, and which older model has them."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None:
        return ()
    return list_foreign_hosts(
        owner=read_owner(asked), traffic=parsed.asked.spec.traffic, settings=settings
    )


def list_pods_to_read(asked: Mapping[str, Any], pods: Iterable[Json]) -> tuple[Source, ...]:
    """The pods whose counts an edge has to read before it makes a plan: those of both revisions of
    a rollout that is judged by them."""
    # Asked of every model at every look; few have a rollout.
    if not (asked.get("status") or {}).get("canaryRevision"):
        return ()
    status = read_status(asked["status"])
    rollout, both = status.rollout, {status.stable_revision, status.canary_revision}
    if rollout is None or not is_tried(rollout) or None in both:
        return ()
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None or not lay_path(parsed.asked.spec.rollout).stops:
        return ()
    uid = asked["metadata"].get("uid")
    ours = [pod for pod in pods if pod.get("kind") == "Pod"]
    return tuple(
        source
        for source in list_sources(pod for pod in ours if read_labels(pod).get(LABEL_UID) == uid)
        if source.revision in both
    )


def is_compared(asked: Mapping[str, Any]) -> bool:
    """Whether those pods have to tell their latest answers as well: the new revision gets copies
    of requests, and its answers are compared."""
    rollout = (asked.get("status") or {}).get("rollout") or {}
    return bool(rollout.get("shadow"))


def list_questions(asked: Mapping[str, Any]) -> Questions | None:
    """What an edge has to ask Prometheus of a rollout whose pods are to be read; None: nothing."""
    parsed, status = parse_modeldeployment(asked), read_status(asked.get("status") or {})
    if parsed.asked is None or is_compared(asked):
        return None
    analysis, metadata = parsed.asked.spec.rollout.analysis, asked["metadata"]
    counts = analysis.source is MetricSource.PROMETHEUS
    place = {"namespace": metadata["namespace"], "name": metadata["name"]}
    revisions = [each for each in (status.canary_revision, status.stable_revision) if each]
    queries = tuple(
        Query(
            metric=metric.name,
            revision=revision,
            good=fill_in(metric.prometheus.good, revision=revision, **place),
            total=fill_in(metric.prometheus.total, revision=revision, **place),
        )
        for metric in analysis.metrics
        if metric.prometheus is not None
        for revision in revisions
    )
    if not counts and not queries:
        return None
    return Questions(uid=metadata["uid"], counts=counts, queries=queries, **place)


def find_reusable_build(asked: Mapping[str, Any]) -> str | None:
    """The hash of the build whose artifact may be taken from the store; None: a fetch has to tell
    first which bytes are meant."""
    parsed = parse_modeldeployment(asked)
    if parsed.asked is None or not is_pinned(parsed.asked.spec.model):
        return None
    return compute_inputs(model=parsed.asked.spec.model, resolved=None).build_hash
