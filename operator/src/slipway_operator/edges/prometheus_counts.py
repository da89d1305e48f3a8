"""What a Prometheus knows of pods' counts, as the same readings that the pods themselves give.

A pod is known by the label `pod` where its series have one, else by `instance`, which is the
address that was scraped. A series that was scraped twice, by two jobs or replicas, is taken once:
the higher count is the later one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from slipway_operator.contract import (
    METRIC_LATENCY,
    METRIC_REQUESTS,
    METRIC_ROWS,
    METRIC_VIOLATIONS,
)
from slipway_operator.edges.prometheus import Prometheus, PrometheusSilent, Sample
from slipway_operator.edges.readings import Unreadable, parse_reading
from slipway_operator.state.questions import Query, Questions
from slipway_operator.state.readings import Reading, Source
from slipway_operator.state.tallies import Tally

# Every label that our own metrics carry (docs/metrics.md), beside those that name a pod.
OWN_LABELS: Final = ("revision", "protocol", "source", "code", "le", "rule", "column", "policy")
STALE_SECONDS: Final = 120.0  # Prometheus itself goes on for five minutes with what was last
YOUNG_SECONDS: Final = 90.0  # so long may it take until a new pod is found and scraped
_PLACE: Final = ("namespace", "pod", "instance")
_MARK: Final = "slipway_scraped"
_BUCKETS: Final = f"{METRIC_LATENCY}_bucket"
_TYPES: Final = {
    METRIC_ROWS: "counter",
    METRIC_REQUESTS: "counter",
    METRIC_VIOLATIONS: "counter",
    METRIC_LATENCY: "histogram",
}
_TARGET: Final = ("job", "namespace", "pod", "instance")
_MOST_SERIES: Final = 2000
_MOST_COUNT: Final = 2**53  # beyond that a number of Prometheus counts no single events
_PAGE: Final = "docs/guides/rollouts.md says what Prometheus has to scrape"

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What Prometheus knows of pods.

    Attributes:
        found: those that it has scraped, with when, in seconds of its clock.
        unread: by pod, why there is nothing of it.
        young: pods that it may not have found yet.
    """

    found: tuple[tuple[Source, Reading, float], ...]
    unread: Mapping[str, str]
    young: tuple[Source, ...]


def build_query(questions: Questions, revisions: Iterable[str]) -> str:
    """PromQL of everything that the pods of a model have counted, and of when they were scraped."""
    chosen = f'model="{questions.name}",revision=~"{"|".join(sorted(revisions))}"'
    names = "|".join((METRIC_ROWS, METRIC_REQUESTS, METRIC_VIOLATIONS, _BUCKETS))
    place = ",".join(_PLACE)
    return (
        f"max by (__name__,{place},{','.join(OWN_LABELS)}) "
        f'({{__name__=~"{names}",{chosen}}}) '
        f"or max by ({place},revision,{_MARK}) (label_replace("
        f'timestamp({METRIC_ROWS}{{{chosen}}}),"{_MARK}","yes","",""))'
    )


def read_counts(
    samples: Sequence[Sample],
    sources: Iterable[Source],
    *,
    namespace: str,
    clock: float,
    ages: Mapping[str, float],
) -> Counted:
    """What was found of each pod.

    Args:
        samples: the answer to `build_query`.
        clock: when it was asked, in seconds of Prometheus' clock.
        ages: by uid, since how many seconds each pod has been ready.
    """
    found, unread, young = [], {}, []
    for source in sources:
        mine = [each for each in samples if is_of(each, source, namespace=namespace)]
        at = max((each.value for each in mine if _MARK in each.labels), default=math.nan)
        if math.isnan(at):
            if ages[source.uid] < YOUNG_SECONDS:
                young.append(source)
            else:
                unread[source.pod] = _explain_nothing(source, samples)
        elif clock - at > STALE_SECONDS:
            unread[source.pod] = f"Prometheus scraped it last {clock - at:.0f} s ago"
        else:
            try:
                reading = parse_reading(_render(mine))
            except (Unreadable, ValueError) as error:
                unread[source.pod] = f"what Prometheus has of it cannot be read ({error})"
            else:
                found.append((source, reading, at))
    return Counted(found=tuple(found), unread=unread, young=tuple(young))


