"""The Services: one for each revision, named by the route, and one for the model inside the
cluster."""

from typing import Any, Final

from slipway_operator.contract import PORT_NAME_HTTP
from slipway_operator.state.identity import ANNOTATION_SNAPSHOT, ChildKind, Component, Owner
from slipway_operator.state.revision import Snapshot, render_snapshot

PORT: Final = 80

Json = dict[str, Any]


def build_revision_service(*, owner: Owner, snapshot: Snapshot) -> Json:
    """The Service `NAME-rHASH10`, which carries a second copy of the snapshot."""
    revision = snapshot.revision
    return _service(
        metadata=owner.metadata(
            name=owner.revision_name(revision),
            labels=owner.labels(revision=revision, component=Component.SERVE),
            annotations={ANNOTATION_SNAPSHOT: render_snapshot(snapshot)},
        ),
        selector=owner.revision_selector(revision),
    )


def build_model_service(*, owner: Owner, stable: str) -> Json:
    """The Service `NAME`: the address inside the cluster, always the stable revision's pods."""
    return _service(
        metadata=owner.metadata(name=owner.name, labels=owner.labels(component=Component.SERVE)),
        selector=owner.revision_selector(stable),
    )


def _service(*, metadata: Json, selector: dict[str, str]) -> Json:
    return {
        "apiVersion": ChildKind.SERVICE.api_version,
        "kind": ChildKind.SERVICE.value,
        "metadata": metadata,
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {
                    "name": PORT_NAME_HTTP,
                    "port": PORT,
                    "targetPort": PORT_NAME_HTTP,
                    "protocol": "TCP",
                }
            ],
        },
    }
