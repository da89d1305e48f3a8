"""What the operator was seen doing, in the API server's audit log, beside what it may do."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cluster_operator import ACCOUNT, SYSTEM
from slipway_operator.edges.kubernetes.permissions import Permission

Right = tuple[str, str, str]  # verb, API group, resource (or resource/part)
USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
_CREATED = 201


def list_granted(permissions: Iterable[Permission]) -> set[Right]:
    """The rights of a table, one by one."""
    return {
        (verb, permission.resource.group, permission.plural)
        for permission in permissions
        for verb in permission.verbs
    }


def read_used(audit: Path) -> set[Right]:
    """What the operator's account asked for and was allowed, since the cluster began."""
    with audit.open() as lines:
        entries = (json.loads(line) for line in lines if USER in line)
        return {right for entry in entries for right in _read_rights(entry)}


def _read_rights(entry: dict[str, Any]) -> Iterator[Right]:
    about = entry.get("objectRef") or {}
    allowed = (entry.get("annotations") or {}).get("authorization.k8s.io/decision") == "allow"
    if entry["user"]["username"] != USER or not allowed or "resource" not in about:
        return
    parts = (about["resource"], about.get("subresource"))
    resource = "/".join(part for part in parts if part)
    verb, group = str(entry["verb"]), str(about.get("apiGroup", ""))
    yield verb, group, resource
    # An object that is applied and was not there needs the right to create it as well.
    if verb == "patch" and (entry.get("responseStatus") or {}).get("code") == _CREATED:
        yield "create", group, resource
