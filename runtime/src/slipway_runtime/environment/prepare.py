"""The part of `fetch` that makes a model's training environment, while there is a network."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from slipway_runtime.artifact.flavor import detect_flavor
from slipway_runtime.artifact.manifest import Environment
from slipway_runtime.artifact.model_folder import find_model
from slipway_runtime.artifact.training_versions import find_training_versions
from slipway_runtime.build_request import BuildRequest
from slipway_runtime.environment.make import keep_environment, resolve_environment, running_python
from slipway_runtime.environment.plan import plan_environment
from slipway_runtime.errors import BuildError
from slipway_runtime.report import read_report
from slipway_runtime.sandbox import explain_exit, policy_for, run_sandboxed

_READ_SECONDS = 30.0
_READ_BYTES = 1 << 30


def prepare_environment(build: BuildRequest, work: Path, *, folder: Path) -> Environment | None:
    """Make the environment of the model in `work/fetched`; None: it needs none.

    Raises:
        BuildError: `TrainingEnvironmentUnavailable`, `DiskFull`.
    """
    model = find_model(work / "fetched" / "model")
    if model is None:
        return None
    file, stated = (model, {}) if model.is_file() else _read_folder(model)
    try:
        flavor = detect_flavor(file)
        trained = {**stated, **find_training_versions(file, flavor)}
    except (BuildError, OSError, ValueError, EOFError):
        return None  # `convert` looks again and says what is wrong
    wanted = plan_environment(file, flavor, trained=trained, packages=build.model.packages)
    if wanted is None:
        return None
    deadline = time.monotonic() + build.limits.fetch_seconds
    lock = resolve_environment(wanted, folder=folder, deadline=deadline)
    keep_environment(lock, folder=folder, deadline=deadline)
    return Environment(python=running_python(), packages=lock)


def fetched_environment(work: Path) -> Environment | None:
    """What `fetch` reported of it: the model's code cannot have written there."""
    report = read_report(work, "fetch")
    told = report.facts.get("environment") if report is not None and report.ok else None
    return None if told is None else msgspec.convert(told, Environment)


def _read_folder(model: Path) -> tuple[Path, Mapping[str, str]]:
    """What an MLflow directory says, read in a sandbox: its YAML is a stranger's."""
    policy = policy_for(
        read=(model,), memory_bytes=_READ_BYTES, cpu_seconds=int(_READ_SECONDS), file_bytes=0
    )
    ended = run_sandboxed(
        target="slipway_runtime.environment.prepare:read_inside",
        argument={"folder": str(model.resolve())},
        policy=policy,
        wall_seconds=_READ_SECONDS,
    )
    if explain_exit(ended, policy=policy, wall_seconds=_READ_SECONDS, doing="Reading") is not None:
        return model, {}  # `convert` says what is wrong
    told: dict[str, Any] = msgspec.convert(ended.result, dict[str, Any])
    file = (model / str(told["data"])).resolve()
    if not file.is_relative_to(model.resolve()):
        return model, {}
    return file, msgspec.convert(told["versions"], dict[str, str])


def read_inside(argument: dict[str, str]) -> dict[str, Any]:
    """The sandboxed side: the model's file, relative, and the stated versions."""
    from slipway_runtime.artifact.mlflow_model import read_mlflow

    folder = Path(argument["folder"])
    told = read_mlflow(folder)
    return {"data": str(told.data.relative_to(folder)), "versions": dict(told.versions)}
