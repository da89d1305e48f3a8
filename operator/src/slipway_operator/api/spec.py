"""The whole spec of a ModelDeployment, as typed values: the one source of truth.

The CRD, the reference page and the checks are generated from these Structs. Only `spec.model.uri`
is required; a field left out has the default given here (from `defaults`), and None means absent.
Amounts carry their unit in the name. What a change sets off (`Effect`) stands at the fields of
`ModelDeploymentSpec` and holds for all below.
"""

from typing import Annotated

from msgspec import Meta, field

from slipway_operator.api import defaults
from slipway_operator.api.base import Spec, doc
from slipway_operator.api.spec_pod import PodTemplate
from slipway_operator.api.spec_rollout import Rollout
from slipway_operator.api.vocabulary import (
    REGION,
    AutoscalingClass,
    BatchingMode,
    ContractRuleName,
    DependencyType,
    Digest,
    DriftMode,
    Effect,
    Format,
    Hostname,
    LabelName,
    LogMode,
    NamespaceName,
    ObjectName,
    Policy,
    QualityMetric,
    Quantity,
    Rate,
    RevisionOverride,
    Runtime,
    Seconds,
    Text,
    Unpickle,
    Uri,
)


class Reference(Spec, frozen=True, kw_only=True):
    name: Annotated[ObjectName, doc("Name of the object, in the same namespace.")]


class BundleReference(Spec, frozen=True, kw_only=True):
    name: Annotated[ObjectName, doc("Name of the ConfigMap, in the same namespace.")]
    key: Annotated[Text, doc("Key that holds the PEM certificates.")] = "ca.crt"


class Access(Spec, frozen=True, kw_only=True):
    secret_ref: Annotated[
        Reference | None,
        doc("Secret whose keys are the tools' environment names, such as AWS_ACCESS_KEY_ID."),
    ] = None
    service_account_name: Annotated[
        ObjectName | None,
        doc("ServiceAccount with an identity of the cloud, instead of a Secret."),
    ] = None
    endpoint: Annotated[
        Uri | None, doc("Where an s3, gs or az store answers, as an https URL.")
    ] = None
    region: Annotated[
        Annotated[str, Meta(min_length=1, max_length=63, pattern=REGION)] | None,
        doc("Region of an s3 store."),
    ] = None
    ca_bundle_ref: Annotated[
        BundleReference | None, doc("ConfigMap with the certificates to trust.")
    ] = None


class Samples(Spec, frozen=True, kw_only=True):
    uri: Annotated[
        Uri,
        doc("Where the rows are: CSV, JSON or Parquet, shaped like the training rows."),
    ]
    digest: Annotated[Digest | None, doc("Digest the rows must have, as sha256:HEX.")] = None


class Model(Spec, frozen=True, kw_only=True):
    uri: Annotated[
        Uri,
        doc(
            "Where the model is: https, s3, gs, az or oci; file only on a laptop, pvc only on a "
            "cluster."
        ),
    ]
    digest: Annotated[
        Digest | None,
        doc(
            "Digest the model must have, as sha256:HEX. Absent: resolved once and frozen in status."
        ),
    ] = None
    samples: Annotated[
        Samples | None,
        doc("Rows like the training rows: for parity, contract, baseline and warm-up."),
    ] = None
    format: Annotated[Format, doc("What the file is. Auto: found out from its content.")] = (
        Format.AUTO
    )
    runtime: Annotated[
        Runtime,
        doc("Auto: ONNX when proven equal, else Native. ONNX and Native: that one or a refusal."),
    ] = Runtime.AUTO
    unpickle: Annotated[
        Unpickle,
        doc(
            "Whether a pickle, or a type that skops does not trust, may be opened, and then only "
            "inside the sandbox."
        ),
    ] = Unpickle.SANDBOXED
    packages: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=253)], ...],
        Meta(
            max_length=64,
            description="What the model needs to be opened, each NAME==VERSION: the versions "
            "that trained it, packages with classes of its own. Absent: read from the artifact.",
            extra_json_schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    access: Annotated[Access, doc("How to reach the model and the samples.")] = Access()


class Batching(Spec, frozen=True, kw_only=True):
    mode: Annotated[BatchingMode, doc("Auto: where it costs no time and changes no answer.")] = (
        BatchingMode.AUTO
    )
    max_rows: Annotated[Annotated[int, Meta(ge=1, le=100_000)], doc("Most rows of one batch.")] = (
        defaults.BATCH_ROWS
    )
    max_delay_milliseconds: Annotated[
        Annotated[int, Meta(ge=0, le=10_000)],
        doc("Longest wait for more rows, in milliseconds."),
    ] = defaults.BATCH_DELAY_MILLISECONDS


Quantities = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=317)], Quantity], Meta(max_length=8)
]


