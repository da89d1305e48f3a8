"""What may be written: names, Secrets, and ModelDeployments as their schema allows.

Refuses with a cause a field, as a CRD would on a cluster. What a schema cannot say (a URI that does
not exist) is the core's to find and shows in the object's status.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from slipway_operator.local.errors import Cause, Invalid
from slipway_operator.local.kinds import MODEL_DEPLOYMENT, SECRET, Kind

Object = dict[str, Any]
Validate = Callable[[Mapping[str, Any]], Sequence[Cause]]

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_TOP: Final = frozenset(("apiVersion", "kind", "metadata", "spec", "status"))


def admit(document: Object, kind: Kind, *, validate: Validate) -> Object:
    """The document as it is stored.

    Raises:
        Invalid: with a cause for every field that is wrong.
    """
    metadata = document["metadata"]
    causes = [
        Cause(
            field=f"metadata.{field}",
            reason="FieldValueInvalid",
            message=f'"{metadata.get(field)}" is no {field}: use lower-case letters, digits, "-".',
        )
        for field, pattern in (("name", _NAME), ("namespace", _NAMESPACE))
        if pattern.fullmatch(str(metadata.get(field, ""))) is None
    ]
    if kind is SECRET:
        document = {**document, "data": _read_secret(document, causes)}
        document.pop("stringData", None)
    if kind is MODEL_DEPLOYMENT:
        causes += [
            Cause(field=key, reason="UnknownField", message=f'A ModelDeployment has no "{key}".')
            for key in sorted(document.keys() - _TOP)
        ]
        causes += validate(document)
    if causes:
        what = f'{kind.kind} "{metadata.get("namespace")}/{metadata.get("name")}"'
        said = " ".join(f"{cause.field}: {cause.message}" for cause in causes)
        raise Invalid(
            f"{what} is invalid: {said}", causes, kind=kind.kind, name=str(metadata.get("name"))
        )
    return document


def _read_secret(document: Mapping[str, Any], causes: list[Cause]) -> Object:
    """``data`` with ``stringData`` in it; says what is wrong without a word of the content."""
    data = document.get("data") or {}
    plain = document.get("stringData") or {}
    if not isinstance(data, Mapping) or not isinstance(plain, Mapping):
        causes.append(Cause(field="data", reason="FieldValueInvalid", message="Not a mapping."))
        return {}
    for key, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            causes.append(
                Cause(
                    field=f"data.{key}",
                    reason="FieldValueInvalid",
                    message="Not base64; write plain text under stringData.",
                )
            )
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
    causes += [
        Cause(field=f"data.{key}", reason="FieldValueInvalid", message="No file name.")
        for key in (*data, *plain)
        if re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", str(key)) is None or str(key) in (".", "..")
    ]
    return {**data, **encoded}
