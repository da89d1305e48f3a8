"""Kopf as a transport and no more: what its watches tell goes into the mirror and wakes a model.

No handler of Kopf's decides, writes or keeps state; its annotations, finalizers and events are
never used. What bites is set here: see docs/adr/0012-the-operator.md.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import kopf

from slipway_operator.edges.kubernetes.resources import MODEL, WATCHED, Resource
from slipway_operator.state.identity import LABEL_UID

Told = Callable[[str | None, dict[str, Any]], None]
_LONGEST_PAUSE: Final = 5.0


def build_registry(*, on_event: Told) -> kopf.OperatorRegistry:
    """The watches: models, and what carries the uid of one.

    Args:
        on_event: gets the kind of change (None: it was listed) and the object.
    """
    registry = kopf.OperatorRegistry()

    async def log_in(**how: Any) -> kopf.ConnectionInfo | None:
        # the kubeconfig is the one that KUBECONFIG names
        return kopf.login_with_service_account(**how) or kopf.login_with_kubeconfig(**how)

    kopf.on.login(registry=registry, id="login")(log_in)

    async def tell(event: kopf.RawEvent, **_: Any) -> None:
        on_event(event["type"], dict(event["object"]))

    _watch(registry, MODEL, tell)
    for resource in WATCHED:
        _watch(registry, resource, tell, labels={LABEL_UID: kopf.PRESENT})
    return registry


def _watch(registry: kopf.OperatorRegistry, resource: Resource, tell: Any, **how: Any) -> None:
    kopf.on.event(
        resource.group, resource.version, resource.plural,
        registry=registry, id=resource.plural, **how,
    )(tell)  # fmt: skip


def build_settings() -> kopf.OperatorSettings:
    """Kopf's settings: quiet, patient for ever, and quick to notice a watch that went deaf."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _Pauses()
    settings.watching.server_timeout = 570
    settings.watching.client_timeout = 600
    settings.watching.connect_timeout = 5
    settings.queueing.worker_limit = 64
    settings.persistence.finalizer = "slipway.dev/kopf"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix="slipway.dev")
    return settings


class _Pauses:
    """Pauses after errors without an end, the longest five seconds, each with jitter."""

    def __iter__(self) -> Iterator[float]:
        for number in itertools.count():
            longest = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(number, 8))
            yield random.uniform(longest / 2, longest)  # noqa: S311  jitter
