"""The parts of `.status` that a rollout, its analysis and the autoscaler write."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from slipway_operator.api.base import doc

SHORT = 253
Short = Annotated[str, Meta(max_length=SHORT)]
Words = Annotated[str, Meta(max_length=8192)]  # more than a build report can hold
Time = Annotated[str, Meta(max_length=32, extra_json_schema={"format": "date-time"})]
Counter = Annotated[int, Meta(ge=0)]
MILLION = 1_000_000
MOST_EXAMPLES = 5
MOST_SEGMENTS = 5
EXAMPLE_CHARACTERS = 500
Example = Annotated[str, Meta(max_length=EXAMPLE_CHARACTERS)]


class Part(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all parts of the status: immutable, camelCase, absent members stay absent.

    Unknown members are ignored when read: a newer version may have written them.
    """


class RolloutState(StrEnum):
    PENDING = "Pending"
    INITIALIZING = "Initializing"
    STABLE = "Stable"
    PREPARING = "Preparing"
    SHADOWING = "Shadowing"
    SCALING = "Scaling"
    SHIFTING = "Shifting"
    VERIFYING = "Verifying"
    OBSERVING = "Observing"
    HELD = "Held"
    PAUSED = "Paused"
    PROMOTING = "Promoting"
    DRAINING = "Draining"
    ABORTING = "Aborting"
    ROLLED_BACK = "RolledBack"
    SUPERSEDING = "Superseding"


class Outcome(StrEnum):
    PROMOTED = "Promoted"
    FAST_PROMOTED = "FastPromoted"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"
    ROLLED_BACK = "RolledBack"


class Verdict(StrEnum):
    PASS = "Pass"  # noqa: S105 - a verdict, not a secret
    FAIL = "Fail"
    INSUFFICIENT = "Insufficient"
    UNAVAILABLE = "Unavailable"


class Weights(Part, frozen=True, kw_only=True):
    """Share of the new revision, in millionths."""

    desired: Annotated[int, Meta(ge=0, le=MILLION, description="What the step asks for.")]
    programmed: Annotated[int, Meta(ge=0, le=MILLION, description="What the route was told.")]
    observed: Annotated[
        Annotated[int, Meta(ge=0, le=MILLION)] | None, doc("What the pods counted.")
    ] = None


class RolloutStatus(Part, frozen=True, kw_only=True):
    attempt: Annotated[Counter, doc("How often this revision was tried.")] = 0
    state: Annotated[RolloutState, doc("Where the rollout is.")] = RolloutState.PENDING
    step_index: Annotated[Counter, doc("Index of the current step.")] = 0
    started_at: Annotated[Time | None, doc("When the rollout began.")] = None
    step_started_at: Annotated[Time | None, doc("When the current step began.")] = None
    weights: Annotated[Weights | None, doc("Share of the new revision, in millionths.")] = None
    shadow: Annotated[
        int,
        Meta(ge=0, le=MILLION, description="Share of the requests copied to it, in millionths."),
    ] = 0
    path: Annotated[Short | None, doc("Hash of the steps that it follows.")] = None
    held_since: Annotated[Time | None, doc("Since when it is held.")] = None
    paused: Annotated[Short | None, doc("Why it is paused, as a reason of the catalogue.")] = None
    reason: Annotated[Short | None, doc("Why it stands or ended where it did.")] = None
    message: Annotated[Words | None, doc("The same as a sentence.")] = None
    outcome: Annotated[Outcome | None, doc("How the last rollout ended.")] = None
    target: Annotated[Short | None, doc("Revision that a rollback brings back.")] = None


class Counts(Part, frozen=True, kw_only=True):
    total: Annotated[Counter, doc("Requests, or rows.")]
    bad: Annotated[Counter, doc("Bad ones among them.")]


