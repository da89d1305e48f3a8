"""How one serving process is told what to do: its environment (docs/wire.md), parsed strictly."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from slipway_runtime import contract
from slipway_runtime.serving.core.policies import StatedRule
from slipway_runtime.settings import find_environments

Positive = Annotated[int, msgspec.Meta(ge=1)]


class SettingsInvalid(Exception):
    """The environment does not say how to serve; the message names the variable."""


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    pass


class RuleSetting(_Wire, frozen=True, kw_only=True):
    """One entry of `spec.contract.rules`."""

    column: str
    rule: Literal[
        "ExtraColumn", "MissingColumn", "MissingValue", "OutOfRange", "UnknownCategory", "WrongType"
    ]
    on_violation: Literal["Reject", "Warn", "Default", "Quarantine"]
    value: str | None = None


class ContractSetting(_Wire, frozen=True, kw_only=True):
    """`spec.contract`."""

    on_violation: Literal["Reject", "Warn", "Default", "Quarantine"] = "Warn"
    rules: tuple[RuleSetting, ...] = ()

    @property
    def stated(self) -> tuple[StatedRule, ...]:
        """The rules as the contract check takes them."""
        return tuple(
            StatedRule(
                column=rule.column, rule=rule.rule, policy=rule.on_violation, value=rule.value
            )
            for rule in self.rules
        )


class Serving(_Wire, frozen=True, kw_only=True):
    """`SLIPWAY_SERVING`: seconds, bytes and rows; `memory_bytes` bounds the model worker."""

    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10
    max_request_bytes: Positive = 1 << 20
    max_batch_rows: Positive = 1024
    batching: Literal["Auto", "Off"] = "Auto"
    unpickle: Literal["Sandboxed", "Never"] = "Sandboxed"
    drain_seconds: Annotated[float, msgspec.Meta(ge=0)] = 20
    memory_bytes: Positive | None = None
    contract: ContractSetting = ContractSetting()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one serving process needs to know."""

    model_dir: Path
    environments: Path
    model_name: str
    revision: str
    bind: str
    port_http: int
    port_metrics: int
    serving: Serving


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Parse the environment of `slipway-runtime serve`.

    Raises:
        SettingsInvalid: a variable is missing or cannot be read.
    """
    try:
        serving = msgspec.json.decode(environment.get(contract.ENV_SERVING, "{}"), type=Serving)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SettingsInvalid(f"Cannot read {contract.ENV_SERVING}: {error}.") from error
    folder = environment.get(contract.ENV_MODEL_DIR, contract.MOUNT_MODEL)
    name = environment.get(contract.ENV_MODEL_NAME, "")
    if not name:
        raise SettingsInvalid(f"Cannot serve: {contract.ENV_MODEL_NAME} is not set.")
    return Settings(
        model_dir=Path(folder),
        environments=find_environments(environment, model_dir=Path(folder)),
        model_name=name,
        revision=environment.get(contract.ENV_REVISION, "none"),
        bind=environment.get(contract.ENV_BIND, "0.0.0.0"),  # noqa: S104 a pod listens for its node
        port_http=_port(environment, contract.ENV_PORT_HTTP, contract.PORT_HTTP),
        port_metrics=_port(environment, contract.ENV_PORT_METRICS, contract.PORT_METRICS),
        serving=serving,
    )


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingsInvalid(f'Cannot read {name}: "{text}" is no port (1 to 65535).')
    return int(text)


def count_cpus() -> int:
    """Processors that this process may use: affinity, and the CPU limit of its cgroup."""
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        return usable
    return usable if quota == "max" else max(1, min(usable, int(quota) // int(period)))
