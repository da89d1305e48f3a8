"""The operator's configuration file (docs/operator-config.md): read strictly, once, at start."""

from pathlib import Path
from typing import Literal

import msgspec

from slipway_operator.settings import (
    SYSTEM_NAMESPACE,
    BuildLimits,
    Engine,
    RuntimeUpdates,
    Settings,
)


class ConfigInvalid(Exception):
    """The file cannot be used; the text is one sentence."""


_DEFAULT = BuildLimits()


class Images(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Serving and build images, by digest."""

    build: str
    onnx: str
    native: str


class LeaseTerms(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The Lease by which one replica leads."""

    name: str = "slipway-operator"
    duration_seconds: int = 15


class Limits(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How much one build may take (docs/architecture.md)."""

    model_bytes: int = _DEFAULT.model_bytes
    samples_bytes: int = _DEFAULT.samples_bytes
    fetch_seconds: int = _DEFAULT.fetch_seconds
    convert_seconds: int = _DEFAULT.convert_seconds
    publish_seconds: int = _DEFAULT.publish_seconds
    convert_memory_bytes: int = _DEFAULT.convert_memory_bytes
    convert_cpu_seconds: int = _DEFAULT.convert_cpu_seconds
    scratch_bytes: int = _DEFAULT.scratch_bytes


class OperatorConfig(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The whole file."""

    artifact_store: str
    images: Images
    domain: str | None = None
    url_scheme: Literal["http", "https"] = "http"
    watch_namespaces: tuple[str, ...] = ()
    system_namespace: str = SYSTEM_NAMESPACE
    fetch_allow: tuple[str, ...] = ()
    limits: Limits = Limits()
    runtime_updates: RuntimeUpdates = RuntimeUpdates.NEXT_REVISION
    lease: LeaseTerms = LeaseTerms()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    def to_settings(self) -> Settings:
        """What of it the core is handed."""
        return Settings(
            engine=Engine.CLUSTER,
            artifact_store=self.artifact_store,
            build_image=self.images.build,
            onnx_image=self.images.onnx,
            native_image=self.images.native,
            domain=self.domain,
            url_scheme=self.url_scheme,
            system_namespace=self.system_namespace,
            fetch_allow=self.fetch_allow,
            limits=BuildLimits(**msgspec.structs.asdict(self.limits)),
            runtime_updates=self.runtime_updates,
        )


def read_config(path: Path) -> OperatorConfig:
    """Read the file.

    Raises:
        ConfigInvalid: it cannot be read, or says something that no version understands.
    """
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=OperatorConfig)
    except OSError as error:
        raise ConfigInvalid(f'Cannot read configuration "{path}": {error.strerror}.') from error
    except msgspec.DecodeError as error:
        raise ConfigInvalid(
            f'Configuration "{path}" is wrong: {error}; docs/operator-config.md lists its keys.'
        ) from error
