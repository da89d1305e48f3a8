"""Download a model or samples from an OCI artifact, as `slipway push` or `oras push` make them."""

from collections.abc import Iterator
from contextlib import contextmanager

from slipway_runtime.artifact.errand import Errand
from slipway_runtime.artifact.from_https import (
    KEYS,
    explain_status,
    range_headers,
    read_body,
    read_token,
)
from slipway_runtime.artifact.receive import Body, receive
from slipway_runtime.artifact.registry import Descriptor, Login, Registry, read_layers
from slipway_runtime.artifact.sink import FileSink
from slipway_runtime.artifact.web import Web
from slipway_runtime.errors import BuildError

ANNOTATION_ROLE = "dev.slipway.role"  # of a layer: model or samples
ANNOTATION_TITLE = "org.opencontainers.image.title"


def download_oci(errand: Errand, sink: FileSink) -> None:
    """Stream the layer that holds the model (or the samples) into the sink.

    The Secret's `username` and `password`, or `token`, log in; without them nobody does.

    Raises:
        BuildError: `URIForbidden`, the errand's `not_found`, `ModelAccessDenied`, `FetchTimeout`,
            `SourceUnavailable`, `DigestMismatch`, `ModelUnreadable`, or what the sink raises.
    """
    with Web(errand) as web:
        registry = Registry(web, errand, login=_read_login(errand))
        registry.connect()
        layer = _pick_layer(
            read_layers(registry.read_manifest(errand.uri.reference), errand), errand
        )
        sink.expect(layer.size_bytes)

        @contextmanager
        def _open(offset: int, version: str | None) -> Iterator[Body]:
            del version  # a blob's address is its digest: every part belongs to every other
            path = f"blobs/{layer.digest}"
            with registry.get(path, range_headers(offset)) as answer:
                if answer.status_code in (401, 403):
                    raise errand.denied(KEYS, code=str(answer.status_code))
                if answer.status_code not in (200, 206):
                    raise explain_status(answer, errand)
                yield read_body(web, answer, errand, offset=offset, version=layer.digest)

        receive(_open, sink, errand)
    if (sink.digest, sink.size_bytes) != (layer.digest, layer.size_bytes):
        raise BuildError(
            "DigestMismatch",
            f"Will not use {errand.what}: the registry sent {sink.size_bytes} bytes with digest "
            f"{sink.digest}, its manifest says {layer.size_bytes} bytes with {layer.digest}.",
        )


def _read_login(errand: Errand) -> Login:
    return Login(
        username=errand.key("username") or "",
        password=errand.key("password") or "",
        token="" if errand.key("username") else read_token(errand) or "",
    )


def _pick_layer(layers: tuple[Descriptor, ...], errand: Errand) -> Descriptor:
    """The layer of the errand's role; without roles, the only one.

    Raises:
        BuildError: `ModelUnreadable`, or the errand's `not_found`.
    """
    for layer in layers:
        if layer.annotations.get(ANNOTATION_ROLE) == errand.role:
            return layer
    if any(ANNOTATION_ROLE in layer.annotations for layer in layers):
        raise errand.missing(f"the artifact holds no {errand.role}; push it again with them")
    if len(layers) != 1:
        names = ", ".join(layer.annotations.get(ANNOTATION_TITLE, "?") for layer in layers)
        raise errand.unreadable(
            f"the artifact holds {len(layers)} files ({names or 'none'}); push one file, with "
            "`slipway push`"
        )
    return layers[0]
