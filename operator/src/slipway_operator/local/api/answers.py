"""Answers in Kubernetes' words: objects, lists and ``kind: Status``."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from slipway_operator.local.errors import EngineError, Invalid
from slipway_operator.local.kinds import Kind

Object = dict[str, Any]


def render(value: Mapping[str, Any], *, code: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(value), code, media_type="application/json")


def build_list(kind: Kind, items: Sequence[Object], version: int) -> Object:
    """A list of one kind, as of a resourceVersion."""
    return {
        "apiVersion": kind.api_version,
        "kind": f"{kind.kind}List",
        "metadata": {"resourceVersion": str(version)},
        "items": list(items),
    }


def build_failure(error: EngineError) -> Object:
    """What went wrong, as a Status; a refused spec names a cause a field."""
    details: Object = {}
    if isinstance(error, Invalid):
        details |= {"kind": error.kind, "name": error.name}
        details["causes"] = [
            {"field": cause.field, "reason": cause.reason, "message": cause.message}
            for cause in error.causes
        ]
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "reason": error.reason,
        "message": error.message,
        "details": details,
        "code": error.code,
    }


def build_success(message: str, **details: str) -> Object:
    """That it was done, as a Status."""
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Success",
        "message": message,
        "details": details,
    }
