"""The operator's configuration file (docs/operator-config.md): read strictly, once, at start.

What the file may hold and what each key means; `config_rules` says what else must be true of it.
"""

import os
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from slipway_operator.api.defaults import GATEWAY_NAME, GATEWAY_NAMESPACE
from slipway_operator.edges.config_rules import (
    find_duplicate_key,
    list_faults,
)
from slipway_operator.settings import (
    SYSTEM_NAMESPACE,
    BuildLimits,
    Engine,
    GatewayAddress,
    PrometheusAddress,
    RegistryCredentials,
    RuntimeUpdates,
    Settings,
)

_DEFAULT: Final = BuildLimits()
_PAGE: Final = "docs/operator-config.md lists its keys"


class ConfigInvalid(Exception):
    """The file cannot be used; the text says everything that is wrong, a sentence a line."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """camelCase in the file, and no key that nobody knows."""


class Registry(_Part, frozen=True, kw_only=True):
    """How builds and pods prove to the artifact store who they are."""

    credentials: RegistryCredentials = RegistryCredentials.NONE
    signing_key_file: str | None = None
    secret_name: str | None = None


class Images(_Part, frozen=True, kw_only=True):
    """Serving and build images, by digest."""

    build: str
    onnx: str
    native: str


class Gateway(_Part, frozen=True, kw_only=True):
    """The Gateway of models that name none."""

    name: str = GATEWAY_NAME
    namespace: str = GATEWAY_NAMESPACE
    section_name: str | None = None


class LeaseTerms(_Part, frozen=True, kw_only=True):
    """The Lease by which one replica leads."""

    name: str = "slipway-operator"
    duration_seconds: int = 10


class PrometheusServer(_Part, frozen=True, kw_only=True):
    """The Prometheus that rollouts may be judged by."""

    url: str
    token_file: str | None = None


class Limits(_Part, frozen=True, kw_only=True):
    """How much one build may take."""

    model_bytes: int = _DEFAULT.model_bytes
    samples_bytes: int = _DEFAULT.samples_bytes
    fetch_seconds: int = _DEFAULT.fetch_seconds
    convert_seconds: int = _DEFAULT.convert_seconds
    publish_seconds: int = _DEFAULT.publish_seconds
    convert_memory_bytes: int = _DEFAULT.convert_memory_bytes
    convert_cpu_seconds: int = _DEFAULT.convert_cpu_seconds
    scratch_bytes: int = _DEFAULT.scratch_bytes


class OperatorConfig(_Part, frozen=True, kw_only=True):
    """The whole file."""

    artifact_store: str
    images: Images
    registry: Registry = Registry()
    domain: str | None = None
    url_scheme: Literal["http", "https"] = "http"
    gateway: Gateway = Gateway()
    watch_namespaces: tuple[str, ...] = ()
    system_namespace: str = SYSTEM_NAMESPACE
    fetch_allow: tuple[str, ...] = ()
    limits: Limits = Limits()
    runtime_updates: RuntimeUpdates = RuntimeUpdates.NEXT_REVISION
    lease: LeaseTerms = LeaseTerms()
    max_builds_per_namespace: int = 2
    prometheus: PrometheusServer | None = None
    metrics_from: tuple[str, ...] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def own_namespace(self) -> str:
        """Where this process runs, and its Lease lies."""
        return os.environ.get("POD_NAMESPACE") or self.system_namespace

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
            gateway=GatewayAddress(
                name=self.gateway.name,
                namespace=self.gateway.namespace,
                section_name=self.gateway.section_name,
            ),
            system_namespace=self.system_namespace,
            fetch_allow=self.fetch_allow,
            limits=BuildLimits(**msgspec.structs.asdict(self.limits)),
            runtime_updates=self.runtime_updates,
            max_builds_per_namespace=self.max_builds_per_namespace,
            registry_credentials=self.registry.credentials,
            registry_secret=self.registry.secret_name,
            prometheus=None
            if self.prometheus is None
            else PrometheusAddress(url=self.prometheus.url, token_file=self.prometheus.token_file),
            metrics_from=self.metrics_from,
        )


def read_config(path: Path) -> OperatorConfig:
    """Read the file.

    Raises:
        ConfigInvalid: it cannot be read, or says something that no version understands.
    """
    try:
        return parse_config(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as error:
        raise ConfigInvalid(f'Cannot read configuration "{path}": {error.strerror}.') from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f'Configuration "{path}" is not UTF-8 text: {error}.') from error


def parse_config(text: str, *, name: str) -> OperatorConfig:
    """Read a configuration's text; `name` is what messages call it.

    Raises:
        ConfigInvalid: see `read_config`.
    """
    try:
        if (twice := find_duplicate_key(text)) is not None:
            raise ConfigInvalid(f'Configuration "{name}" has the key {twice} twice: keep one.')
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        words = " ".join(str(error).split())
        raise ConfigInvalid(f'Configuration "{name}" is not YAML: {words}.') from error
    try:
        config = msgspec.convert(found, OperatorConfig)
    except msgspec.ValidationError as error:
        words = str(error).replace("`$.", "`").replace(" - at `$`", "")
        raise ConfigInvalid(f'Configuration "{name}" is wrong: {words}; {_PAGE}.') from error
    if faults := list_faults(msgspec.to_builtins(config)):
        lines = "\n".join(f'Configuration "{name}": {fault}' for fault in faults)
        raise ConfigInvalid(lines)
    return config
