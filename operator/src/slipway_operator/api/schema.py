"""From typed Structs to an OpenAPI v3 structural schema, as a CRD takes it.

Everything is inlined (no `$ref`), nothing has a `default:`, and unknown fields are pruned by the
API server. `strict=True` gives the same schema for the laptop and the operator's own check: unknown
fields, bad map keys and doubled set members are errors, and patterns end at the very end.
"""

from typing import Any, Final

import msgspec.inspect as mi

from slipway_operator.api.base import Rule
from slipway_operator.api.vocabulary import LABEL_KEY

JSON = dict[str, Any]
RulesOf = dict[type, tuple[Rule, ...]]

_NO_RULES: Final[RulesOf] = {}


def render_schema(of: type, *, strict: bool = False, rules: RulesOf = _NO_RULES) -> JSON:
    """The schema of a Struct class; `rules` become `x-kubernetes-validations` of their Structs."""
    return render_node(mi.type_info(of), strict=strict, rules=rules)


def render_node(node: mi.Type, *, strict: bool = False, rules: RulesOf = _NO_RULES) -> JSON:
    """The schema of one node of msgspec's description of a type."""
    match node:
        case mi.Metadata():
            inner = render_node(node.type, strict=strict, rules=rules)
            return (node.extra_json_schema or {}) | inner
        case mi.StructType():
            return _struct(node, strict=strict, rules=rules)
        case mi.UnionType():
            return _union(node, strict=strict, rules=rules)
        case mi.VarTupleType():
            return {"type": "array"} | _present(
                items=render_node(node.item_type, strict=strict, rules=rules),
                minItems=node.min_length,
                maxItems=node.max_length,
            )
        case mi.DictType():
            keys = {"pattern": LABEL_KEY, "maxLength": 317} if strict else None
            return {"type": "object"} | _present(
                additionalProperties=render_node(node.value_type, strict=strict, rules=rules),
                maxProperties=node.max_length,
                propertyNames=keys,
            )
        case _:
            return _scalar(node, strict=strict)


def _scalar(node: mi.Type, *, strict: bool) -> JSON:
    match node:
        case mi.StrType():
            return {"type": "string"} | _present(
                minLength=node.min_length,
                maxLength=node.max_length,
                pattern=_pattern(node.pattern, strict=strict),
            )
        case mi.IntType():
            return {"type": "integer"} | _present(minimum=node.ge, maximum=node.le)
        case mi.EnumType():
            return {"type": "string", "enum": [member.value for member in node.cls]}
        case mi.BoolType():
            return {"type": "boolean"}
        case mi.FloatType():
            return {"type": "number"}
        case _:
            raise TypeError(f"no schema for {node}: the spec uses Structs, tuples, dicts, scalars")


def _struct(node: mi.StructType, *, strict: bool, rules: RulesOf) -> JSON:
    required = sorted(field.encode_name for field in node.fields if field.required)
    validations = [rule.render() for rule in rules.get(node.cls, ())]
    return {"type": "object"} | _present(
        properties={
            field.encode_name: render_node(field.type, strict=strict, rules=rules)
            for field in node.fields
        },
        required=required or None,
        additionalProperties=False if strict else None,
        **{"x-kubernetes-validations": validations or None},
    )


def _union(node: mi.UnionType, *, strict: bool, rules: RulesOf) -> JSON:
    """`X | None` is an X that may be absent; an integer or a string is Kubernetes' IntOrString."""
    members = [member for member in node.types if not isinstance(member, mi.NoneType)]
    if len(members) == 1:
        return render_node(members[0], strict=strict, rules=rules)
    merged: JSON = {}
    for member in members:
        merged |= _scalar(member, strict=strict)
    del merged["type"]
    return merged | {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    }


def _pattern(pattern: str | None, *, strict: bool) -> str | None:
    """Python's `$` also matches before a last newline, the API server's does not."""
    if pattern is None or not strict:
        return pattern
    return pattern.removesuffix("$") + r"\Z"


def _present(**members: Any) -> JSON:
    return {name: member for name, member in members.items() if member is not None}