class Resources(Spec, frozen=True, kw_only=True):
    requests: Annotated[
        Quantities, doc("What a pod is sure to get. Absent: cpu 250m and memory 256Mi.")
    ] = field(default_factory=dict)
    limits: Annotated[Quantities, doc("What a pod may use at most. Absent: memory 512Mi.")] = field(
        default_factory=dict
    )


class Serving(Spec, frozen=True, kw_only=True):
    timeout_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=3600)],
        doc("Longest time for an answer, in seconds."),
    ] = defaults.TIMEOUT_SECONDS
    max_request_bytes: Annotated[
        Annotated[int, Meta(ge=1024, le=1_073_741_824)],
        doc("Largest request body, in bytes."),
    ] = defaults.MAX_REQUEST_BYTES
    max_batch_rows: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)], doc("Most rows in one request.")
    ] = defaults.MAX_BATCH_ROWS
    batching: Annotated[
        Batching, doc("Whether rows of several requests are computed together.")
    ] = Batching()
    resources: Annotated[Resources, doc("CPU and memory of a serving pod.")] = Resources()
    pod_template: Annotated[
        PodTemplate,
        doc("What else of the pod may be shaped: a closed list of fields."),
    ] = PodTemplate()


class ContractRule(Spec, frozen=True, kw_only=True):
    column: Annotated[Text, doc("Column of the model.")]
    rule: Annotated[ContractRuleName, doc("Which violation is meant.")]
    on_violation: Annotated[Policy, doc("What happens to a row that violates it.")]
    value: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        doc("With Default: the value used instead, read with the column's type."),
    ] = None


class Contract(Spec, frozen=True, kw_only=True):
    on_violation: Annotated[
        Policy,
        doc("What happens to a row that violates the contract and has no rule of its own."),
    ] = Policy.WARN
    rules: Annotated[
        tuple[ContractRule, ...],
        Meta(
            max_length=256,
            description="Rules for single columns.",
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["column", "rule"],
            },
        ),
    ] = ()


class GatewayReference(Spec, frozen=True, kw_only=True):
    name: Annotated[ObjectName, doc("Name of the Gateway.")] = defaults.GATEWAY_NAME
    namespace: Annotated[NamespaceName, doc("Namespace of the Gateway.")] = (
        defaults.GATEWAY_NAMESPACE
    )


class Traffic(Spec, frozen=True, kw_only=True):
    gateway: Annotated[
        GatewayReference | None,
        doc("The Gateway that carries the requests; absent: the installation's."),
    ] = None
    hostnames: Annotated[
        tuple[Hostname, ...],
        Meta(
            max_length=16,
            description="More host names, as far as the namespace is allowed to use them.",
            extra_json_schema={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    revision_override: Annotated[
        RevisionOverride,
        doc(
            "Token: a request whose header x-slipway-revision is the token of the Secret "
            "NAME-override goes to the new revision, before anybody else."
        ),
    ] = RevisionOverride.OFF


class AutoscalingTarget(Spec, frozen=True, kw_only=True):
    concurrency: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)] | None,
        doc("Requests in flight for each pod."),
    ] = None
    requests_per_second: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        doc("Requests per second for each pod."),
    ] = None
    cpu_utilization_percent: Annotated[
        Annotated[int, Meta(ge=1, le=100)] | None,
        doc("CPU use as a share of the request."),
    ] = None
    queue_depth: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)] | None,
        doc("Waiting requests for each pod."),
    ] = None