def is_of(sample: Sample, source: Source, *, namespace: str) -> bool:
    """Whether a series is one of this pod."""
    labels = sample.labels
    if labels.get("revision") != source.revision or labels.get("namespace", namespace) != namespace:
        return False
    if labels.get("pod"):
        return labels["pod"] == source.pod
    return labels.get("instance") == source.address


def _explain_nothing(source: Source, samples: Sequence[Sample]) -> str:
    if any(sample.labels.get("revision") == source.revision for sample in samples):
        return (
            f'of its revision Prometheus has only other pods than pod="{source.pod}" and '
            f'instance="{source.address}"; {_PAGE}'
        )
    return f"Prometheus has nothing of its revision {source.revision}; {_PAGE}"


def _render(samples: Iterable[Sample]) -> str:
    """The series of a pod as the pod itself tells them."""
    merged: Series = {}
    for sample in samples:
        name = sample.labels.get("__name__")
        if name is not None:
            own = tuple((key, sample.labels[key]) for key in OWN_LABELS if key in sample.labels)
            merged[name, own] = max(sample.value, merged.get((name, own), -math.inf))
    lines: list[str] = []
    for family, kind in _TYPES.items():
        series = [key for key in merged if key[0] in (family, f"{family}_bucket")]
        if series:
            lines.append(f"# TYPE {family} {kind}")
        for name, labels in series:
            told = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
            lines.append(f"{name}{{{told}}} {_write(merged[name, labels])}")
    return "\n".join([*lines, ""])


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _write(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)


async def ask_queries(
    prometheus: Prometheus, queries: Iterable[Query]
) -> tuple[dict[tuple[str, str], Tally], dict[str, str]]:
    """What the spec's own metrics have counted, by metric and revision; by metric, why not."""
    tallies: dict[tuple[str, str], Tally] = {}
    untold: dict[str, str] = {}
    for query in queries:
        if query.metric in untold:
            continue
        try:
            total = read_counters(await prometheus.query(query.total), query.total)
            if not total:
                raise PrometheusSilent(f'"{query.total}" finds nothing')
            good = read_counters(await prometheus.query(query.good), query.good)
            if not good.keys() <= total.keys():
                raise PrometheusSilent(
                    f'"{query.good}" and "{query.total}" are not of the same processes (labels '
                    f"{', '.join(_TARGET)})"
                )
        except PrometheusSilent as silent:
            untold[query.metric] = str(silent)
        else:
            tallies[query.metric, query.revision] = Tally(good=good, total=total)
    for metric in {metric for metric, _ in tallies} - untold.keys():
        mine = [each for (name, _), each in tallies.items() if name == metric]
        if not any(each.good for each in mine):
            query = next(one for one in queries if one.metric == metric)
            untold[metric] = f'"{query.good}" finds nothing, of neither revision'
    return {key: one for key, one in tallies.items() if key[0] not in untold}, untold


def read_counters(samples: Sequence[Sample], expression: str) -> dict[str, dict[str, int]]:
    """By target and labels.

    Raises:
        PrometheusSilent: these are no counts, or too many.
    """
    if len(samples) > _MOST_SERIES:
        raise PrometheusSilent(
            f'"{expression}" finds {len(samples)} series; {_MOST_SERIES} may be followed'
        )
    found: dict[str, dict[str, int]] = {}
    for sample in samples:
        value = sample.value
        if not (0 <= value <= _MOST_COUNT and value == int(value)):
            raise PrometheusSilent(
                f'"{expression}" gives {value:g}, which is no count: name the counters '
                "themselves, without rate() or increase()"
            )
        target = _name_series({key: sample.labels.get(key, "") for key in _TARGET})
        found.setdefault(target, {})[_name_series(sample.labels)] = int(value)
    return found


def _name_series(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()) if value)
