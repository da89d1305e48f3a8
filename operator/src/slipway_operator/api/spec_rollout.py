"""`spec.rollout`: how a new revision takes over, and the evidence that lets it.

Unions carry a `type` and exactly the member it names (`validation` checks it). Rates and tolerances
are decimal strings, so that they hash and print as they were written.
"""

from typing import Annotated, Final

from msgspec import Meta, field

from slipway_operator.api import defaults
from slipway_operator.api.base import Spec, doc
from slipway_operator.api.vocabulary import (
    DNS_LABEL,
    Decimal,
    MetricAction,
    MetricSource,
    MetricType,
    OnInconclusive,
    OnNewRevision,
    OnUnavailable,
    Percent,
    PositiveDecimal,
    QualityMetric,
    Rate,
    Seconds,
    StableScale,
    StepType,
    Strategy,
    Until,
)

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Query = Annotated[str, Meta(min_length=1, max_length=4096)]


class WeightStep(Spec, frozen=True, kw_only=True):
    percent: Annotated[
        Percent,
        doc("Share of requests for the new revision, 0.01 to 100, up to 4 decimals."),
    ]
    until: Annotated[
        Until,
        doc("Evidence: until every metric passes. Duration: until maxSeconds are over."),
    ] = Until.EVIDENCE
    min_seconds: Annotated[Seconds, doc("Least length of the step, in seconds.")] = (
        defaults.STEP_MIN_SECONDS
    )
    max_seconds: Annotated[Seconds, doc("Longest length of the step, in seconds.")] = (
        defaults.STEP_MAX_SECONDS
    )


class ShadowStep(Spec, frozen=True, kw_only=True):
    percent: Annotated[
        Percent,
        doc("Share of requests copied to the new revision; its answers are only compared."),
    ]
    until: Annotated[
        Until,
        doc("Evidence: until every metric passes. Duration: until maxSeconds are over."),
    ] = Until.EVIDENCE
    min_seconds: Annotated[Seconds, doc("Least length of the step, in seconds.")] = (
        defaults.STEP_MIN_SECONDS
    )
    max_seconds: Annotated[Seconds, doc("Longest length of the step, in seconds.")] = (
        defaults.STEP_MAX_SECONDS
    )


class Step(Spec, frozen=True, kw_only=True):
    type: Annotated[
        StepType,
        doc(
            "Weight, Shadow (copies; before the first Weight), or Approval (waits for `slipway "
            "promote`)."
        ),
    ]
    weight: Annotated[WeightStep | None, doc("The Weight step.")] = None
    shadow: Annotated[ShadowStep | None, doc("The Shadow step.")] = None


class RollbackWindow(Spec, frozen=True, kw_only=True):
    revisions: Annotated[
        Annotated[int, Meta(ge=0, le=10)],
        doc("How many earlier revisions are kept without pods, to come back without analysis."),
    ] = defaults.ROLLBACK_REVISIONS
    max_age_seconds: Annotated[Seconds, doc("How old such a revision may be, in seconds.")] = (
        defaults.ROLLBACK_MAX_AGE_SECONDS
    )


class WarmUp(Spec, frozen=True, kw_only=True):
    requests: Annotated[
        Annotated[int, Meta(ge=0, le=10_000)],
        doc("Requests to a new pod that count for nothing."),
    ] = defaults.WARM_UP_REQUESTS
    seconds: Annotated[Seconds, doc("Seconds of a new pod that count for nothing.")] = (
        defaults.WARM_UP_SECONDS
    )


class ErrorRate(Spec, frozen=True, kw_only=True):
    tolerated: Annotated[Rate, doc("Share of failed requests that is always accepted.")]
    ceiling: Annotated[Rate | None, doc("Share of failed requests below which a step passes.")] = (
        None
    )
    relative: Annotated[
        PositiveDecimal | None,
        doc("Accepted ratio of the new revision's error rate to the stable's."),
    ] = None


class SlowFraction(Spec, frozen=True, kw_only=True):
    baseline_quantile: Annotated[
        Rate, doc("The stable's latency quantile above which a request is slow.")
    ]
    relative: Annotated[PositiveDecimal, doc("Accepted ratio of slow requests, new to stable.")]


class ViolationRate(Spec, frozen=True, kw_only=True):
    tolerated: Annotated[Rate, doc("Share of rows violating the contract that is always accepted.")]
    relative: Annotated[
        PositiveDecimal | None, doc("Accepted ratio of violations, new to stable.")
    ] = None


class Agreement(Spec, frozen=True, kw_only=True):
    minimum: Annotated[Rate, doc("Least share of shadowed requests with the same answer.")] = field(
        name="min"
    )
    tolerance: Annotated[
        PositiveDecimal | None,
        doc(
            "Difference of numbers that counts as the same, as a share of the stable's answer (of "
            "1 where that is less). Absent: 0.000001. Where an answer names a class, that decides."
        ),
    ] = None


class PredictionDrift(Spec, frozen=True, kw_only=True):
    maximum: Annotated[
        Rate, doc("Largest accepted distance of the two distributions of predictions.")
    ] = field(name="max")


class GroundTruthGate(Spec, frozen=True, kw_only=True):
    metric: Annotated[QualityMetric, doc("Quality measure, computed when the truth arrives.")]
    minimum: Annotated[
        Decimal,
        doc("Least accepted difference, new minus stable; negative allows a loss."),
    ]


