"""Whether a document has the right shape: all that is wrong with it at once, in people's words.

The schema is the CRD's own, made strict (`schema`), so that a laptop and an API server refuse the
same shapes.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from slipway_operator.api.errors import SpecError
from slipway_operator.api.rules_uri import shown_uri
from slipway_operator.api.schema import render_schema
from slipway_operator.api.spec import ModelDeploymentSpec
from slipway_operator.api.vocabulary import NAMESPACE, PATTERN_WORDS

SHOWN_LIMIT: Final = 80
DEPTH_LIMIT: Final = 32
HUGE_BITS: Final = 128
HUGE: Final = 1 << HUGE_BITS

Part = str | int
Schema = Mapping[str, Any]

_WORDS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 253}

SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["metadata", "spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": _NAME,
                "namespace": {"type": "string", "pattern": NAMESPACE.removesuffix("$") + r"\Z"},
                "uid": {"type": "string"},
                "generation": {"type": "integer"},
                "resourceVersion": {"type": "string"},
                "creationTimestamp": {"type": "string"},
                "deletionTimestamp": {"type": "string"},
                "labels": _WORDS,
                "annotations": _WORDS,
            },
        },
        "spec": render_schema(ModelDeploymentSpec, strict=True),
        "status": {},
    },
}


def validate_structure(document: object) -> tuple[SpecError, ...]:
    """Every fault of shape, sorted. `document` is any JSON value, as `store_value` gives it."""
    found = (_explain(error) for error in _VALIDATOR.iter_errors(document))
    return tuple(sorted(set(found)))


def store_value(value: Any, *, depth: int = 0) -> Any:
    """The value as an API server stores it: no members that are null, and 5.0 is 5.

    What lies deeper than any field, or is larger than any number, is cut; it is wrong in any case.
    """
    if depth > DEPTH_LIMIT:
        return None
    if isinstance(value, Mapping):
        return {
            str(name): store_value(member, depth=depth + 1)
            for name, member in value.items()
            if member is not None
        }
    if isinstance(value, list | tuple):
        return [store_value(member, depth=depth + 1) for member in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and value.bit_length() > HUGE_BITS:
        return HUGE if value > 0 else -HUGE
    return value


def render_path(parts: Iterable[Part]) -> str:
    """`spec.rollout.steps[2].weight`; a key that is no plain name stands in brackets too."""
    path = ""
    for part in parts:
        plain = isinstance(part, str) and re.fullmatch("[A-Za-z][A-Za-z0-9]*", part)
        path += f".{part}" if plain else f"[{part}]"
    return path.removeprefix(".")


def render_value(value: object) -> str:
    """A value as it may be printed in a sentence: short, and never with a credential."""
    match value:
        case str():
            return _cut(json.dumps(shown_uri(value) if "://" in value else value))
        case bool() | None:
            return json.dumps(value)
        case int():
            return str(value) if value.bit_length() <= HUGE_BITS else "a huge number"
        case float():
            return str(value)
        case Mapping():
            return "an object"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return f"a {type(value).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_LIMIT else text[: SHOWN_LIMIT - 1] + "…"


# ── Keywords that JSON Schema does not have, or that say too little ──────────────────────────


def _required(
    _: Any, names: list[str], instance: Any, _schema: Schema
) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping):
        for name in names:
            if name not in instance:
                yield ValidationError(name, path=[name])


def _unknown(
    validator: Any, allowed: bool | Schema, instance: Any, schema: Schema
) -> Iterator[ValidationError]:
    if not isinstance(instance, Mapping):
        return
    for name, member in instance.items():
        if name in schema.get("properties", {}):
            continue
        if allowed is False:
            yield ValidationError(name, path=[name])
        else:
            yield from validator.descend(member, allowed, path=name)


def _choice(
    _: Any, choices: list[str], instance: Any, _schema: Schema
) -> Iterator[ValidationError]:
    # Anything that is no string has the wrong type, which is said already.
    if isinstance(instance, str) and instance not in choices:
        yield ValidationError(instance)


def _keys(
    validator: Any, rule: Schema, instance: Any, _schema: Schema
) -> Iterator[ValidationError]:
    if isinstance(instance, Mapping):
        for name in instance:
            if not validator.evolve(schema=rule).is_valid(name):
                yield ValidationError(name, path=[name])


def _map_keys(
    _validator: Any, keys: list[str], instance: Any, _schema: Schema
) -> Iterator[ValidationError]:
    if isinstance(instance, list):
        seen: list[list[Any]] = []
        members = [(i, member) for i, member in enumerate(instance) if isinstance(member, Mapping)]
        for index, member in members:
            identity = [member.get(key) for key in keys]
            if identity in seen:
                yield ValidationError(", ".join(map(render_value, identity)), path=[index])
            seen.append(identity)


def _list_type(
    _validator: Any, kind: str, instance: Any, _schema: Schema
) -> Iterator[ValidationError]:
    if kind == "set" and isinstance(instance, list):
        for index, member in enumerate(instance):
            if member in instance[:index]:
                yield ValidationError(render_value(member), path=[index])


_VALIDATOR: Final = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "required": _required,
        "enum": _choice,
        "additionalProperties": _unknown,
        "propertyNames": _keys,
        "x-kubernetes-list-map-keys": _map_keys,
        "x-kubernetes-list-type": _list_type,
    },
)(SCHEMA)


# ── From an error of the schema to a sentence ────────────────────────────────────────────────

Fault = Any  # jsonschema's ValidationError; it types every member as perhaps unset

_TYPES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "boolean": "true or false",
}
_BOUNDS: Final = {
    "minimum": "must be at least {bound}",
    "maximum": "must be at most {bound}",
    "minLength": "must have at least {bound} characters",
    "maxLength": "must have at most {bound} characters",
    "minItems": "must have at least {bound} members",
    "maxItems": "must have at most {bound} members",
    "maxProperties": "must have at most {bound} members",
}


def _explain(error: Fault) -> SpecError:
    path = render_path(error.absolute_path)
    subject = path or "the document"
    shown = render_value(error.instance)
    reason, message = _EXPLAINERS.get(str(error.validator), _bound)(error, subject, shown)
    if path == "metadata.name":
        reason = "NameInvalid"
    return SpecError(path=path, reason=reason, message=message)


def _missing(_: Fault, subject: str, _shown: str) -> tuple[str, str]:
    return "FieldMissing", f"{subject} is missing; it is required. Add it."


def _not_a_field(error: Fault, subject: str, _shown: str) -> tuple[str, str]:
    known = sorted(error.schema["properties"])
    parent = render_path(list(error.absolute_path)[:-1]) or "a ModelDeployment"
    return "FieldUnknown", (
        f"{subject} is not a field of {parent}. {_suggest(error.message, known)}"
    )


def _suggest(name: str, known: list[str]) -> str:
    near = _nearest(name, known)
    if near is None:
        return f"Take it out; the fields there are {', '.join(known)}."
    return f"Did you mean {near}?"


def _nearest(word: str, known: Iterable[str]) -> str | None:
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def _wrong_type(error: Fault, subject: str, shown: str) -> tuple[str, str]:
    wanted = _TYPES[str(error.validator_value)]
    return "TypeInvalid", f"{subject} is {shown}, but must be {wanted}. {_quote_advice(error)}"


def _quote_advice(error: Fault) -> str:
    if error.validator_value == "string" and isinstance(error.instance, bool):
        return "Put it in quotes: YAML reads on, off, yes, no, y and n as true or false."
    if error.validator_value == "string" and isinstance(error.instance, int | float):
        return "Put it in quotes."
    return "Write it as such."


def _neither(_: Fault, subject: str, shown: str) -> tuple[str, str]:
    return "TypeInvalid", (
        f"{subject} is {shown}, but must be an integer or a string. Write it as such."
    )


def _not_a_choice(error: Fault, subject: str, shown: str) -> tuple[str, str]:
    choices = [str(choice) for choice in error.validator_value]
    near = _nearest(error.instance, choices)
    advice = "Choose one of them." if near is None else f'Did you mean "{near}"?'
    return "ValueInvalid", f"{subject} is {shown}, but takes {', '.join(choices)}. {advice}"


def _no_match(error: Fault, subject: str, shown: str) -> tuple[str, str]:
    pattern = str(error.validator_value).replace(r"\Z", "$")
    words = PATTERN_WORDS[pattern]
    return "ValueInvalid", f"{subject} is {shown}, but {words}. Correct it."


def _bad_key(error: Fault, subject: str, _shown: str) -> tuple[str, str]:
    words = PATTERN_WORDS[str(error.validator_value["pattern"]).replace(r"\Z", "$")]
    return "ValueInvalid", f"{subject}: the key {render_value(error.message)} {words}. Correct it."


def _doubled(error: Fault, subject: str, _shown: str) -> tuple[str, str]:
    return "ValueInvalid", (
        f"{subject} repeats {error.message}, which may stand in the list once. Take one out."
    )


def _bound(error: Fault, subject: str, shown: str) -> tuple[str, str]:
    rule = _BOUNDS[str(error.validator)].format(bound=error.validator_value)
    return "ValueInvalid", f"{subject} is {shown}, but {rule}. Change it."


Explainer = Callable[[Fault, str, str], tuple[str, str]]

_EXPLAINERS: Final[Mapping[str, Explainer]] = {
    "required": _missing,
    "additionalProperties": _not_a_field,
    "type": _wrong_type,
    "anyOf": _neither,
    "enum": _not_a_choice,
    "pattern": _no_match,
    "propertyNames": _bad_key,
    "x-kubernetes-list-map-keys": _doubled,
    "x-kubernetes-list-type": _doubled,
}
