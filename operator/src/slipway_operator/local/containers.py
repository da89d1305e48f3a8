"""From a container of a pod to a process: folders for volumes, environment, command (docs/wire.md).

There is no mount namespace on a laptop, so a mount path that begins an environment value or an
argument is replaced by the real folder. What the engine cannot honour is refused with a sentence,
never left out. It starts nothing.
"""

import base64
import binascii
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from slipway_operator.contract import ENV_BIND, ENV_ENVIRONMENTS, ENV_TERMINATION_LOG
from slipway_operator.local.ports import LOOPBACK
from slipway_operator.local.processes import RunSpec

Object = dict[str, Any]

_KEPT_ENV: Final = (
    "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
    # where training environments come from, by uv's own names
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
    "UV_OFFLINE", "UV_CACHE_DIR",
)  # fmt: skip
_BEFORE_MOUNT: Final = r"^((?:--[A-Za-z0-9-]+=)?(?:[a-z][a-z0-9+.-]*://)?)"
_FIELDS: Final[dict[str, Callable[[Mapping[str, Any]], object]]] = {
    "metadata.name": lambda pod: pod["metadata"]["name"],
    "metadata.namespace": lambda pod: pod["metadata"]["namespace"],
    "metadata.uid": lambda pod: pod["metadata"]["uid"],
    "status.podIP": lambda _: LOOPBACK,
    "status.hostIP": lambda _: LOOPBACK,
}
_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


