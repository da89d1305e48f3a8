"""One request to the Kubernetes API, as RBAC and the audit log name it: verb, resource, object."""

from collections.abc import Mapping
from dataclasses import dataclass

WRITES = frozenset({"create", "update", "patch", "delete"})
# Asked with POST, and nothing is kept of it.
_QUESTIONS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews"})
_VERBS = {"PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`resource` is the plural, with the subresource after a slash."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it is meant to change an object."""
        return self.verb in WRITES and self.resource not in _QUESTIONS


def read_request(method: str, path: str, query: Mapping[str, str]) -> Request:
    """What a method and a URL's path mean."""
    words = path.strip("/").split("/")
    words = words[2:] if words[0] == "api" else words[3:]
    namespace = ""
    if len(words) > 2 and words[0] == "namespaces":
        namespace, words = words[1], words[2:]
    plural, name, part = (*words, "", "", "")[:3]
    if method == "GET":
        watched = query.get("watch") in ("1", "true")
        verb = "watch" if watched else "get" if name else "list"
    else:
        verb = _VERBS.get(method, method.lower())
    resource = f"{plural}/{part}" if part else plural
    return Request(verb=verb, resource=resource, namespace=namespace, name=name)
