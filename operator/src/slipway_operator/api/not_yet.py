"""Fields of the API whose machinery does not exist yet: refused, never accepted and ignored.

Removing a row here is how a later version switches a field on: `refuse_not_yet` reads the rows for
us, `not_yet_cel` writes them into the CRD. `[]` in a path stands for every member of a list, `*`
for every field of an object that is not named in `but`. An empty list counts as not there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from slipway_operator.api.errors import SpecError
from slipway_operator.api.vocabulary import (
    SCHEMES,
    BatchingMode,
    Format,
    MetricType,
    Policy,
    StableScale,
)

FIELD_REASON: Final = "FieldNotYetSupported"
SCHEME_REASON: Final = "URISchemeNotYetSupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """A field that is refused: always, or only with one of these `values`."""

    path: str
    instead: str
    values: frozenset[str] = field(default_factory=frozenset)
    but: frozenset[str] = field(default_factory=frozenset)

    @property
    def words(self) -> str:
        """What follows the name of the field (and its value) in a message."""
        is_it = "is" if self.values else "would have no effect: it is"
        return f"{is_it} not yet supported by this version. {self.instead}"


FIELDS: Final = (
    NotYet(
        path="spec.model.format",
        values=frozenset(
            {
                Format.KERAS,
                Format.TENSORFLOW,
                Format.PYTORCH,
                Format.H2O,
                Format.SPARK,
                Format.PYTHON,
            }
        ),
        instead="Use Auto, SKLearn, XGBoost, LightGBM, CatBoost, ONNX or MLflow.",
    ),
    NotYet(path="spec.model.access.serviceAccountName", instead="Use spec.model.access.secretRef."),
    NotYet(
        path="spec.model.access.caBundleRef",
        instead="Take it out and use a certificate that is publicly trusted.",
    ),
    NotYet(
        path="spec.serving.batching.mode",
        values=frozenset({BatchingMode.ON}),
        instead="Use Auto or Off.",
    ),
    NotYet(
        path="spec.serving.batching.*",
        but=frozenset({"mode"}),
        instead="Take it out; nothing waits for more rows, and small requests that arrive together "
        "run together.",
    ),
    NotYet(
        path="spec.contract.onViolation",
        values=frozenset({Policy.QUARANTINE}),
        instead="Use Reject or Warn.",
    ),
    NotYet(
        path="spec.contract.rules[].onViolation",
        values=frozenset({Policy.QUARANTINE}),
        instead="Use Reject, Warn or Default.",
    ),
    NotYet(path="spec.autoscaling", instead="Take it out and set spec.replicas."),
    NotYet(
        path="spec.rollout.stableScale",
        values=frozenset({StableScale.DYNAMIC}),
        instead="Use Full.",
    ),
    NotYet(
        path="spec.rollout.analysis.metrics[].type",
        values=frozenset(
            {
                MetricType.PREDICTION_DRIFT,
                MetricType.GROUND_TRUTH,
            }
        ),
        instead="Use ErrorRate, SlowFraction, ViolationRate, Agreement or Prometheus.",
    ),
    NotYet(path="spec.monitoring", instead="Take it out."),
    NotYet(path="spec.dependencies", instead="Take it out."),
)

# The schemes that can be fetched now; all others of `vocabulary.SCHEMES` come later.
SUPPORTED_SCHEMES: Final = frozenset({"file", "https", "s3", "gs", "az", "oci", "pvc"})
LATER_SCHEMES: Final = tuple(scheme for scheme in SCHEMES if scheme not in SUPPORTED_SCHEMES)
URI_FIELDS: Final = ("spec.model.uri", "spec.model.samples.uri")
SCHEME_WORDS: Final = (
    "this version cannot fetch. Upload the file to an s3 or https address and use that."
)
AMOUNTS: Final = ("spec.serving.resources.requests", "spec.serving.resources.limits")
DEVICE_WORDS: Final = (
    "asks for a device, which this version cannot use. Take it out; the model is served on the CPU."
)


def refuse_not_yet(document: Mapping[str, Any]) -> Iterator[SpecError]:
    """Everything asked for that this version cannot do. `document` has passed the schema."""
    for row in FIELDS:
        for path, value in find_fields(document, row.path, but=row.but):
            if value == [] or (row.values and value not in row.values):
                continue
            what = f"{path} {value}" if row.values else path
            yield SpecError(path=path, reason=FIELD_REASON, message=f"{what} {row.words}")
    for field_path in URI_FIELDS:
        for path, uri in find_fields(document, field_path):
            scheme = uri.partition(":")[0]
            if scheme in LATER_SCHEMES:
                yield SpecError(
                    path=path,
                    reason=SCHEME_REASON,
                    message=f"{path} uses the scheme {scheme}, which {SCHEME_WORDS}",
                )
    for field_path in AMOUNTS:
        for path, amounts in find_fields(document, field_path):
            for name in sorted(name for name in amounts if "/" in name):
                yield SpecError(
                    path=f"{path}[{name}]",
                    reason=FIELD_REASON,
                    message=f"{path}[{name}] {DEVICE_WORDS}",
                )


def find_fields(
    document: Mapping[str, Any], pattern: str, *, but: Iterable[str] = ()
) -> Iterator[tuple[str, Any]]:
    """Every present field that a path pattern names, with its real path, in document order."""
    found: list[tuple[str, Any]] = [("", document)]
    for part in pattern.split("."):
        name = part.removesuffix("[]")
        found = [
            (f"{path}.{key}".lstrip("."), value[key])
            for path, value in found
            for key in (sorted(set(value) - set(but)) if name == "*" else [name])
            if key in value
        ]
        if part.endswith("[]"):
            found = [
                (f"{path}[{index}]", member)
                for path, members in found
                for index, member in enumerate(members)
            ]
    yield from found
