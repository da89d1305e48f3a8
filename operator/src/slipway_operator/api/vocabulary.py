"""The closed sets of words that a spec may use, and the scalar types with their bounds.

Leaf of `api`: imports only the standard library and msgspec. Bounds are chosen so that every CEL
rule over these values stays far below the API server's cost limit.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

GROUP: Final = "slipway.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ModelDeployment"


class Effect(StrEnum):
    """What a change of a field sets off."""

    BUILD = "Build"  # the model is fetched, converted and proven again
    REVISION = "Revision"  # new pods beside the old ones, same artifact
    LIVE = "Live"  # the running revision is steered, nothing is replaced


class Format(StrEnum):
    AUTO = "Auto"
    SKLEARN = "SKLearn"
    XGBOOST = "XGBoost"
    LIGHTGBM = "LightGBM"
    CATBOOST = "CatBoost"
    KERAS = "Keras"
    TENSORFLOW = "TensorFlow"
    PYTORCH = "PyTorch"
    H2O = "H2O"
    SPARK = "Spark"
    ONNX = "ONNX"
    MLFLOW = "MLflow"
    PYTHON = "Python"


class Runtime(StrEnum):
    AUTO = "Auto"
    ONNX = "ONNX"
    NATIVE = "Native"


class Unpickle(StrEnum):
    SANDBOXED = "Sandboxed"
    NEVER = "Never"


class Policy(StrEnum):
    REJECT = "Reject"
    WARN = "Warn"
    DEFAULT = "Default"
    QUARANTINE = "Quarantine"


class ContractRuleName(StrEnum):
    EXTRA_COLUMN = "ExtraColumn"
    MISSING_COLUMN = "MissingColumn"
    MISSING_VALUE = "MissingValue"
    OUT_OF_RANGE = "OutOfRange"
    UNKNOWN_CATEGORY = "UnknownCategory"
    WRONG_TYPE = "WrongType"


class BatchingMode(StrEnum):
    AUTO = "Auto"
    ON = "On"
    OFF = "Off"


class RevisionOverride(StrEnum):
    OFF = "Off"
    TOKEN = "Token"  # noqa: S105 - a mode, not a secret


class AutoscalingClass(StrEnum):
    SLIPWAY = "Slipway"
    HPA = "HPA"
    KEDA = "KEDA"


class Strategy(StrEnum):
    CANARY = "Canary"
    SHADOW = "Shadow"
    BLUE_GREEN = "BlueGreen"
    IMMEDIATE = "Immediate"


class StepType(StrEnum):
    WEIGHT = "Weight"
    SHADOW = "Shadow"
    APPROVAL = "Approval"


class Until(StrEnum):
    EVIDENCE = "Evidence"
    DURATION = "Duration"


class StableScale(StrEnum):
    FULL = "Full"
    DYNAMIC = "Dynamic"


class OnNewRevision(StrEnum):
    SUPERSEDE = "Supersede"
    QUEUE = "Queue"


class MetricSource(StrEnum):
    PODS = "Pods"
    PROMETHEUS = "Prometheus"


class OnUnavailable(StrEnum):
    HOLD = "Hold"
    ABORT = "Abort"
    PROCEED = "Proceed"


class OnInconclusive(StrEnum):
    PAUSE = "Pause"
    PROCEED = "Proceed"
    ABORT = "Abort"


class MetricType(StrEnum):
    ERROR_RATE = "ErrorRate"
    SLOW_FRACTION = "SlowFraction"
    VIOLATION_RATE = "ViolationRate"
    AGREEMENT = "Agreement"
    PREDICTION_DRIFT = "PredictionDrift"
    GROUND_TRUTH = "GroundTruth"
    PROMETHEUS = "Prometheus"


class MetricAction(StrEnum):
    ABORT = "Abort"
    WARN = "Warn"


class QualityMetric(StrEnum):
    ACCURACY = "Accuracy"
    BALANCED_ACCURACY = "BalancedAccuracy"
    F1 = "F1"
    MEAN_ABSOLUTE_ERROR = "MeanAbsoluteError"
    ROOT_MEAN_SQUARED_ERROR = "RootMeanSquaredError"


class LogMode(StrEnum):
    OFF = "Off"
    BEST_EFFORT = "BestEffort"
    AT_LEAST_ONCE = "AtLeastOnce"
    STRICT = "Strict"


class DriftMode(StrEnum):
    OFF = "Off"
    WARN = "Warn"


class DependencyType(StrEnum):
    SQL = "SQL"


DNS_LABEL: Final = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
NAMESPACE: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
LABEL_VALUE: Final = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
QUANTITY: Final = r"^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
RATE: Final = r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$"
DECIMAL: Final = r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$"
POSITIVE: Final = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"
PERCENT: Final = r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$"
DIGEST: Final = r"^sha256:[0-9a-f]{64}$"

ObjectName = Annotated[str, Meta(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
LabelName = Annotated[str, Meta(min_length=1, max_length=63, pattern=DNS_LABEL)]
Text = Annotated[str, Meta(min_length=1, max_length=253)]
Uri = Annotated[str, Meta(min_length=1, max_length=2048)]
Digest = Annotated[str, Meta(max_length=71, pattern=DIGEST)]
Hostname = Annotated[str, Meta(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
Rate = Annotated[str, Meta(max_length=11, pattern=RATE)]
Decimal = Annotated[str, Meta(max_length=20, pattern=DECIMAL)]
PositiveDecimal = Annotated[str, Meta(max_length=19, pattern=POSITIVE)]
Seconds = Annotated[int, Meta(ge=0, le=604_800)]
QuantityText = Annotated[str, Meta(min_length=1, max_length=32, pattern=QUANTITY)]
Quantity = Annotated[int, Meta(ge=0, le=2**53)] | QuantityText
Percent = Annotated[int, Meta(ge=1, le=100)] | Annotated[str, Meta(max_length=8, pattern=PERCENT)]
REGION: Final = r"^[a-zA-Z0-9-]+$"
Key = Annotated[str, Meta(min_length=1, max_length=317)]
LabelValue = Annotated[str, Meta(max_length=63, pattern=LABEL_VALUE)]
NamespaceName = Annotated[str, Meta(min_length=1, max_length=63, pattern=NAMESPACE)]
AnnotationValue = Annotated[str, Meta(max_length=4096)]
LABEL_KEY: Final = (
    r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)

SCHEMES: Final = (
    "file",
    "https",
    "s3",
    "gs",
    "az",
    "oci",
    "hf",
    "git",
    "pvc",
    "mlflow",
    "models",
    "runs",
)
OPAQUE_SCHEMES: Final = ("file", "models", "runs")  # SCHEME:PATH; all others are SCHEME://HOST/PATH

# What a pattern means, for people.
PATTERN_WORDS: Final = {
    DNS_LABEL: "takes 1 to 63 lower-case letters, digits and dashes, starting with a letter",
    NAMESPACE: "takes 1 to 63 lower-case letters, digits and dashes, as a namespace does",
    LABEL_VALUE: "takes letters, digits, dashes, dots and underscores, as a label does",
    DNS_SUBDOMAIN: "takes lower-case letters, digits, dashes and dots, as in a DNS name",
    QUANTITY: "takes a Kubernetes quantity such as 250m, 2 or 512Mi",
    RATE: 'takes a share from "0" to "1" as a decimal string such as "0.005"',
    DECIMAL: 'takes a decimal string such as "-0.02"',
    POSITIVE: 'takes a decimal string such as "1.5", not negative',
    PERCENT: 'takes a percentage up to 100 with at most 4 decimals, such as 5 or "0.25"',
    DIGEST: "takes sha256: and 64 hexadecimal digits",
    REGION: "takes letters, digits and dashes, as in eu-central-1",
    LABEL_KEY: "takes a label key such as team or example.com/team",
}
