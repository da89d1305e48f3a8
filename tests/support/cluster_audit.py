"""What the operator was seen doing, in the API server's audit log, beside what it may do."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster_operator import ACCOUNT
from slipway_operator.edges.kubernetes.permissions import Permission

Right = tuple[str, str, str]  # verb, API group, resource (or resource/part)
_CREATED = 201
_READS = frozenset({"get", "list", "watch"})


def list_granted(permissions: Iterable[Permission]) -> set[Right]:
    """The rights of a table, one by one."""
    return {
        (verb, permission.resource.group, permission.plural)
        for permission in permissions
        for verb in permission.verbs
    }


def read_used(audit: Path, *namespaces: str) -> set[Right]:
    """What the operators of these namespaces asked for and were allowed, since the cluster began.

    The API server may be writing: a last line without its end is not yet one.
    """
    users = {f"system:serviceaccount:{namespace}:{ACCOUNT}" for namespace in namespaces}
    with audit.open() as lines:
        entries = (json.loads(line) for line in lines if ACCOUNT in line and line.endswith("\n"))
        return {
            right
            for entry in entries
            if entry["user"].get("username") in users  # none: the account is gone
            for right in _read_rights(entry)
        }


def _read_rights(entry: dict[str, Any]) -> Iterator[Right]:
    about = entry.get("objectRef") or {}
    allowed = (entry.get("annotations") or {}).get("authorization.k8s.io/decision") == "allow"
    if not allowed or "resource" not in about:
        return
    parts = (about["resource"], about.get("subresource"))
    resource = "/".join(part for part in parts if part)
    verb, group = str(entry["verb"]), str(about.get("apiGroup", ""))
    yield verb, group, resource
    # An object that is applied and was not there needs the right to create it as well.
    if verb == "patch" and (entry.get("responseStatus") or {}).get("code") == _CREATED:
        yield "create", group, resource


@dataclass(frozen=True, kw_only=True)
class Write:
    """One write that the operator asked for, whatever became of it."""

    verb: str
    resource: str
    place: str  # NAMESPACE/NAME
    asked_at: datetime


def read_writes(audit: Path, namespace: str, *, after: int) -> list[Write]:
    """What the operator of a namespace wrote since the audit log had so many bytes."""
    user = f"system:serviceaccount:{namespace}:{ACCOUNT}"
    with audit.open() as lines:
        lines.seek(after)
        entries = [json.loads(line) for line in lines if user in line and line.endswith("\n")]
    return [
        Write(
            verb=entry["verb"],
            resource=about.get("resource", entry["requestURI"]),
            place=f"{about.get('namespace', '')}/{about.get('name', '')}",
            asked_at=datetime.fromisoformat(entry["requestReceivedTimestamp"]),
        )
        for entry in entries
        if entry["user"].get("username") == user and entry["verb"] not in _READS
        for about in [entry.get("objectRef") or {}]
    ]