class MetricEvidence(Part, frozen=True, kw_only=True):
    name: Annotated[Short, doc("Name of the metric.")]
    verdict: Annotated[Verdict, doc("What the evidence says.")]
    evidence: Annotated[Short | None, doc("Evidence against, as a ratio.")] = None
    threshold: Annotated[Short | None, doc("Evidence at which it is decided.")] = None
    canary: Annotated[Counts | None, doc("Counts of the new revision.")] = None
    stable: Annotated[Counts | None, doc("Counts of the stable revision.")] = None
    estimate: Annotated[Short | None, doc("The value as estimated.")] = None
    interval: Annotated[
        tuple[Short, ...],
        Meta(
            max_length=2,
            description="Lower and upper bound.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    eta_seconds: Annotated[Counter | None, doc("Expected time to a verdict, in seconds.")] = None
    cursor: Annotated[Words | None, doc("State of the test, for a restart.")] = None


class ShadowExample(Part, frozen=True, kw_only=True):
    request_id: Annotated[Example, doc("Id of the request, as the gateway gave it.")]
    inputs: Annotated[
        Example | None, doc("Inputs of the row, as JSON, cut after 500 characters.")
    ] = None
    stable: Annotated[Example, doc("What the stable revision answered, as JSON, or its HTTP code.")]
    canary: Annotated[Example, doc("What the new revision answered, as JSON, or its HTTP code.")]


class ShadowSegment(Part, frozen=True, kw_only=True):
    column: Annotated[Short, doc("Column of the inputs.")]
    value: Annotated[Short, doc("Value of the column, or a range of numbers.")]
    pairs: Annotated[Counter, doc("Rows with it that both revisions answered.")]
    disagreements: Annotated[Counter, doc("Those of them that were answered otherwise.")]


class ShadowEvidence(Part, frozen=True, kw_only=True):
    """What the answers to copied requests say."""

    pairs: Annotated[Counter, doc("Requests of which both answers were compared.")]
    disagreements: Annotated[Counter, doc("Those of them that were answered otherwise.")]
    unmatched: Annotated[Counter, doc("Answers to copies whose originals were not told.")] = 0
    examples: Annotated[
        tuple[ShadowExample, ...],
        Meta(
            max_length=MOST_EXAMPLES,
            description="The answers that are the furthest apart.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    segments: Annotated[
        tuple[ShadowSegment, ...],
        Meta(
            max_length=MOST_SEGMENTS,
            description="Values that explain most of the disagreements, best first.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()


class Analysis(Part, frozen=True, kw_only=True):
    verdict: Annotated[Verdict, doc("The worst verdict of the gating metrics.")]
    at: Annotated[Time | None, doc("When it was computed.")] = None
    metrics: Annotated[
        tuple[MetricEvidence, ...],
        Meta(
            max_length=16,
            description="The evidence for each metric.",
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()
    shadow: Annotated[ShadowEvidence | None, doc("What the answers to copied requests say.")] = None


class Scaling(Part, frozen=True, kw_only=True):
    desired: Annotated[Counter, doc("Pods wanted for the stable revision.")] = 0
    measured: Annotated[Short | None, doc("The load as measured.")] = None
    last_scaled_at: Annotated[Time | None, doc("When the number last changed.")] = None


class Traffic(Part, frozen=True, kw_only=True):
    controller: Annotated[Short | None, doc("The gateway's controller.")] = None
    capabilities: Annotated[
        tuple[Short, ...],
        Meta(
            max_length=32,
            description="What it is known to do.",
            extra_json_schema={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    split_evidence: Annotated[Short | None, doc("Evidence against the split of requests.")] = None


class Command(Part, frozen=True, kw_only=True):
    id: Annotated[Short, doc("Id of the command.")]
    by: Annotated[Short | None, doc("Who gave it.")] = None
    result: Annotated[Short | None, doc("Accepted or Refused.")] = None
    message: Annotated[Words | None, doc("Why.")] = None


class HistoryEntry(Part, frozen=True, kw_only=True):
    revision: Annotated[Short, doc("Hash of the revision.")]
    outcome: Annotated[Outcome, doc("How its rollout ended.")]
    reason: Annotated[Short | None, doc("Why.")] = None
    started_at: Annotated[Time | None, doc("When it began.")] = None
    finished_at: Annotated[Time | None, doc("When it ended.")] = None
