"""The wire contract: every name that the control side and the data side both must know.

The two distributions never import each other; this file stands in both, byte for byte the same
(a test compares them). It holds constants only. docs/wire.md tells what each one means.
"""

from typing import Final

# ── Environment of a build step and of a serving process ─────────────────────────────────────
ENV_WORK_DIR: Final = "SLIPWAY_WORK_DIR"
ENV_TERMINATION_LOG: Final = "SLIPWAY_TERMINATION_LOG"
ENV_BUILD: Final = "SLIPWAY_BUILD"  # JSON: what to build, see docs/wire.md
ENV_ARTIFACT: Final = "SLIPWAY_ARTIFACT"  # STORE@sha256:… as `publish` reported it
ENV_ARTIFACT_STORE: Final = "SLIPWAY_ARTIFACT_STORE"  # oci-layout:///FOLDER, oci://HOST/PREFIX
ENV_REGISTRY_DIR: Final = "SLIPWAY_REGISTRY_DIR"  # a file a credential of the registry
ENV_SECRETS_DIR: Final = "SLIPWAY_SECRETS_DIR"  # a file a key
ENV_FETCH_ALLOW: Final = "SLIPWAY_FETCH_ALLOW"  # the administrator's exceptions: HOST:PORT[,…]
ENV_MODEL_DIR: Final = "SLIPWAY_MODEL_DIR"
ENV_ENVIRONMENTS: Final = "SLIPWAY_ENVIRONMENTS"  # a folder that keeps training environments
ENV_SERVING: Final = "SLIPWAY_SERVING"  # JSON: how to serve, see docs/wire.md
ENV_BIND: Final = "SLIPWAY_BIND"
ENV_PORT_HTTP: Final = "SLIPWAY_PORT_HTTP"
ENV_PORT_METRICS: Final = "SLIPWAY_PORT_METRICS"
ENV_MODEL_NAME: Final = "SLIPWAY_MODEL_NAME"
ENV_REVISION: Final = "SLIPWAY_REVISION"

# ── Ports and paths ──────────────────────────────────────────────────────────────────────────
PORT_HTTP: Final = 8080
PORT_METRICS: Final = 9090
PORT_NAME_HTTP: Final = "http"
PORT_NAME_METRICS: Final = "metrics"
PATH_READY: Final = "/v2/health/ready"
PATH_LIVE: Final = "/v2/health/live"
PATH_PREDICT: Final = "/predict"
PATH_METRICS: Final = "/metrics"
PATH_ANSWERS: Final = "/answers"  # on the port of the metrics: answers to compare
MOUNT_WORK: Final = "/slipway/work"
MOUNT_MODEL: Final = "/slipway/model"
MOUNT_REGISTRY: Final = "/slipway/registry"
MOUNT_SECRETS: Final = "/slipway/secrets"
MOUNT_CLAIMS: Final = "/slipway/claims"  # a folder a PersistentVolumeClaim, for `fetch` alone
TERMINATION_LOG: Final = "/dev/termination-log"

# ── Headers ──────────────────────────────────────────────────────────────────────────────────
HEADER_REVISION: Final = "x-model-revision"  # set by the route, returned in answers, never matched
HEADER_OVERRIDE: Final = "x-slipway-revision"  # only with traffic.revisionOverride: Token
HEADER_FORCED: Final = "x-slipway-forced"
HEADER_REQUEST_ID: Final = "x-request-id"

# ── Where a request came from (label `source` of what is counted) ────────────────────────────
SOURCE_ROUTE: Final = "route"  # the route chose this revision
SOURCE_MIRROR: Final = "mirror"  # a copy: the route chose another revision, which answers the user
SOURCE_FORCED: Final = "forced"  # the caller chose this revision
SOURCE_DIRECT: Final = "direct"  # not through the route

# ── Formats on disk ──────────────────────────────────────────────────────────────────────────
MANIFEST_SCHEMA: Final = "slipway.dev/manifest/v1"
REPORT_SCHEMA: Final = "slipway.dev/report/v1"
ARTIFACT_TYPE: Final = "application/vnd.slipway.model.v1"
MAX_TERMINATION_BYTES: Final = 4096

# ── Build steps, in order, and the stages their reports complete ─────────────────────────────
STEPS: Final = ("fetch", "convert", "publish")
STAGES: Final = ("Fetched", "Converted", "Verified", "Packaged", "Serving")

# ── Why a build can fail (the closed set that a report may carry) ────────────────────────────
BUILD_REASONS: Final = (
    "ArchiveTooLarge",
    "ArchiveUnsafe",
    "BuildInterrupted",
    "ConversionUnsupported",
    "DeadlineExceeded",
    "DigestMismatch",
    "DiskFull",
    "FetchTimeout",
    "ModelAccessDenied",
    "ModelNotFound",
    "ModelRejected",
    "ModelTooLarge",
    "ModelUnreadable",
    "ModelUnsafe",
    "ModelVersionMismatch",
    "OutOfMemory",
    "ParityExceeded",
    "PublishFailed",
    "SamplesInvalid",
    "SourceUnavailable",
    "TrainingEnvironmentUnavailable",
    "URIForbidden",
    "URISchemeNotYetSupported",
)

# ── Connections ──────────────────────────────────────────────────────────────────────────────
# After so long without a request a server closes a connection; whoever keeps some lets go earlier.
SERVER_IDLE_SECONDS: Final = 5

# ── Why a request can be refused or a row flagged ────────────────────────────────────────────
REQUEST_REASONS: Final = (
    "BodyTooLarge",
    "BodyUnreadable",
    "DeadlineExceeded",
    "Draining",
    "InferenceFailed",
    "MediaTypeUnsupported",
    "MethodNotAllowed",
    "ModelCrashed",
    "ModelNotFound",
    "ModelNotReady",
    "Overloaded",
    "PathNotFound",
    "ShapeInvalid",
    "TooManyRows",
    "ContractViolated",
)
CONTRACT_RULES: Final = (
    "ExtraColumn",
    "MissingColumn",
    "MissingValue",
    "OutOfRange",
    "UnknownCategory",
    "WrongType",
)
POLICIES: Final = ("Reject", "Warn", "Default", "Quarantine")

# ── Metric names (docs/metrics.md lists labels and units) ────────────────────────────────────
METRIC_REQUESTS: Final = "slipway_requests_total"
METRIC_LATENCY: Final = "slipway_request_seconds"
METRIC_STAGE: Final = "slipway_stage_seconds"
METRIC_IN_FLIGHT: Final = "slipway_requests_in_flight"
METRIC_QUEUE: Final = "slipway_queue_depth"
METRIC_ROWS: Final = "slipway_rows_total"
METRIC_VIOLATIONS: Final = "slipway_contract_violations_total"