class Autoscaling(Spec, frozen=True, kw_only=True):
    class_: Annotated[AutoscalingClass, doc("Who scales: Slipway itself, an HPA, or KEDA.")] = (
        field(default=AutoscalingClass.SLIPWAY, name="class")
    )
    min_replicas: Annotated[
        Annotated[int, Meta(ge=0, le=1000)],
        doc("Fewest pods of a revision. 0: scale to zero."),
    ] = defaults.MIN_REPLICAS
    max_replicas: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        doc("Most pods of a revision. A rollout may reach twice that."),
    ] = defaults.MAX_REPLICAS
    idle_seconds: Annotated[Seconds, doc("Time without requests before zero, in seconds.")] = (
        defaults.IDLE_SECONDS
    )
    target: Annotated[
        AutoscalingTarget, doc("Exactly one of its members. Absent: concurrency 4.")
    ] = AutoscalingTarget(concurrency=defaults.CONCURRENCY)


class PredictionLog(Spec, frozen=True, kw_only=True):
    mode: Annotated[LogMode, doc("How sure a record is before the answer goes out.")] = (
        LogMode.BEST_EFFORT
    )
    sample_ratio: Annotated[Rate, doc("Share of requests that is recorded.")] = "1"
    redact: Annotated[
        tuple[Text, ...],
        Meta(
            max_length=256,
            description="Columns that are recorded as hashes only.",
            extra_json_schema={"x-kubernetes-list-type": "set"},
        ),
    ] = ()


class Drift(Spec, frozen=True, kw_only=True):
    mode: Annotated[DriftMode, doc("Warn: drift of the inputs shows in DataHealthy.")] = (
        DriftMode.WARN
    )
    window_seconds: Annotated[Seconds, doc("Length of the window compared, in seconds.")] = 3600


class GroundTruth(Spec, frozen=True, kw_only=True):
    metric: Annotated[QualityMetric, doc("Quality measure, computed when the truth arrives.")]
    max_delay_seconds: Annotated[Seconds, doc("How late the truth may arrive, in seconds.")] = (
        86_400
    )


class Monitoring(Spec, frozen=True, kw_only=True):
    log: Annotated[PredictionLog, doc("The prediction log.")] = PredictionLog()
    drift: Annotated[Drift, doc("Watching the inputs.")] = Drift()
    ground_truth: Annotated[GroundTruth | None, doc("The truth that arrives late.")] = None


class SQLDependency(Spec, frozen=True, kw_only=True):
    url: Annotated[Uri, doc("Database URL without user and password.")]
    access: Annotated[Access, doc("Secret with username and password.")] = Access()


class Dependency(Spec, frozen=True, kw_only=True):
    name: Annotated[LabelName, doc("Name of the dependency, unique in the list.")]
    type: Annotated[DependencyType, doc("What it is; the member of the same name says where.")]
    sql: Annotated[SQLDependency | None, doc("The SQL dependency.")] = None


class ModelDeploymentSpec(Spec, frozen=True, kw_only=True):
    model: Annotated[
        Model,
        doc(
            "The model, and how it becomes a served one.",
            effect=Effect.BUILD,
        ),
    ]
    serving: Annotated[Serving, doc("The pods that answer.", effect=Effect.REVISION)] = Serving()
    contract: Annotated[
        Contract,
        doc(
            "What happens to rows unlike the training rows.",
            effect=Effect.REVISION,
        ),
    ] = Contract()
    traffic: Annotated[Traffic, doc("How requests arrive.", effect=Effect.LIVE)] = Traffic()
    replicas: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        doc(
            "A fixed number of pods, also set by `kubectl scale`. Absent without autoscaling: 1.",
            effect=Effect.LIVE,
        ),
    ] = None
    autoscaling: Annotated[
        Autoscaling | None,
        doc(
            "Number of pods by load, instead of replicas.",
            effect=Effect.LIVE,
        ),
    ] = None
    rollout: Annotated[Rollout, doc("How a new revision takes over.", effect=Effect.LIVE)] = (
        Rollout()
    )
    monitoring: Annotated[Monitoring, doc("What is watched and recorded.", effect=Effect.LIVE)] = (
        Monitoring()
    )
    dependencies: Annotated[
        tuple[Dependency, ...],
        Meta(
            max_length=16,
            description="Systems the model needs; they never feed a pod's probe.",
            extra={"effect": Effect.REVISION},
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = ()


class Metadata(Spec, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What is needed of Kubernetes' metadata; the rest is ignored."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class ModelDeployment(Spec, frozen=True, kw_only=True):
    """One ModelDeployment as asked for, fully resolved: every default is filled in."""

    metadata: Metadata
    spec: ModelDeploymentSpec
