"""What to build: the typed form of `SLIPWAY_BUILD` (docs/wire.md).

The control side has validated the spec; this reading is strict all the same, so that a mistake
between the two sides is one clear sentence and not a KeyError deep in a step.
"""

from typing import Literal

import msgspec

Runtime = Literal["Auto", "ONNX", "Native"]
Unpickle = Literal["Sandboxed", "Never"]


class Access(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where an object store answers, when it is not the public one."""

    endpoint: str | None = None
    region: str | None = None
    secret: str | None = None  # the Secret's name, for messages only


class Samples(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """Rows that the model must answer the same before and after the conversion."""

    uri: str
    digest: str | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`spec.model`, with its defaults filled in."""

    uri: str
    digest: str | None = None
    samples: Samples | None = None
    format: str = "Auto"
    runtime: Runtime = "Auto"
    unpickle: Unpickle = "Sandboxed"
    packages: tuple[str, ...] = ()
    access: Access = Access()


class Limits(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How much a build may take. Units are in the names."""

    model_bytes: int = 2 << 30
    samples_bytes: int = 256 << 20
    fetch_seconds: float = 300
    convert_seconds: float = 300
    convert_memory_bytes: int = 4 << 30
    convert_cpu_seconds: int = 600
    scratch_bytes: int = 4 << 30


class BuildRequest(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """One build: a model, its limits, and the name under which it is kept."""

    name: str
    namespace: str
    build_hash: str
    model: Model
    limits: Limits = Limits()
    allow_file: bool = False


def parse_build_request(text: str | bytes) -> BuildRequest:
    """Read `SLIPWAY_BUILD`.

    Raises:
        ValueError: the text is not JSON, or not this shape; the message names the field.
    """
    try:
        return msgspec.json.decode(text, type=BuildRequest)
    except msgspec.DecodeError as error:  # ValidationError is a DecodeError
        raise ValueError(f"Cannot read SLIPWAY_BUILD: {error}.") from error
