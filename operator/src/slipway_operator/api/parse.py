"""From a document to a fully resolved ModelDeployment, or to everything that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slipway_operator.api.errors import SpecError
from slipway_operator.api.not_yet import refuse_not_yet
from slipway_operator.api.spec import ModelDeployment
from slipway_operator.api.structure import store_value, validate_structure
from slipway_operator.api.validation import refuse_elsewhere, validate_semantics


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Either `asked` (and no errors) or errors (and nothing asked)."""

    asked: ModelDeployment | None
    errors: tuple[SpecError, ...]


def parse_modeldeployment(document: Mapping[str, Any], *, on_laptop: bool | None = None) -> Parsed:
    """Read a ModelDeployment (Kubernetes JSON: metadata, spec; status is not looked at).

    `on_laptop` says where it is to run; None: no matter. Never raises, whatever the JSON.
    All faults of shape are told at once; when there are none, all others are.
    """
    found = store_value(document)
    if faults := validate_structure(found):
        return Parsed(asked=None, errors=faults)
    asked = msgspec.convert({"metadata": found["metadata"], "spec": found["spec"]}, ModelDeployment)
    errors = (
        *validate_semantics(asked),
        *refuse_not_yet(found),
        *(() if on_laptop is None else refuse_elsewhere(asked, on_laptop=on_laptop)),
    )
    return Parsed(asked=None if errors else asked, errors=tuple(sorted(errors)))
