"""What a request says: its path, its selectors, its body. Refuses what it cannot read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from starlette.requests import Request

from slipway_operator.local.errors import BadRequest, NotFound
from slipway_operator.local.kinds import Kind, find_kind_by_url

Object = dict[str, Any]
MAX_BODY_BYTES: Final = 3 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names: a kind, perhaps in a namespace, perhaps one object or a part of it."""

    kind: Kind
    namespace: str | None
    name: str | None
    part: str | None


def parse_path(path: str) -> Target:
    """Read ``/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/PART`` and its shorter forms.

    Raises:
        NotFound: when the engine serves no such path.
    """
    words = path.strip("/").split("/")
    size = {"api": 2, "apis": 3}.get(words[0], len(words))
    root, rest = "/" + "/".join(words[:size]), words[size:]
    namespace: str | None = None
    if len(rest) >= 3 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    kind = find_kind_by_url(root, rest[0]) if rest else None
    if kind is None or len(rest) > 3 or (namespace is None and len(rest) > 1):
        raise NotFound(f'The engine serves no path "{path}".')
    return Target(
        kind=kind,
        namespace=namespace,
        name=rest[1] if len(rest) > 1 else None,
        part=rest[2] if len(rest) > 2 else None,
    )


def parse_selector(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A test of labels from ``a=b,c!=d,e,!f``.

    Raises:
        BadRequest: set-based requirements, which the engine does not speak.
    """
    if "(" in text:
        raise BadRequest(f'labelSelector "{text}" is set-based; use a=b, a!=b, a or !a.')
    words = [word.strip() for word in text.split(",") if word.strip()]
    return lambda labels: all(_matches(labels, word) for word in words)


def _matches(labels: Mapping[str, Any], word: str) -> bool:
    if "!=" in word:
        key, _, value = word.partition("!=")
        return labels.get(key) != value
    if "=" in word:
        key, _, value = word.replace("==", "=").partition("=")
        return labels.get(key) == value
    if word.startswith("!"):
        return word[1:] not in labels
    return word in labels


def parse_field_selector(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A test of fields from ``metadata.name=x,involvedObject.uid=y``."""
    wanted = []
    for word in filter(None, text.split(",")):
        path, separator, value = word.replace("==", "=").partition("=")
        if not separator or path.endswith("!"):
            raise BadRequest(f'fieldSelector "{text}" cannot be read; use path=value.')
        wanted.append((path.split("."), value))

    def test(obj: Mapping[str, Any]) -> bool:
        for path, value in wanted:
            found: Any = obj
            for step in path:
                found = found.get(step) if isinstance(found, Mapping) else None
            if str(found if found is not None else "") != value:
                return False
        return True

    return test


def parse_match(request: Request) -> Callable[[Mapping[str, Any]], bool]:
    """The test that a list or watch asks for by its selectors."""
    by_label = parse_selector(request.query_params.get("labelSelector", ""))
    by_field = parse_field_selector(request.query_params.get("fieldSelector", ""))
    return lambda obj: by_label(obj["metadata"].get("labels") or {}) and by_field(obj)


def is_set(request: Request, name: str) -> bool:
    """Whether a query parameter is there and true."""
    return request.query_params.get(name, "").lower() in ("1", "true")


async def read_document(request: Request) -> Object:
    """The body, JSON or YAML, as one mapping.

    Raises:
        BadRequest: not readable, not one mapping, or larger than 3 MiB.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        found = json.loads(bytes(body))
    except ValueError:
        try:
            found = yaml.safe_load(bytes(body))
        except (yaml.YAMLError, ValueError) as error:
            where = " ".join(str(error).split())
            raise BadRequest(f"The body is neither JSON nor YAML: {where}.") from None
    if not isinstance(found, dict):
        raise BadRequest("The body is not one object; send a mapping with apiVersion and kind.")
    return found


def place(document: Mapping[str, Any], target: Target) -> Object:
    """The document with the kind, namespace and name of the path.

    Raises:
        BadRequest: when it names others.
    """
    metadata = document.get("metadata")
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, Mapping):
        raise BadRequest("metadata is no mapping.")
    given = {
        "apiVersion": (document.get("apiVersion"), target.kind.api_version),
        "kind": (document.get("kind"), target.kind.kind),
        "metadata.namespace": (metadata.get("namespace"), target.namespace),
        "metadata.name": (metadata.get("name"), target.name),
    }
    for field, (found, expected) in given.items():
        if found is not None and expected is not None and found != expected:
            raise BadRequest(f'{field} is "{found}", but the path says "{expected}".')
    placed = {"namespace": target.namespace, "name": target.name or metadata.get("name")}
    return {
        **document,
        "apiVersion": target.kind.api_version,
        "kind": target.kind.kind,
        "metadata": {**metadata, **placed},
    }
