"""The whole `.status` of a ModelDeployment, as typed values.

`plan` computes it anew each time and writes it in one piece; `read_status` gives back what was
written before. Nothing here is a decision. Times are RFC 3339 in UTC, whole seconds. What is absent
is None or empty and stays out of the JSON.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from slipway_operator.api.base import doc
from slipway_operator.api.conditions import Condition
from slipway_operator.api.status_rollout import (
    Analysis,
    Command,
    HistoryEntry,
    Part,
    RolloutStatus,
    Scaling,
    Time,
    Traffic,
    Words,
)

Short = Annotated[str, Meta(max_length=253)]
Hash = Annotated[str, Meta(max_length=64)]
Counter = Annotated[int, Meta(ge=0)]
ATOMIC = {"x-kubernetes-list-type": "atomic"}


class Role(StrEnum):
    STABLE = "Stable"
    CANARY = "Canary"
    PREVIOUS = "Previous"


class Addresses(Part, frozen=True, kw_only=True):
    public: Annotated[Words | None, doc("URL through the gateway.")] = None
    in_cluster: Annotated[Words | None, doc("URL of the Service.")] = None
    grpc: Annotated[Short | None, doc("HOST:PORT for gRPC.")] = None


class Display(Part, frozen=True, kw_only=True):
    """What the printer columns show, ready to print."""

    step: Annotated[Short | None, doc("Step of the rollout, such as 2/5.")] = None
    stable: Annotated[Short | None, doc("First 4 characters of the stable revision.")] = None
    canary: Annotated[Short | None, doc("First 4 characters of the new revision.")] = None
    weight_percent: Annotated[Short | None, doc("Share of requests of the new revision.")] = None
    faults: Annotated[Counter | None, doc("Number of open faults.")] = None
    runtime: Annotated[Short | None, doc("ONNX or Native, of the stable revision.")] = None
    since: Annotated[Time | None, doc("Since when Ready is what it is.")] = None


class ResolvedModel(Part, frozen=True, kw_only=True):
    """The model as it was found once; asked again only when the inputs change (or by `refresh`)."""

    uri: Annotated[Words | None, doc("Where it was found, without credentials.")] = None
    digest: Annotated[Short | None, doc("Digest of the model's bytes.")] = None
    samples_digest: Annotated[Short | None, doc("Digest of the samples' bytes.")] = None
    format: Annotated[Short | None, doc("Format, as found from the content.")] = None
    inputs_hash: Annotated[Hash | None, doc("Hash of the uri, digest and samples asked for.")] = (
        None
    )


class Fallback(Part, frozen=True, kw_only=True):
    reason: Annotated[Short, doc("Why the model is served natively.")]
    message: Annotated[Words, doc("The cause, in a sentence.")]


class Parity(Part, frozen=True, kw_only=True):
    verdict: Annotated[Short, doc("Verified, Exceeded, NotVerified or NotNeeded.")]
    rows: Annotated[Counter, doc("Number of rows compared.")] = 0
    max_absolute_error: Annotated[float | None, doc("Largest difference of any output.")] = None
    label_flips: Annotated[Counter, doc("Rows whose label differs.")] = 0


class ContractSummary(Part, frozen=True, kw_only=True):
    columns: Annotated[Counter, doc("Number of columns.")] = 0
    categorical: Annotated[Counter, doc("Number of columns with known categories.")] = 0


class Report(Part, frozen=True, kw_only=True):
    """What the last finished build step said."""

    step: Annotated[Short | None, doc("Name of the step: fetch, convert or publish.")] = None
    ok: Annotated[bool, doc("Whether it succeeded.")] = False
    reason: Annotated[Short | None, doc("Why it failed.")] = None
    message: Annotated[Words | None, doc("Why it failed, in a sentence.")] = None
    retryable: Annotated[bool, doc("Whether the same input may succeed later.")] = False
    estimator: Annotated[Words | None, doc("What the model is.")] = None
    task: Annotated[Short | None, doc("What it is for, such as Classification.")] = None
    runtime: Annotated[Short | None, doc("ONNX or Native, as the build decided.")] = None
    contract: Annotated[ContractSummary | None, doc("What the model expects.")] = None
    fallback: Annotated[Fallback | None, doc("Why it is not ONNX.")] = None
    parity: Annotated[Parity | None, doc("How the converted model compares with the original.")] = (
        None
    )


class Build(Part, frozen=True, kw_only=True):
    hash: Annotated[Hash | None, doc("Hash of everything that goes into the build.")] = None
    stage: Annotated[
        Short | None, doc("Last stage reached: Fetched, Converted, Verified, Packaged, Serving.")
    ] = None
    attempt: Annotated[Counter, doc("How often it was started.")] = 0
    job: Annotated[Short | None, doc("Name of the Job.")] = None
    artifact: Annotated[Words | None, doc("Address of the built artifact.")] = None
    started_at: Annotated[Time | None, doc("When the current attempt began.")] = None
    finished_at: Annotated[Time | None, doc("When the last attempt ended.")] = None
    report: Annotated[Report | None, doc("The report of the last finished step.")] = None


class Revision(Part, frozen=True, kw_only=True):
    hash: Annotated[Short, doc("Hash of the revision, as in its children's names.")]
    role: Annotated[Role, doc("Stable, Canary or Previous.")]
    model: Annotated[Short | None, doc("Digest of the model.")] = None
    artifact: Annotated[Words | None, doc("Address of the artifact it serves.")] = None
    runtime: Annotated[Short | None, doc("ONNX or Native.")] = None
    ready: Annotated[Counter, doc("Pods that are ready.")] = 0
    desired: Annotated[Counter, doc("Pods that are wanted.")] = 0
    verified_at: Annotated[Time | None, doc("When it first answered through the gateway.")] = None
    retired_at: Annotated[Time | None, doc("Since when no request goes to it.")] = None
    served_until: Annotated[
        Time | None, doc("When another one took its place: until then it answered all requests.")
    ] = None


class Fault(Part, frozen=True, kw_only=True):
    signature: Annotated[Words, doc("What it is, such as UnknownCategory/country=XK.")]
    count: Annotated[Counter, doc("How often it was seen.")] = 0
    first_seen: Annotated[Time | None, doc("When it was first seen.")] = None
    last_seen: Annotated[Time | None, doc("When it was last seen.")] = None


class Status(Part, frozen=True, kw_only=True):
    """The whole status. `Status()` is the status of an object that was never looked at."""

    observed_generation: Annotated[Counter, doc("Generation of the spec this speaks of.")] = 0
    url: Annotated[Words | None, doc("Works as printed, in curl, Python and gRPC.")] = None
    addresses: Annotated[Addresses | None, doc("Every way to reach it.")] = None
    replicas: Annotated[Counter, doc("Pods of the stable revision.")] = 0
    selector: Annotated[Words | None, doc("Label selector of these pods.")] = None
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=16,
            description="What is true of it.",
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    display: Annotated[Display | None, doc("What `kubectl get` prints.")] = None
    since: Annotated[Time | None, doc("Since when Ready is what it is.")] = None
    runtime: Annotated[Short | None, doc("ONNX or Native, of the stable revision.")] = None
    model: Annotated[ResolvedModel | None, doc("The model as it was found.")] = None
    build: Annotated[Build | None, doc("The last build.")] = None
    contract: Annotated[ContractSummary | None, doc("What the stable revision expects.")] = None
    stable_revision: Annotated[Short | None, doc("Hash of the revision that answers.")] = None
    canary_revision: Annotated[Short | None, doc("Hash of the revision on its way.")] = None
    revisions: Annotated[
        tuple[Revision, ...],
        Meta(
            max_length=16,
            description="The revisions that exist.",
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["hash"],
            },
        ),
    ] = ()
    rejected_digests: Annotated[
        tuple[Short, ...],
        Meta(
            max_length=16,
            description="Models that were rolled back and are not tried again.",
            extra_json_schema=ATOMIC,
        ),
    ] = ()
    collision_count: Annotated[Counter, doc("Added to the revision hash after a collision.")] = 0
    rollout: Annotated[RolloutStatus | None, doc("Where the rollout is.")] = None
    analysis: Annotated[Analysis | None, doc("The evidence so far.")] = None
    scaling: Annotated[Scaling | None, doc("What the autoscaler sees.")] = None
    traffic: Annotated[Traffic | None, doc("What the gateway was told and says.")] = None
    last_command: Annotated[Command | None, doc("The last command and its result.")] = None
    history: Annotated[
        tuple[HistoryEntry, ...],
        Meta(max_length=10, description="Past rollouts, newest first.", extra_json_schema=ATOMIC),
    ] = ()
    faults: Annotated[
        tuple[Fault, ...],
        Meta(max_length=10, description="The worst open faults.", extra_json_schema=ATOMIC),
    ] = ()


def read_status(status: Mapping[str, Any] | None) -> Status:
    """The status written before; a member that cannot be read counts as never written.

    Status is a cache (api rules: with status lost, everything is rebuilt from the children), so a
    damaged one costs knowledge and never an error.
    """
    found = {} if status is None else status
    readable = {}
    for name in (field.encode_name for field in msgspec.structs.fields(Status)):
        try:
            readable[name] = found[name]
            msgspec.convert({name: found[name]}, Status)
        except (KeyError, msgspec.ValidationError):
            readable.pop(name, None)
    return msgspec.convert(readable, Status)


def render_status(status: Status) -> dict[str, Any]:
    """The JSON that is written: nothing that is absent, keys in a fixed order, lists as lists."""
    return dict(msgspec.json.decode(msgspec.json.encode(status)))
