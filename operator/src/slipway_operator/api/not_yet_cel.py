"""The refusals of `not_yet` once more, in CEL: so that an API server refuses them at admission.

Each rule stands at the object that holds the field, which keeps its cost small, and only at that
path: a Struct that is used twice is refused only where its field comes later.
"""

from typing import Any

from slipway_operator.api import not_yet
from slipway_operator.api.not_yet import NotYet

JSON = dict[str, Any]


def add_not_yet_rules(schema: JSON) -> None:
    """Lay every rule into the schema of a whole ModelDeployment, in place."""
    for row in not_yet.FIELDS:
        parent, _, name = row.path.rpartition(".")
        node = _find_node(schema, parent)
        for each in sorted(node["properties"].keys() - row.but) if name == "*" else [name]:
            _add(node, each, *_render_row(row, each, node["properties"][each]))
    later = "|".join(not_yet.LATER_SCHEMES)
    for path in not_yet.URI_FIELDS:
        parent, _, name = path.rpartition(".")
        message = f"{name} uses a scheme that {not_yet.SCHEME_WORDS}"
        _add(_find_node(schema, parent), name, f"!self.{name}.matches('^({later}):')", message)
    for path in not_yet.AMOUNTS:
        parent, _, name = path.rpartition(".")
        rule = f"!has(self.{name}) || self.{name}.all(k, !k.contains('/'))"
        _add(_find_node(schema, parent), name, rule, f"{name} {not_yet.DEVICE_WORDS}")


def _render_row(row: NotYet, name: str, field: JSON) -> tuple[str, str]:
    absent = f"!has(self.{name})"
    if row.values:
        refused = "[" + ", ".join(f"'{value}'" for value in sorted(row.values)) + "]"
        return f"{absent} || !(self.{name} in {refused})", f"this {name} {row.words}"
    if field["type"] == "array":
        return f"{absent} || self.{name}.size() == 0", f"{name} {row.words}"
    return absent, f"{name} {row.words}"


def _add(node: JSON, name: str, rule: str, message: str) -> None:
    entry = {"rule": rule, "message": message, "fieldPath": f".{name}"}
    node.setdefault("x-kubernetes-validations", []).append(entry)


def _find_node(schema: JSON, path: str) -> JSON:
    for part in path.split("."):
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            schema = schema["items"]
    return schema
