"""Conditions: the closed set of types, and the rules by which they change.

Each plan states what is true now (`Verdict`s); `advance_conditions` turns that into the list that
is written. lastTransitionTime moves only when the status (True, False, Unknown) changes, never for
another reason or message; a condition no longer stated goes away; the order is that of the types.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from slipway_operator.api.base import doc

MESSAGE_LIMIT: Final = 1024


class ConditionType(StrEnum):
    """True is good, except for the last two, which are as kstatus wants them."""

    READY = "Ready"
    AVAILABLE = "Available"
    UP_TO_DATE = "UpToDate"
    MODEL_READY = "ModelReady"
    TRAFFIC_PROGRAMMED = "TrafficProgrammed"
    ANALYSIS_HEALTHY = "AnalysisHealthy"
    METRICS_AVAILABLE = "MetricsAvailable"
    SCALING_ACTIVE = "ScalingActive"
    DATA_HEALTHY = "DataHealthy"
    DEPENDENCIES_READY = "DependenciesReady"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Struct, frozen=True, kw_only=True, rename="camel"):
    """A condition as it is written (Kubernetes' metav1.Condition)."""

    type: Annotated[ConditionType, doc("What it is about.")]
    status: Annotated[ConditionStatus, doc("True, False or Unknown.")]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=128,
            pattern="^[A-Z][A-Za-z0-9]*$",
            description="Why, as one word of the catalogue.",
        ),
    ]
    message: Annotated[
        str, Meta(max_length=MESSAGE_LIMIT, description="Why, as a sentence with the numbers.")
    ]
    observed_generation: Annotated[
        int, Meta(ge=0, description="Generation of the spec that it speaks of.")
    ]
    last_transition_time: Annotated[
        str,
        Meta(
            max_length=32,
            description="When the status last changed.",
            extra_json_schema={"format": "date-time"},
        ),
    ]


class Verdict(Struct, frozen=True, kw_only=True):
    """What is true now: `message` is a whole sentence and is cut at 1024 characters."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str


def advance_conditions(
    *,
    previous: Iterable[Condition],
    verdicts: Iterable[Verdict],
    generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """The conditions to write. Where a type is stated twice, the last one holds."""
    before = {condition.type: condition for condition in previous}
    stated = {verdict.type: verdict for verdict in verdicts}
    return tuple(
        advance_condition(
            previous=before.get(kind), verdict=stated[kind], generation=generation, now=now
        )
        for kind in ConditionType
        if kind in stated
    )


def advance_condition(
    *, previous: Condition | None, verdict: Verdict, generation: int, now: datetime
) -> Condition:
    """One condition: the time is kept as long as the status is the same."""
    kept = previous is not None and previous.status is verdict.status
    return Condition(
        type=verdict.type,
        status=verdict.status,
        reason=verdict.reason,
        message=_cut(verdict.message),
        observed_generation=generation,
        last_transition_time=previous.last_transition_time
        if previous is not None and kept
        else render_time(now),
    )


def find_condition(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of this type, or None."""
    return next((condition for condition in conditions if condition.type is kind), None)


def render_time(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: `2026-03-04T09:12:00Z`. `moment` must carry its zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cut(message: str) -> str:
    return message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
