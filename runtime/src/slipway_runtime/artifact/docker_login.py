"""Who logs in to a registry from a person's machine: what `docker login` left, read as docker does.

https://docs.docker.com/reference/cli/docker/login/#credential-stores. Nothing is ever written.
"""

import base64
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_runtime.artifact.registry import Login
from slipway_runtime.errors import BuildError

_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_SECONDS = 30


def find_login(address: str, *, environment: Mapping[str, str]) -> tuple[Login, str]:
    """The login for a registry `HOST[:PORT]`, and how to call it; nobody when none is there.

    Raises:
        BuildError: `ModelAccessDenied` when the file or a credential helper cannot be used.
    """
    folder = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/")) / ".docker"
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return _name(Login(), path)
    except (OSError, ValueError) as error:
        raise _unusable(path, f"it cannot be read ({error})") from error
    if not isinstance(config, dict):
        raise _unusable(path, "it is not a JSON object")
    helper = (config.get("credHelpers") or {}).get(address) or config.get("credsStore")
    if helper:
        return _name(_ask_helper(str(helper), address, path=path), path)
    return _name(_read_entry(_find_entry(config.get("auths") or {}, address), path), path)


def _name(login: Login, path: Path) -> tuple[Login, str]:
    if not login.username:
        return login, f"an unknown caller: {path} has no login for it"
    return login, f'user "{login.username}" of {path}'


def _find_entry(entries: Mapping[str, Any], address: str) -> Mapping[str, Any]:
    """The entry of a registry, which older clients wrote as a URL."""
    for name, entry in entries.items():
        if re.sub("^https?://", "", str(name)).partition("/")[0] == address:
            return dict(entry)
    return {}


def _read_entry(entry: Mapping[str, Any], path: Path) -> Login:
    if entry.get("identitytoken"):
        raise _unusable(path, "it holds an identity token, which is not supported")
    if not entry.get("auth"):
        return Login(username=entry.get("username", ""), password=entry.get("password", ""))
    try:
        user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except ValueError as error:
        raise _unusable(path, "an entry under auths is not base64") from error
    return Login(username=user, password=password)


def _ask_helper(helper: str, address: str, *, path: Path) -> Login:
    if not _HELPER.fullmatch(helper):
        raise _unusable(path, "the name of its credential helper is not one")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=address,
            capture_output=True,
            text=True,
            check=False,
            timeout=_HELPER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unusable(path, f"{program}, which it names, does not run") from error
    if done.returncode != 0:
        return Login()  # the helper has nothing for this registry
    try:
        found = json.loads(done.stdout)
        user, password = str(found["Username"]), str(found["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise _unusable(path, f"{program}, which it names, gave no credentials") from error
    if user == "<token>":
        raise _unusable(path, f"{program} gave an identity token, which is not supported")
    return Login(username=user, password=password)


def _unusable(path: Path, why: str) -> BuildError:
    return BuildError(
        "ModelAccessDenied",
        f'Cannot log in with "{path}": {why}; log in again with `docker login`, or name variables '
        "with --username-env and --password-env.",
    )
