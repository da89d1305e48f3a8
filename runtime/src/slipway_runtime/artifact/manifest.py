"""The manifest of a built model, typed: `manifest.json` exactly as docs/wire.md describes it.

`convert` builds it, `publish` re-reads it as hostile, the server trusts it afterwards. Unknown
fields, wrong types and values outside a closed set are refused, so nothing is carried unread.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from slipway_runtime.contract import MANIFEST_SCHEMA

MAX_MANIFEST_BYTES = 16 << 20

Scalar = bool | int | float | str | None
Format = Literal["SKLearn", "XGBoost", "LightGBM", "CatBoost", "ONNX"]
Runtime = Literal["ONNX", "Native"]
Task = Literal["Classification", "Regression", "Clustering", "OutlierDetection", "Transform"]
Role = Literal["Label", "Probabilities", "Value", "Scores", "Transformed"]
Kind = Literal["Numerical", "Categorical", "Text", "Boolean"]
Loader = Literal["onnx", "joblib", "pickle", "skops", "xgboost", "lightgbm", "catboost"]
Verdict = Literal["Verified", "Exceeded", "NotVerified", "NotNeeded"]
Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Count = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Camel case on the wire, snake case here, nothing unknown."""


class ModelFacts(_Wire, frozen=True, kw_only=True):
    """Where the model came from and what it is."""

    uri: str  # without credentials
    digest: Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]
    format: Format
    estimator: str
    task: Task
    training_versions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()  # what loading it warned of


class Fallback(_Wire, frozen=True, kw_only=True):
    """Why the original is served instead of an ONNX conversion."""

    reason: str
    message: str


class Files(_Wire, frozen=True, kw_only=True):
    """Which file in the artifact holds the model, and what opens it."""

    model: Annotated[str, msgspec.Meta(pattern=r"^(model\.onnx|native/[^/]{1,255})$")]
    loader: Loader


class InputTensor(_Wire, frozen=True, kw_only=True):
    """One input: `shape` counts rows first (-1), `columns` are the table columns it takes."""

    name: Name
    datatype: Datatype
    shape: tuple[int, ...]
    columns: tuple[str, ...]


class OutputTensor(_Wire, frozen=True, kw_only=True):
    """One output; `classes` name the columns of `Probabilities` or `Scores`, where known."""

    name: Name
    datatype: Datatype
    shape: tuple[int, ...]
    role: Role
    classes: tuple[Scalar, ...] | None = None


class Signature(_Wire, frozen=True, kw_only=True):
    """Inputs and outputs, in the model's order."""

    inputs: Annotated[tuple[InputTensor, ...], msgspec.Meta(min_length=1)]
    outputs: Annotated[tuple[OutputTensor, ...], msgspec.Meta(min_length=1)]


