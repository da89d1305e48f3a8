"""From YAML (or JSON) text to documents, read as kubectl reads them.

What cannot be read is told with its line and column, and nothing is read past the first such place
of a text. Doubled keys are refused, since whichever won, the other would be ignored.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import yaml

from slipway_operator.api.errors import SpecError
from slipway_operator.api.vocabulary import API_VERSION, KIND
from slipway_operator.api.yaml_scalars import MERGE, Scalar, read_scalar

KINDS: Final = {KIND: API_VERSION, "Secret": "v1"}
CHARACTERS_LIMIT: Final = 1_048_576  # more than an API server stores
NODES_LIMIT: Final = 100_000  # after aliases are followed
DEPTH_LIMIT: Final = 64

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = "plain"
_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    f"{_TAG}int": int,
    f"{_TAG}float": (int, float),
    f"{_TAG}bool": bool,
    f"{_TAG}null": type(None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a kind we know, as JSON. `line` is where it begins, from 1."""

    kind: str
    line: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All documents in order, and what was wrong. With errors, apply nothing."""

    documents: tuple[Document, ...]
    errors: tuple[SpecError, ...]


def read_documents(text: str) -> Reading:
    """Read every document of a text. Never raises: what is wrong becomes an error.

    Reasons: `YAMLInvalid` (path `line L, column C`), `KindUnknown` (path `document N`).
    """
    try:
        found = list(_read(text))
    except _Fault as fault:
        return Reading(documents=(), errors=(fault.error,))
    documents: list[Document] = []
    errors: list[SpecError] = []
    for number, (line, body) in enumerate(_flatten(found), 1):
        checked = _check_kind(number, line, body)
        if isinstance(checked, Document):
            documents.append(checked)
        else:
            errors.append(checked)
    return Reading(documents=tuple(documents), errors=tuple(errors))


def _flatten(found: list[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """The members of a `kind: List` stand for themselves; empty documents for nothing."""
    for line, body in found:
        items = body.get("items") if isinstance(body, dict) and body.get("kind") == "List" else None
        if isinstance(items, list):
            yield from ((line, member) for member in items)
        elif body is not None:
            yield line, body


def _check_kind(number: int, line: int, body: object) -> Document | SpecError:
    path = f"document {number}"
    if not isinstance(body, dict):
        return SpecError(
            path=path,
            reason="YAMLInvalid",
            message=f"{path} (line {line}) is not a mapping, but a document is one with "
            "apiVersion, kind, metadata and spec. Correct it.",
        )
    kind, version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or kind not in KINDS or KINDS[kind] != version:
        known = " and ".join(f"{name} ({KINDS[name]})" for name in KINDS)
        return SpecError(
            path=path,
            reason="KindUnknown",
            message=f"{path} (line {line}) has kind {_word(kind)} and apiVersion {_word(version)}, "
            f"but Slipway takes {known}. Correct them or take the document out.",
        )
    return Document(kind=kind, line=line, body=body)


def _word(value: object) -> str:
    return json.dumps(value) if isinstance(value, str | None) else "that is no text"


class _Fault(Exception):
    """Where and why a text cannot be read."""

    def __init__(self, why: str, *, line: int, column: int, fix: str = "Correct it there.") -> None:
        super().__init__(why)
        self.error = SpecError(
            path=f"line {line}, column {column}",
            reason="YAMLInvalid",
            message=f"The YAML cannot be read at line {line}, column {column}: {why}. {fix}",
        )


def _fault(why: str, mark: yaml.Mark, fix: str = "Correct it there.") -> _Fault:
    return _Fault(why, line=mark.line + 1, column=mark.column + 1, fix=fix)


def _too_deep(mark: yaml.Mark) -> _Fault:
    return _fault(f"it is nested deeper than {DEPTH_LIMIT}", mark)


def _read(text: str) -> Iterator[tuple[int, Any]]:
    if len(text) > CHARACTERS_LIMIT:
        raise _Fault(f"it has more than {CHARACTERS_LIMIT} characters", line=1, column=1)
    try:
        for node in yaml.compose_all(text.replace("\t", " ") if _is_json(text) else text, _Loader):
            yield node.start_mark.line + 1, _Conversion().convert(node, depth=0)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        raise _Fault(
            f"the character U+{int(error.character):04X} is not allowed",
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
        ) from error
    except yaml.MarkedYAMLError as error:
        # The composer and the parser always say where.
        raise _fault(str(error.problem), cast("yaml.Mark", error.problem_mark)) from error


def _is_json(text: str) -> bool:
    """JSON is YAML except for tabs between its tokens."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Loader(yaml.BaseLoader):
    """Leaves plain scalars unresolved, which `_Conversion` reads by other rules.

    Stops at the depth limit already, since its time grows with the square of the depth.
    """

    indents: list[int]

    def fetch_flow_collection_start(self, kind: Any) -> None:
        if self.flow_level >= DEPTH_LIMIT:
            raise _too_deep(self.get_mark())
        super().fetch_flow_collection_start(kind)

    def add_indent(self, column: int) -> bool:
        if len(self.indents) >= DEPTH_LIMIT and column > self.indents[-1]:
            raise _too_deep(self.get_mark())
        return bool(super().add_indent(column))

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:
            return _PLAIN
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


class _Conversion:
    """Turns the nodes of one document into JSON values, within bounds."""

    def __init__(self) -> None:
        self._nodes = 0

    def convert(self, node: yaml.Node, *, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > NODES_LIMIT:
            raise _fault(f"it has more than {NODES_LIMIT} values", node.start_mark)
        if depth > DEPTH_LIMIT:
            raise _too_deep(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(member, depth=depth + 1) for member in node.value]
        value = _scalar(cast("yaml.ScalarNode", node))
        if isinstance(value, float):
            if not math.isfinite(value):
                raise _fault(f"JSON has no number {node.value}", node.start_mark)
            return int(value) if value.is_integer() else value
        return value

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == MERGE:
                merged |= self._merged(value_node, depth)
                continue
            key = _key(key_node)
            if key in own:
                raise _fault(
                    f'the key "{key}" stands twice in one mapping',
                    key_node.start_mark,
                    "Take one of them out.",
                )
            own[key] = self.convert(value_node, depth=depth + 1)
        return merged | own

    def _merged(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in reversed(parts):  # the first one wins
            found = self.convert(part, depth=depth + 1)
            if not isinstance(found, dict):
                raise _fault("only a mapping can be merged with <<", part.start_mark)
            merged |= found
        return merged


def _scalar(node: yaml.ScalarNode) -> Scalar:
    if node.tag == f"{_TAG}str":
        return _text(node)
    value = read_scalar(node.value)
    if node.tag == _PLAIN:
        return value
    if node.tag not in _TYPES:
        raise _fault(f"the tag {node.tag} is not allowed", node.start_mark)
    if not isinstance(value, _TYPES[node.tag]):
        kind = node.tag.removeprefix(_TAG)
        raise _fault(f"{node.value} cannot be read as !!{kind}", node.start_mark)
    return value


def _text(node: yaml.ScalarNode) -> str:
    """The text; what JSON writes as two halves (\\ud83d\\udc27) is one character."""
    try:
        return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise _fault("it has half of a \\u pair", node.start_mark) from error


def _key(node: yaml.Node) -> str:
    """Keys are text in JSON: 1 is "1", on is "true"."""
    value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
    if value is None:
        raise _fault("a key must be text", node.start_mark)
    return value if isinstance(value, str) else json.dumps(value)
