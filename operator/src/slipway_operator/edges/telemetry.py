"""What the operator tells about itself, for Prometheus (docs/metrics.md)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Telemetry:
    """The metrics of one operator process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.queue_depth = Gauge(
            "slipway_operator_queue_depth",
            "Models that wait for their turn or are worked on.",
            registry=self.registry,
        )
        self.last_event_age = Gauge(
            "slipway_operator_last_event_age_seconds",
            "Seconds since a watch told anything.",
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "slipway_operator_reconcile_seconds",
            "How long one look at a model took, writes included.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.reconcile_errors = Counter(
            "slipway_operator_reconcile_errors",
            "Looks that ended with an error, by Kubernetes' word for it.",
            ["reason"],
            registry=self.registry,
        )
        self.writes = Counter(
            "slipway_operator_writes",
            "Objects written, by kind and verb.",
            ["kind", "verb"],
            registry=self.registry,
        )
        self.is_leader = Gauge(
            "slipway_operator_leader",
            "1 where this process holds the Lease.",
            registry=self.registry,
        )