class PrometheusRate(Spec, frozen=True, kw_only=True):
    good: Annotated[
        Query,
        doc(
            "PromQL of the counters of good events. {{revision}}, {{namespace}} and {{name}} are "
            "filled in."
        ),
    ]
    total: Annotated[
        Query, doc("PromQL of the counters of all events, of the same processes; as good.")
    ]


class Metric(Spec, frozen=True, kw_only=True):
    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=63,
            pattern=DNS_LABEL,
            description="Name of the metric, unique in the list.",
        ),
    ]
    type: Annotated[MetricType, doc("What is measured; the member of the same name says how.")]
    action: Annotated[
        MetricAction,
        doc("What a failed metric does: Abort the rollout, or only Warn."),
    ] = MetricAction.ABORT
    error_rate: Annotated[ErrorRate | None, doc("The ErrorRate metric.")] = None
    slow_fraction: Annotated[SlowFraction | None, doc("The SlowFraction metric.")] = None
    violation_rate: Annotated[ViolationRate | None, doc("The ViolationRate metric.")] = None
    agreement: Annotated[Agreement | None, doc("The Agreement metric.")] = None
    prediction_drift: Annotated[PredictionDrift | None, doc("The PredictionDrift metric.")] = None
    ground_truth: Annotated[GroundTruthGate | None, doc("The GroundTruth metric.")] = None
    prometheus: Annotated[PrometheusRate | None, doc("The Prometheus metric.")] = None


class Guardrails(Spec, frozen=True, kw_only=True):
    error_rate: Annotated[Rate, doc("Error rate that aborts at once.")] = (
        defaults.GUARDRAIL_ERROR_RATE
    )
    min_requests: Annotated[Count, doc("Requests before the error rate counts.")] = (
        defaults.GUARDRAIL_MIN_REQUESTS
    )
    crash_loop: Annotated[bool, doc("Whether a crash loop of the new pods aborts at once.")] = True


class Analysis(Spec, frozen=True, kw_only=True):
    false_abort: Annotated[
        Rate,
        doc("Bound on the chance that a healthy revision is ever aborted, over the whole rollout."),
    ] = defaults.FALSE_ABORT
    false_pass: Annotated[Rate, doc("Bound on the chance that a bad revision passes a step.")] = (
        defaults.FALSE_PASS
    )
    source: Annotated[
        MetricSource,
        doc(
            "Who is asked what the pods have counted. Pods: they themselves. Prometheus: that of "
            "the installation, which has to scrape them."
        ),
    ] = MetricSource.PODS
    on_unavailable: Annotated[OnUnavailable, doc("What to do while metrics cannot be read.")] = (
        OnUnavailable.HOLD
    )
    hold_timeout_seconds: Annotated[
        Seconds, doc("How long to hold before the rollout is paused.")
    ] = defaults.HOLD_TIMEOUT_SECONDS
    on_inconclusive: Annotated[
        OnInconclusive | None,
        doc(
            "What to do at a step's maxSeconds without a verdict. Absent: Proceed where the stable "
            "had no request in the step, else Pause."
        ),
    ] = None
    metrics: Annotated[
        tuple[Metric, ...],
        Meta(
            max_length=16,
            description="What a new revision is judged by. Absent: errors, latency and violations.",
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()
    guardrails: Annotated[Guardrails, doc("What aborts at once.")] = Guardrails()


# These very ones where a spec says nothing of it; what it says is another one, even if equal.
NO_WARM_UP: Final = WarmUp()
NO_ANALYSIS: Final = Analysis()


class Rollout(Spec, frozen=True, kw_only=True):
    strategy: Annotated[
        Strategy,
        doc(
            "How a new revision takes over. Canary: step by step. Shadow: first by copies of "
            "requests, then step by step. BlueGreen: all requests at once, and back if it does "
            "badly. Immediate: as soon as it is ready, without a look at how it does."
        ),
    ] = defaults.STRATEGY
    steps: Annotated[
        tuple[Step, ...],
        Meta(
            max_length=20,
            description="The way to 100 %, in order. Absent with Canary: 5, 25, 50, 100 %; with "
            "Shadow: copies of everything, an approval, and then the same.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    paused: Annotated[bool, doc("Holds the rollout where it is; abort detection goes on.")] = False
    stable_scale: Annotated[
        StableScale,
        doc("Full: the stable keeps its size. Dynamic: it shrinks as weight moves."),
    ] = StableScale.FULL
    scale_down_delay_seconds: Annotated[
        Seconds,
        doc("Least time an old revision stays after it lost its traffic, in seconds."),
    ] = defaults.SCALE_DOWN_DELAY_SECONDS
    abort_scale_down_delay_seconds: Annotated[
        Seconds, doc("How long an aborted revision stays for inspection, in seconds.")
    ] = defaults.ABORT_SCALE_DOWN_DELAY_SECONDS
    progress_deadline_seconds: Annotated[
        Seconds,
        doc("How long new pods may take to become ready, downloads excluded, in seconds."),
    ] = defaults.PROGRESS_DEADLINE_SECONDS
    rollback_window: Annotated[RollbackWindow, doc("Which revisions may come back at once.")] = (
        RollbackWindow()
    )
    on_new_revision: Annotated[
        OnNewRevision, doc("What a newer revision does to a running rollout.")
    ] = OnNewRevision.SUPERSEDE
    warm_up: Annotated[WarmUp, doc("What of a new pod is left out of the evidence.")] = NO_WARM_UP
    analysis: Annotated[Analysis, doc("The evidence that gates every step.")] = NO_ANALYSIS
