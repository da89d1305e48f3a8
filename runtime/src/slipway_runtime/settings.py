"""The environment of a build step, read once and typed (docs/wire.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_runtime.artifact.addresses import AllowList, parse_allow_list
from slipway_runtime.build_request import BuildRequest, parse_build_request
from slipway_runtime.contract import (
    ENV_ARTIFACT,
    ENV_ARTIFACT_STORE,
    ENV_BUILD,
    ENV_ENVIRONMENTS,
    ENV_FETCH_ALLOW,
    ENV_MODEL_DIR,
    ENV_REGISTRY_DIR,
    ENV_SECRETS_DIR,
    ENV_TERMINATION_LOG,
    ENV_WORK_DIR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What every build step is told; `secrets_dir` and `store` for the steps that have them."""

    build: BuildRequest
    work: Path
    termination_log: Path | None
    secrets_dir: Path | None
    allowed: AllowList
    store: str | None
    environments: Path
    registry_login: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSettings:
    """What `pull` is told."""

    artifact: str
    model_dir: Path
    environments: Path
    registry_login: Path | None = None


def read_step_settings(environment: Mapping[str, str]) -> StepSettings:
    """Read the environment of `fetch`, `convert` or `publish`.

    Raises:
        ValueError: a variable is missing or cannot be read; it is named.
    """
    work = _required(environment, ENV_WORK_DIR)
    build = parse_build_request(_required(environment, ENV_BUILD))
    termination_log = environment.get(ENV_TERMINATION_LOG)
    secrets_dir = environment.get(ENV_SECRETS_DIR)
    return StepSettings(
        build=build,
        work=Path(work),
        termination_log=Path(termination_log) if termination_log else None,
        secrets_dir=Path(secrets_dir) if secrets_dir else None,
        allowed=parse_allow_list(environment.get(ENV_FETCH_ALLOW, "")),
        store=environment.get(ENV_ARTIFACT_STORE) or None,
        environments=Path(environment.get(ENV_ENVIRONMENTS) or Path(work, "environments")),
        registry_login=_find_registry_login(environment),
    )


def read_pull_settings(environment: Mapping[str, str]) -> PullSettings:
    """Read the environment of `pull`.

    Raises:
        ValueError: a variable is missing; it is named.
    """
    model_dir = Path(_required(environment, ENV_MODEL_DIR))
    return PullSettings(
        artifact=_required(environment, ENV_ARTIFACT),
        model_dir=model_dir,
        environments=find_environments(environment, model_dir=model_dir),
        registry_login=_find_registry_login(environment),
    )


def find_environments(environment: Mapping[str, str], *, model_dir: Path) -> Path:
    """Where `pull` keeps training environments for `serve`."""
    return Path(environment.get(ENV_ENVIRONMENTS) or model_dir / ".environments")


def _find_registry_login(environment: Mapping[str, str]) -> Path | None:
    folder = environment.get(ENV_REGISTRY_DIR)
    return Path(folder) if folder else None


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise ValueError(f"Cannot start: environment variable {name} is not set.")
    return value
