"""What the API serves, told as Kubernetes tells it, so that a plain kubectl finds its way.

The version, the groups and the kinds of each, and OpenAPI v3 as far as kubectl asks for it: that a
write is validated here (`fieldValidation`), and what `kubectl explain` shows.
"""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any, Final

from slipway_operator.api.crd import render_crd
from slipway_operator.local.kinds import KINDS, MODEL_DEPLOYMENT, POD, Kind

Object = dict[str, Any]

# The version of Kubernetes whose API this is a part of.
KUBERNETES: Final = ("1", "33")
_VERBS: Final = ("create", "delete", "get", "list", "patch", "update", "watch")
_OPENAPI: Final = "/openapi/v3"


def describe_path(path: str) -> Object | None:
    """What stands under a path of discovery, or None when it is none."""
    path = path.rstrip("/")
    match path:
        case "/version":
            return _describe_version()
        case "/api":
            return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]}
        case "/apis":
            groups = [_describe_group(version) for version in _versions() if "/" in version]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case "/openapi/v3":
            roots = dict.fromkeys(kind.root for kind in KINDS)
            return {"paths": {r[1:]: {"serverRelativeURL": f"{_OPENAPI}{r}"} for r in roots}}
    for version in _versions():
        kinds = [kind for kind in KINDS if kind.api_version == version]
        if path == kinds[0].root:
            return _describe_kinds(version, kinds)
        if path == f"{_OPENAPI}{kinds[0].root}":
            return _describe_schemas(kinds)
        if "/" in version and path == kinds[0].root.rpartition("/")[0]:
            return {"apiVersion": "v1", **_describe_group(version)}
    return None


def _versions() -> list[str]:
    return list(dict.fromkeys(kind.api_version for kind in KINDS))


def _describe_version() -> Object:
    major, minor = KUBERNETES
    ours = importlib.metadata.version("slipway-operator")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0+slipway-{ours}",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def _describe_group(api_version: str) -> Object:
    group, _, version = api_version.partition("/")
    served = {"groupVersion": api_version, "version": version}
    return {"kind": "APIGroup", "name": group, "versions": [served], "preferredVersion": served}


def _describe_kinds(api_version: str, kinds: list[Kind]) -> Object:
    resources = []
    for kind in kinds:
        resources.append(_describe_kind(kind))
        if kind.has_status:
            resources.append(_describe_part(kind, "status", ["get", "patch", "update"]))
        if kind.has_scale:
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            resources.append(_describe_part(kind, "scale", ["get", "patch", "update"]) | scale)
        if kind is POD:
            resources.append(_describe_part(kind, "log", ["get"]))
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": resources,
    }


def _describe_kind(kind: Kind) -> Object:
    categories = ["all"] if kind.in_all else []
    if kind is MODEL_DEPLOYMENT:
        categories.append("slipway")
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": True,
        "kind": kind.kind,
        "verbs": list(_VERBS),
        "shortNames": list(kind.short_names),
        "categories": categories,
    }


def _describe_part(kind: Kind, part: str, verbs: list[str]) -> Object:
    return {
        "name": f"{kind.plural}/{part}",
        "singularName": "",
        "namespaced": True,
        "kind": kind.kind,
        "verbs": verbs,
    }


def _describe_schemas(kinds: list[Kind]) -> Object:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Slipway's engine", "version": kinds[0].api_version},
        "paths": {
            f"{k.root}/namespaces/{{namespace}}/{k.plural}/{{name}}": _operation(k) for k in kinds
        },
        "components": {"schemas": {_schema_name(kind): _describe_schema(kind) for kind in kinds}},
    }


def _operation(kind: Kind) -> Object:
    names = [{"name": name, "in": "path", "required": True} for name in ("namespace", "name")]
    validated = {"name": "fieldValidation", "in": "query"}
    text = {"schema": {"type": "string"}}
    return {
        "parameters": [name | text for name in names],
        "patch": {
            "parameters": [validated | text],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": kind.group_version_kind,
        },
    }


def _schema_name(kind: Kind) -> str:
    group, _, version = kind.api_version.rpartition("/")
    return ".".join([*reversed((group or "core").split(".")), version, kind.kind])


def _describe_schema(kind: Kind) -> Object:
    schema: Mapping[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    if kind is MODEL_DEPLOYMENT:
        schema = render_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return {**schema, "x-kubernetes-group-version-kind": [kind.group_version_kind]}
