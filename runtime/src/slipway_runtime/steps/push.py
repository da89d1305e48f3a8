"""`slipway-runtime push FILE oci://HOST/REPOSITORY[:TAG]`: a model into a registry.

JSON lines on stdout: how far each file is, at last the document of what was pushed (docs/wire.md).
Credentials come from docker's config.json or from variables that are named, never from arguments.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from slipway_runtime.artifact.addresses import parse_allow_list
from slipway_runtime.artifact.docker_login import find_login
from slipway_runtime.artifact.egress import EgressProxy
from slipway_runtime.artifact.registry import Login
from slipway_runtime.artifact.sink import FetchDeadline
from slipway_runtime.artifact.to_oci import PushErrand, push_artifact
from slipway_runtime.artifact.uri import SourceUri, parse_uri
from slipway_runtime.build_request import Access
from slipway_runtime.contract import ENV_FETCH_ALLOW
from slipway_runtime.errors import BuildError
from slipway_runtime.steps.edge import InterruptedByEngineError, explain, install_signals

PUSH_SCHEMA = "slipway.dev/push/v1"
_TOTAL_SECONDS = 3600.0
_STALL_SECONDS = 120.0  # a registry may take its time to store a large file


def run_push(arguments: argparse.Namespace) -> int:
    """The process edge: 0 when the artifact is in the registry, 1 when not."""
    install_signals()
    document: dict[str, Any] = {"schema": PUSH_SCHEMA, "ok": False}
    try:
        document |= _push(arguments, os.environ)
        code = 0
    except (Exception, InterruptedByEngineError, KeyboardInterrupt) as error:  # the process edge
        reason = explain(error, "push")
        document |= {"ok": False, "reason": reason.reason, "message": reason.message}
        code = 1
    _write(document)
    return code


def _push(arguments: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, Any]:
    uri = parse_uri(arguments.uri, field="address", allow_file=True, doing="push to")
    if uri.scheme != "oci" or uri.reference.startswith("sha256:"):
        raise BuildError(
            "URIForbidden",
            f'Cannot push to "{uri.shown}": it must be oci://HOST/REPOSITORY[:TAG].',
        )
    files = {"model": Path(arguments.file)}
    if arguments.samples is not None:
        files["samples"] = Path(arguments.samples)
    login, login_from = _read_login(arguments, uri, environment)
    allowed = parse_allow_list(environment.get(ENV_FETCH_ALLOW, ""))
    with EgressProxy(allowed) as proxy:
        errand = PushErrand(
            uri=uri,
            what=f'"{uri.shown}"',
            role="model",
            not_found="ModelNotFound",
            access=Access(),
            secrets={},
            proxy=proxy,
            allowed=allowed,
            deadline=FetchDeadline(_TOTAL_SECONDS, _STALL_SECONDS),
            doing="push to",
            login_from=login_from,
        )
        pushed = push_artifact(errand, files, login=login, tell=_tell)
    return {
        "ok": True,
        "uri": f"{uri.shown.partition('@')[0].removesuffix(f':{uri.reference}')}@{pushed.digest}",
        "digest": pushed.digest,
        "tag": uri.reference,
        "files": [
            {
                "role": file.role,
                "name": file.name,
                "digest": file.digest,
                "bytes": file.size_bytes,
                "existed": file.existed,
            }
            for file in pushed.files
        ],
        "reason": None,
        "message": None,
    }


def _read_login(
    arguments: argparse.Namespace, uri: SourceUri, environment: Mapping[str, str]
) -> tuple[Login, str]:
    """The login that the variables hold, else docker's."""
    names = {
        "username": arguments.username_env,
        "password": arguments.password_env,
        "token": arguments.token_env,
    }
    given = {what: name for what, name in names.items() if name}
    if not given:
        return find_login(uri.address, environment=environment)
    for what, name in given.items():
        if not environment.get(name):
            raise BuildError(
                "ModelAccessDenied",
                f'Cannot push to "{uri.shown}": environment variable {name}, which --{what}-env '
                "names, is not set.",
            )
    values = {what: environment[name] for what, name in given.items()}
    return Login(**values), f"the login in {', '.join(given.values())}"


def _tell(role: str, sent: int, total: int) -> None:
    _write({"file": role, "sentBytes": sent, "totalBytes": total})


def _write(document: Mapping[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()
