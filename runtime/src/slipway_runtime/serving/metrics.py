"""What one serving process counts. Plain numbers on the hot path; text only when somebody scrapes.

Everything is a counter or a fixed-bucket histogram (gauges are sums too), so that the numbers of
several processes merge by addition.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from slipway_runtime import contract
from slipway_runtime.serving.core.faults import Violation
from slipway_runtime.serving.sources import SOURCES

BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
STAGES = ("decode", "queue", "inference", "encode")


class Metrics:
    """The counters of one process, for one model and revision."""

    def __init__(self, *, model: str, revision: str) -> None:
        self.model = model
        self.revision = revision
        self.requests: Counter[tuple[str, int, str]] = Counter()
        self.latency: defaultdict[tuple[str, str], list[int]] = defaultdict(
            lambda: [0] * (len(BUCKETS) + 1)
        )
        self.latency_sum: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.stage_sum = dict.fromkeys(STAGES, 0.0)
        self.stage_count = dict.fromkeys(STAGES, 0)
        self.rows = dict.fromkeys(SOURCES, 0)
        self.violations: Counter[tuple[str, str, str, str]] = Counter()
        self.in_flight = 0
        self.queue_depth = 0

    def observe_request(self, protocol: str, code: int, seconds: float, source: str) -> None:
        """Count one answered request."""
        self.requests[protocol, code, source] += 1
        kind = protocol, source
        self.latency[kind][bisect_left(BUCKETS, seconds)] += 1
        self.latency_sum[kind] += seconds

    def observe_stage(self, stage: str, seconds: float, requests: int = 1) -> None:
        """Add the time that `requests` requests spent together in one stage."""
        self.stage_sum[stage] += seconds
        self.stage_count[stage] += requests

    def observe_violations(self, violations: Iterable[Violation], source: str) -> None:
        """Count rows by rule, column and policy; a stranger's column names never become labels."""
        for violation in violations:
            column = "" if violation.rule == "ExtraColumn" else violation.column
            labels = violation.rule, column, violation.policy, source
            self.violations[labels] += violation.count

    def collect(self) -> Iterable[Metric]:
        """Render as prometheus_client's families."""
        base = [self.model, self.revision]
        requests = CounterMetricFamily(
            contract.METRIC_REQUESTS,
            "Requests answered.",
            labels=["model", "revision", "protocol", "code", "source"],
        )
        for (protocol, code, source), count in list(self.requests.items()):
            requests.add_metric([*base, protocol, str(code), source], count)
        yield requests
        latency = HistogramMetricFamily(
            contract.METRIC_LATENCY,
            "Seconds from the request's head to its answer.",
            labels=["model", "revision", "protocol", "source"],
        )
        for kind, counts in list(self.latency.items()):
            latency.add_metric([*base, *kind], _cumulate(counts), sum_value=self.latency_sum[kind])
        yield latency
        stages = SummaryMetricFamily(
            contract.METRIC_STAGE,
            "Seconds that requests spent in each stage.",
            labels=["model", "revision", "stage"],
        )
        for stage in STAGES:
            stages.add_metric([*base, stage], self.stage_count[stage], self.stage_sum[stage])
        yield stages
        for name, text, value in (
            (contract.METRIC_IN_FLIGHT, "Requests being answered.", self.in_flight),
            (contract.METRIC_QUEUE, "Requests waiting for the model.", self.queue_depth),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["model", "revision"])
            gauge.add_metric(base, value)
            yield gauge
        rows = CounterMetricFamily(
            contract.METRIC_ROWS, "Rows given to the model.", labels=["model", "revision", "source"]
        )
        for source, count in self.rows.items():
            rows.add_metric([*base, source], count)
        yield rows
        violations = CounterMetricFamily(
            contract.METRIC_VIOLATIONS,
            "Rows that broke a rule of the contract.",
            labels=["model", "revision", "rule", "column", "policy", "source"],
        )
        for labels, count in list(self.violations.items()):
            violations.add_metric([*base, *labels], count)
        yield violations


def _cumulate(counts: list[int]) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, BUCKETS), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
