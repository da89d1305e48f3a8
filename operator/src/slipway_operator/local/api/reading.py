"""What a request says: its path, its selectors, its body. Refuses what it cannot read."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from starlette.requests import Request

from slipway_operator.local.errors import BadRequest, NotFound, UnsupportedMedia
from slipway_operator.local.kinds import Kind, find_kind_by_url

Object = dict[str, Any]
MAX_BODY_BYTES: Final = 3 * 2**20
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_REQUIREMENT: Final = re.compile(
    r"(?P<not>!?)(?P<key>[A-Za-z0-9][-A-Za-z0-9_./]*)"
    r"(?:\s*(?P<sign>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)"
    r"|\s+(?P<word>in|notin)\s*\((?P<set>[^()]*)\))?"
)


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
    """A test of labels from ``a=b,c!=d,e,!f,g in (h,i),j notin (k)``.

    Raises:
        BadRequest: when it cannot be read.
    """
    words = [word.strip() for word in re.findall(r"(?:[^,(]|\([^)]*\))+", text)]
    tests = [_parse_requirement(word, text) for word in words if word]
    return lambda labels: all(test(labels) for test in tests)


def _parse_requirement(word: str, text: str) -> Callable[[Mapping[str, Any]], bool]:
    found = _REQUIREMENT.fullmatch(word)
    if found is None or (found["not"] and (found["sign"] or found["word"])):
        raise BadRequest(
            f'labelSelector "{text}" cannot be read; use a=b, a!=b, a, !a, a in (b) or '
            "a notin (b), with commas between."
        )
    key, value, members = found["key"], found["value"], found["set"]
    operator = found["sign"] or found["word"]
    if operator is None:
        return lambda labels: (key in labels) != bool(found["not"])
    values = {value} if members is None else {each.strip() for each in members.split(",")}
    if operator in ("=", "==", "in"):
        return lambda labels: key in labels and labels[key] in values
    return lambda labels: labels.get(key) not in values


def parse_field_selector(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A test of fields from ``metadata.name=x,status.phase!=y``."""
    wanted = []
    for word in filter(None, text.split(",")):
        path, separator, value = word.replace("==", "=").partition("=")
        if not separator:
            raise BadRequest(
                f'fieldSelector "{text}" cannot be read; use path=value or path!=value.'
            )
        wanted.append((path.removesuffix("!").split("."), value, not path.endswith("!")))

    def test(obj: Mapping[str, Any]) -> bool:
        for path, value, equal in wanted:
            found: Any = obj
            for step in path:
                found = found.get(step) if isinstance(found, Mapping) else None
            if (str(found if found is not None else "") == value) is not equal:
                return False
        return True

    return test


def parse_match(request: Request) -> Callable[[Mapping[str, Any]], bool]:
    """The test that a list or watch asks for by its selectors."""
    by_label = parse_selector(request.query_params.get("labelSelector", ""))
    by_field = parse_field_selector(request.query_params.get("fieldSelector", ""))
    return lambda obj: by_label(obj["metadata"].get("labels") or {}) and by_field(obj)


def refuse_dry_run(request: Request, options: Mapping[str, Any]) -> None:
    """A dry run must not be taken for a real one.

    Raises:
        BadRequest: when it is asked for, in the query or in the options of a delete.
    """
    if request.query_params.get("dryRun") or options.get("dryRun"):
        raise BadRequest("dryRun is not spoken here; use `slipway check` for a model file.")


def is_set(request: Request, name: str) -> bool:
    """Whether a query parameter is there and true."""
    return request.query_params.get(name, "").lower() in ("1", "true")


async def read_document(request: Request) -> Object:
    """The body, JSON or YAML, as one mapping.

    Raises:
        BadRequest: not readable, not one mapping, or larger than 3 MiB.
        UnsupportedMedia: Kubernetes' protobuf.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip()
    if media == PROTOBUF:
        raise UnsupportedMedia(
            "Protobuf is not spoken here; send JSON or YAML (kubectl: write the object with "
            "--dry-run=client -o yaml and apply that)."
        )
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
