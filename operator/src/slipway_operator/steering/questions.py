"""What Prometheus is to be asked about the rollout of a model."""

from collections.abc import Mapping
from typing import Any

from slipway_operator.api.spec_rollout import Analysis
from slipway_operator.api.status import read_status
from slipway_operator.api.vocabulary import MetricSource
from slipway_operator.state.questions import Query, Questions, fill_in
from slipway_operator.steering.world import read_owner


def build_questions(asked: Mapping[str, Any], *, analysis: Analysis) -> Questions | None:
    """The queries of both revisions, filled in; None: the pods tell everything."""
    owner, status = read_owner(asked), read_status(asked.get("status") or {})
    counts = analysis.source is MetricSource.PROMETHEUS
    place = {"namespace": owner.namespace, "name": owner.name}
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
    return Questions(uid=owner.uid, counts=counts, queries=queries, **place)