class Column(_Wire, frozen=True, kw_only=True):
    """What one column may hold; `source` tells who said so: model, samples or a person."""

    name: Name
    kind: Kind
    missing_allowed: bool
    categories: tuple[Scalar, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    default: Scalar = None
    source: Literal["Model", "Samples", "Stated"] = "Model"


class Contract(_Wire, frozen=True, kw_only=True):
    """The columns a request must bring, in the model's order."""

    columns: tuple[Column, ...]


class Tolerance(_Wire, frozen=True, kw_only=True):
    """How far the converted model may be from the original."""

    absolute: float
    relative: float
    label_flips: Count = 0


class Attempt(_Wire, frozen=True, kw_only=True):
    """One conversion that was tried, and what came of it."""

    options: str
    outcome: str
    detail: str | None = None


class Worst(_Wire, frozen=True, kw_only=True):
    """The row on which the two differ most; `position` is the column within the output."""

    row: Count
    output: str
    position: Count = 0
    original: Scalar
    converted: Scalar
    inputs: dict[str, Scalar] = {}


class Parity(_Wire, frozen=True, kw_only=True):
    """The proof that the served model answers as the original did."""

    verdict: Verdict
    rows: Count = 0
    sample_rows: Count = 0
    probe_rows: Count = 0
    dropped_rows: Count = 0  # probes that the original itself refuses
    max_absolute_error: float | None = None
    max_relative_error: float | None = None
    label_flips: Count = 0
    tolerance: Tolerance | None = None
    attempts: tuple[Attempt, ...] = ()
    worst: Worst | None = None


class Golden(_Wire, frozen=True, kw_only=True):
    """Rows and the answers that a healthy server must give; outputs are lists over the rows."""

    source: Literal["Samples", "Probes", "Signature"]
    rows: tuple[dict[str, Scalar], ...]
    outputs: dict[str, tuple[Any, ...]] = {}


class Measured(_Wire, frozen=True, kw_only=True):
    """Seen in the build: median milliseconds by batch size, peak resident bytes."""

    latency_milliseconds: dict[str, float] = {}
    peak_memory_bytes: Count | None = None


class SandboxFacts(_Wire, frozen=True, kw_only=True):
    """Which walls stood while the model was opened, and which this machine does not have."""

    enforced: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Environment(_Wire, frozen=True, kw_only=True):
    """Where the original was opened, and is served: every package with its exact version."""

    python: str  # its minor version
    packages: Annotated[
        tuple[
            Annotated[
                str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,100}==[A-Za-z0-9._+!-]{1,100}$")
            ],
            ...,
        ],
        msgspec.Meta(min_length=1, max_length=1000),
    ]


class Manifest(_Wire, frozen=True, kw_only=True):
    """The whole of `manifest.json`."""

    schema: Literal["slipway.dev/manifest/v1"] = MANIFEST_SCHEMA
    name: str
    namespace: str
    build_hash: str
    model: ModelFacts
    runtime: Runtime
    files: Files
    signature: Signature
    contract: Contract
    parity: Parity
    golden: Golden
    fallback: Fallback | None = None
    opset: dict[str, int] | None = None
    baseline: dict[str, Any] | None = None
    measured: Measured = Measured()
    converters: dict[str, str] = {}
    sandbox: SandboxFacts = SandboxFacts()
    environment: Environment | None = None  # None: the runtime's own


def dump_manifest(manifest: Manifest) -> bytes:
    """Render as UTF-8 JSON, fields in the order of docs; the same value gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=1)


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest strictly.

    Raises:
        ValueError: too long, not JSON, or not this shape; the message names the field.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise ValueError(
            f"Cannot read manifest.json: {len(content)} bytes > limit {MAX_MANIFEST_BYTES}."
        )
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"Cannot read manifest.json: {error}.") from error
    _validate_together(manifest)
    return manifest


def load_manifest(path: Path) -> Manifest:
    """Read the manifest at `path` (a file).

    Raises:
        OSError: it cannot be read.
        ValueError: as `parse_manifest`.
    """
    with path.open("rb") as stream:
        return parse_manifest(stream.read(MAX_MANIFEST_BYTES + 1))


def _validate_together(manifest: Manifest) -> None:
    """What one field alone cannot tell."""
    onnx = manifest.runtime == "ONNX"
    if onnx != (manifest.files.loader == "onnx") or onnx != (manifest.files.model == "model.onnx"):
        raise ValueError(
            f'Cannot read manifest.json: runtime "{manifest.runtime}" does not go with loader '
            f'"{manifest.files.loader}" and file "{manifest.files.model}".'
        )
    for what, names in (
        ("signature.inputs", [tensor.name for tensor in manifest.signature.inputs]),
        ("signature.outputs", [tensor.name for tensor in manifest.signature.outputs]),
        ("contract.columns", [column.name for column in manifest.contract.columns]),
    ):
        if len(set(names)) != len(names):
            raise ValueError(f"Cannot read manifest.json: {what} has a name twice.")
    if manifest.runtime == "ONNX" and manifest.parity.verdict == "Exceeded":
        raise ValueError(
            "Cannot read manifest.json: a model whose parity is Exceeded is not served as ONNX."
        )
