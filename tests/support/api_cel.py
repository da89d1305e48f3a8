"""Evaluates the CEL rules of a CRD's schema on a document, as an API server would."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import celpy
from celpy import celtypes

from slipway_operator.api.quantity import read_quantity

_ENVIRONMENT = celpy.Environment()


def _quantity(text: celtypes.StringType) -> celtypes.DoubleType:
    return celtypes.DoubleType(Fraction(read_quantity(str(text))))


def _compare(left: celtypes.DoubleType, right: celtypes.DoubleType) -> celtypes.IntType:
    return celtypes.IntType((left > right) - (left < right))


def _index_of(items: celtypes.ListType, item: celtypes.Value) -> celtypes.IntType:
    return celtypes.IntType(next((at for at, one in enumerate(items) if one == item), -1))


def _last_index_of(items: celtypes.ListType, item: celtypes.Value) -> celtypes.IntType:
    found = [at for at, one in enumerate(items) if one == item]
    return celtypes.IntType(found[-1] if found else -1)


# Kubernetes' own CEL library, which a plain CEL does not have.
_FUNCTIONS = {
    "quantity": _quantity,
    "compareTo": _compare,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
}


@cache
def _program(rule: str) -> Any:
    return _ENVIRONMENT.program(_ENVIRONMENT.compile(rule), functions=_FUNCTIONS)


def holds_in_cel(rule: str, value: Any) -> bool:
    """Whether a rule holds for `self`; an evaluation error counts as refused, as on a server."""
    found = _program(rule).evaluate({"self": celpy.json_to_cel(value)})
    return bool(found)


def refused_in_cel(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """The messages of all rules that a document breaks, at every depth."""
    for entry in schema.get("x-kubernetes-validations", []):
        if not holds_in_cel(entry["rule"], value):
            yield entry["message"]
    if isinstance(value, dict):
        for name, member in schema.get("properties", {}).items():
            if name in value:
                yield from refused_in_cel(member, value[name], f"{path}.{name}")
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from refused_in_cel(schema["items"], each, f"{path}[{index}]")
