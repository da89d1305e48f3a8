"""Everything an administrator may set, as one frozen value.

Read once at a process' edge and handed to the core as an argument. A laptop and a cluster differ
in these values alone: the objects that are planned have the same shape.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from slipway_operator.api.defaults import GATEWAY_NAME, GATEWAY_NAMESPACE

LAPTOP_IMAGE: Final = (
    "slipway-runtime:laptop"  # the engine starts processes; the name is only shown
)
SYSTEM_NAMESPACE: Final = "slipway-system"


class Engine(StrEnum):
    """What carries the planned objects out."""

    LAPTOP = "Laptop"
    CLUSTER = "Cluster"


class RegistryCredentials(StrEnum):
    """How builds and pods prove to the artifact store who they are."""

    NONE = "None"  # they do not
    SECRET = "Secret"  # noqa: S105  by a Secret that each namespace has
    EMBEDDED = "Embedded"  # by short tokens that the operator signs


class RuntimeUpdates(StrEnum):
    """What a new serving image does to revisions that run."""

    NEXT_REVISION = "NextRevision"  # each keeps its image until something else makes a revision
    ROLLOUT = "Rollout"  # a new image is a new revision


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """How much one build may take. A Job's deadline is the sum of its three times."""

    model_bytes: int = 2 << 30
    samples_bytes: int = 256 << 20
    fetch_seconds: int = 300
    convert_seconds: int = 300
    publish_seconds: int = 120
    convert_memory_bytes: int = 4 << 30
    convert_cpu_seconds: int = 600
    scratch_bytes: int = 4 << 30

    @property
    def deadline_seconds(self) -> int:
        """Longest life of a build Job, in seconds."""
        return self.fetch_seconds + self.convert_seconds + self.publish_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAddress:
    """The Gateway of models that name none; `section_name` is one of its listeners."""

    name: str = GATEWAY_NAME
    namespace: str = GATEWAY_NAMESPACE
    section_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAddress:
    """A Prometheus that may be asked: what stands before `/api/v1/query`, and the file of a bearer
    token; None: it wants none."""

    url: str
    token_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation of Slipway.

    `artifact_store` is `oci-layout:///ABS/FOLDER` or `oci://HOST/PREFIX` (docs/wire.md). `domain`
    gives models their host names (`NAME.NAMESPACE.DOMAIN`); None: no public name. `fetch_allow`
    holds `HOST:PORT` entries that downloads may reach although they are private.
    `max_builds_per_namespace`: None: any number. `registry_secret` is the Secret of
    `RegistryCredentials.SECRET`. `prometheus`: None: rollouts can be judged by pods alone.
    `metrics_from`: namespaces besides Slipway's own from which pods' metrics may be read.
    """

    engine: Engine
    artifact_store: str
    build_image: str
    onnx_image: str
    native_image: str
    domain: str | None = None
    url_scheme: str = "http"
    gateway: GatewayAddress = GatewayAddress()
    system_namespace: str = SYSTEM_NAMESPACE
    fetch_allow: tuple[str, ...] = ()
    limits: BuildLimits = BuildLimits()
    runtime_updates: RuntimeUpdates = RuntimeUpdates.NEXT_REVISION
    max_builds_per_namespace: int | None = None
    registry_credentials: RegistryCredentials = RegistryCredentials.NONE
    registry_secret: str | None = None
    prometheus: PrometheusAddress | None = None
    metrics_from: tuple[str, ...] = ()

    @classmethod
    def laptop(
        cls,
        *,
        artifact_store: str,
        fetch_allow: tuple[str, ...] = (),
        limits: BuildLimits | None = None,
        prometheus: PrometheusAddress | None = None,
    ) -> "Settings":
        """Settings of the laptop engine: no domain, `file:` allowed, one name for all images."""
        return cls(
            engine=Engine.LAPTOP,
            artifact_store=artifact_store,
            build_image=LAPTOP_IMAGE,
            onnx_image=LAPTOP_IMAGE,
            native_image=LAPTOP_IMAGE,
            fetch_allow=fetch_allow,
            limits=limits or BuildLimits(),
            prometheus=prometheus,
        )

    @classmethod
    def cluster(
        cls,
        *,
        artifact_store: str,
        build_image: str,
        onnx_image: str,
        native_image: str,
        domain: str | None = None,
    ) -> "Settings":
        """Settings of the operator in a cluster. Images are given by digest."""
        return cls(
            engine=Engine.CLUSTER,
            artifact_store=artifact_store,
            build_image=build_image,
            onnx_image=onnx_image,
            native_image=native_image,
            domain=domain,
        )

    @property
    def is_laptop(self) -> bool:
        """Whether objects are carried out as local processes."""
        return self.engine is Engine.LAPTOP
