"""What Prometheus is asked about a rollout, beside the pods or in their place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A metric of a spec, for one revision: PromQL of counters, with everything filled in."""

    metric: str
    revision: str
    good: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """All that is asked of one model. `counts`: whether Prometheus is to tell what the pods have
    counted, so that they are not asked themselves."""

    uid: str
    name: str
    namespace: str
    counts: bool
    queries: tuple[Query, ...] = ()


def fill_in(query: str, *, revision: str, namespace: str, name: str) -> str:
    """A spec's PromQL for one revision.

    >>> fill_in('x{revision="{{revision}}"}', revision="4f2a", namespace="default", name="churn")
    'x{revision="4f2a"}'
    """
    for word, value in (("revision", revision), ("namespace", namespace), ("name", name)):
        query = query.replace(f"{{{{{word}}}}}", value)
    return query