class ContainerRefused(Exception):
    """The container asks for what the engine cannot give; the sentence says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFolder:
    """One pod's place on disk: ``volumes/NAME``, ``home``, ``containers/NAME/N``."""

    root: Path

    def volume(self, name: str) -> Path:
        """The real folder of a volume."""
        return self.root / "volumes" / name

    def runs(self, container: str) -> Path:
        """Where the lives of a container lie, numbered from 0."""
        return self.root / "containers" / container

    @property
    def home(self) -> Path:
        """``HOME`` and ``TMPDIR`` of every container of the pod."""
        return self.root / "home"

    def clear_scratch(self) -> None:
        """Free what a finished pod no longer needs; its logs and reports stay."""
        shutil.rmtree(self.root / "volumes", ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


def parse_quantity(text: object) -> int:
    """Bytes of a Kubernetes quantity: ``512Mi`` is 536870912.

    Raises:
        ContainerRefused: when it is no quantity of bytes.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kMGT]i?|Ki|)", str(text))
    if found is None:
        raise ContainerRefused(f'"{text}" is no quantity of bytes; write for example 512Mi.')
    return int(float(found[1]) * _UNITS[found[2]])


def replace_mounts(text: str, mounts: Mapping[str, Path]) -> str:
    """A value in which the mount path that begins it (after ``--x=`` or ``scheme://``) is real.

    >>> replace_mounts("oci-layout:///slipway/work/a", {"/slipway/work": Path("/d")})
    'oci-layout:///d/a'
    """
    for mount in sorted(mounts, key=len, reverse=True):
        found = re.match(_BEFORE_MOUNT + re.escape(mount.rstrip("/")) + r"(?=/|$)", text)
        if found is not None:
            return f"{found[1]}{mounts[mount]}{text[found.end() :]}"
    return text


def prepare_volumes(
    pod: Mapping[str, Any], container: Mapping[str, Any], folder: PodFolder, secrets: "Secrets"
) -> dict[str, Path]:
    """Make the folders that a container mounts; returns mount path → real folder.

    Raises:
        ContainerRefused: an unknown volume, a kind the engine has not, or a missing Secret.
        OSError: the disk is full.
    """
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    mounts: dict[str, Path] = {}
    for mount in container.get("volumeMounts") or ():
        name = mount["name"]
        volume = volumes.get(name)
        if volume is None:
            raise ContainerRefused(f'container "{container["name"]}" mounts no volume "{name}"')
        real = folder.volume(name)
        real.mkdir(mode=0o700, parents=True, exist_ok=True)
        if "secret" in volume:
            _write_secret(volume["secret"], real, secrets)
        elif "emptyDir" not in volume:
            kind = next((key for key in volume if key != "name"), "nothing")
            raise ContainerRefused(
                f'volume "{name}" is a {kind}; the laptop engine has emptyDir and secret only'
            )
        mounts[mount["mountPath"]] = real / mount["subPath"] if mount.get("subPath") else real
    return mounts


class Secrets:
    """How a Secret is looked up; the engine hands in its store."""

    def read(self, name: str) -> Mapping[str, Any] | None:
        """The Secret object of the pod's namespace, or None."""
        raise LookupError(name)


def _write_secret(source: Mapping[str, Any], real: Path, secrets: Secrets) -> None:
    name = source["secretName"]
    found = secrets.read(name)
    if found is None:
        if source.get("optional"):
            return
        raise ContainerRefused(f'secret "{name}" not found; apply it or correct its name')
    for key, value in (found.get("data") or {}).items():
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise ContainerRefused(f'secret "{name}": key "{key}" is not base64') from None
        path = real / key
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


def remove_secret_files(
    pod: Mapping[str, Any], container: Mapping[str, Any], folder: PodFolder
) -> None:
    """Take away the Secrets that a container mounted, once it has ended."""
    secret = {v["name"] for v in pod["spec"].get("volumes") or () if "secret" in v}
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in secret:
            shutil.rmtree(folder.volume(mount["name"]), ignore_errors=True)


def build_run_spec(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    *,
    folder: PodFolder,
    run_folder: Path,
    mounts: Mapping[str, Path],
    ports: Mapping[str, int],
    environments: Path,
) -> RunSpec:
    """The process that a container is.

    Args:
        mounts: from :func:`prepare_volumes`. ports: named container port → port on loopback.
        environments: where training environments are kept, for all pods.

    Raises:
        ContainerRefused: no command, or an environment source that the engine has not.
    """
    command = [*(container.get("command") or ()), *(container.get("args") or ())]
    if not command:
        raise ContainerRefused(
            f'container "{container["name"]}" has no command; the laptop engine has no images to '
            "take one from"
        )
    command = [replace_mounts(str(part), mounts) for part in command]
    folder.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = _base_env(folder.home)
    for variable in container.get("env") or ():
        value = _read_variable(pod, variable)
        env[variable["name"]] = replace_mounts(value, mounts)
    env[ENV_TERMINATION_LOG] = str(run_folder / "termination")
    env[ENV_BIND] = LOOPBACK
    env[ENV_ENVIRONMENTS] = str(environments)
    for name, port in ports.items():
        env[f"SLIPWAY_PORT_{name.upper().replace('-', '_')}"] = str(port)
    limits = (container.get("resources") or {}).get("limits") or {}
    memory = limits.get("memory")
    workdir = container.get("workingDir")
    return RunSpec(
        command=[_find_program(command[0], env["PATH"]), *command[1:]],
        env=env,
        cwd=Path(replace_mounts(workdir, mounts)) if workdir else folder.home,
        memory_bytes=parse_quantity(memory) if memory is not None else None,
        rlimits={"NOFILE": 65536},
    )


def _base_env(home: Path) -> dict[str, str]:
    beside = str(Path(sys.executable).parent)
    env = {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
    env.setdefault("LANG", "C.UTF-8")
    env["PATH"] = os.pathsep.join([beside, "/usr/local/bin", "/usr/bin", "/bin"])
    env["HOME"] = env["TMPDIR"] = str(home)
    env["PYTHONUNBUFFERED"] = "1"
    return env


def _read_variable(pod: Mapping[str, Any], variable: Mapping[str, Any]) -> str:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    read = _FIELDS.get((source.get("fieldRef") or {}).get("fieldPath", ""))
    if read is None:
        raise ContainerRefused(
            f'variable "{variable["name"]}" comes from a source the laptop engine has not; mount '
            "Secrets as files, or use fieldRef with metadata.* or status.podIP"
        )
    return str(read(pod))


def _find_program(name: str, path: str) -> str:
    return shutil.which(name, path=path) or name


def collect_ports(containers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of all named ports of a pod's containers, in order."""
    return [
        port["name"]
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name")
    ]
