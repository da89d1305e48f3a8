"""From a document to a fully resolved ModelDeployment, or to everything that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slipway_operator.api.errors import SpecError
from slipway_operator.api.spec import ModelDeployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Either `asked` (and no errors) or errors (and nothing asked)."""

    asked: ModelDeployment | None
    errors: tuple[SpecError, ...]


def parse_modeldeployment(document: Mapping[str, Any], *, file_uris_allowed: bool = True) -> Parsed:
    """Read a ModelDeployment (Kubernetes JSON: metadata, spec; status is not looked at).

    `file_uris_allowed` is True on a laptop and False on a cluster. Never raises for any JSON value.
    """
    try:
        asked = msgspec.convert(
            {"metadata": document.get("metadata"), "spec": document.get("spec")}, ModelDeployment
        )
    except msgspec.ValidationError as error:
        return Parsed(
            asked=None,
            errors=(SpecError(path="spec", reason="InvalidSpec", message=f"{error}."),),
        )
    return Parsed(asked=asked, errors=())
