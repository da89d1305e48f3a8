"""The Deployment of one revision, made of its frozen snapshot alone.

Nothing here may depend on the spec or the installation of today: a revision's pods are never
replaced because something else changed. Only the number of pods is live.
"""

from typing import Any, Final

import msgspec

from slipway_operator.api.defaults import default_resources
from slipway_operator.api.quantity import read_quantity
from slipway_operator.api.vocabulary import BatchingMode
from slipway_operator.contract import (
    ENV_ARTIFACT,
    ENV_BIND,
    ENV_MODEL_DIR,
    ENV_MODEL_NAME,
    ENV_PORT_HTTP,
    ENV_PORT_METRICS,
    ENV_REVISION,
    ENV_SERVING,
    ENV_TERMINATION_LOG,
    MOUNT_MODEL,
    PATH_LIVE,
    PATH_READY,
    PORT_HTTP,
    PORT_METRICS,
    PORT_NAME_HTTP,
    PORT_NAME_METRICS,
    TERMINATION_LOG,
)
from slipway_operator.resources.registry import (
    build_credentials_env,
    build_credentials_mounts,
    build_credentials_volumes,
    name_credentials,
)
from slipway_operator.resources.restricted import (
    MOUNT_TMP,
    build_container_security,
    build_env,
    build_pod_security,
)
from slipway_operator.state.canonical import render_canonical
from slipway_operator.state.identity import (
    ANNOTATION_SERVED,
    ANNOTATION_SNAPSHOT,
    ChildKind,
    Component,
    Owner,
)
from slipway_operator.state.revision import Snapshot, render_snapshot

DRAIN_SECONDS: Final = 20
PROPAGATION_SECONDS: Final = 3  # a pod goes on answering until every gateway knows that it leaves
STARTUP_SECONDS: Final = 300
_MARGIN_SECONDS: Final = 5

Json = dict[str, Any]


def build_deployment(
    *,
    owner: Owner,
    snapshot: Snapshot,
    replicas: int | None,
    progress_deadline_seconds: int,
    served_until: str | None = None,
) -> Json:
    """The Deployment `NAME-rHASH10` with `replicas` pods; None: an autoscaler counts them.
    `served_until`: RFC 3339, of one that is kept so that it can come back."""
    counted = {} if replicas is None else {"replicas": replicas}
    revision = snapshot.revision
    labels = owner.labels(revision=revision, component=Component.SERVE)
    return {
        "apiVersion": ChildKind.DEPLOYMENT.api_version,
        "kind": ChildKind.DEPLOYMENT.value,
        "metadata": owner.metadata(
            name=owner.revision_name(revision),
            labels=labels,
            annotations={ANNOTATION_SNAPSHOT: render_snapshot(snapshot)}
            | ({ANNOTATION_SERVED: served_until} if served_until else {}),
        ),
        "spec": {
            **counted,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": max(progress_deadline_seconds, 1),
            "selector": {"matchLabels": owner.revision_selector(revision)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": _template(owner=owner, snapshot=snapshot, labels=labels),
        },
    }


def build_serving(snapshot: Snapshot) -> Json:
    """`SLIPWAY_SERVING` as docs/wire.md has it."""
    serving = snapshot.serving
    memory = read_quantity(_resources(snapshot)["limits"]["memory"])
    # Said only where it differs, so that pods from before the field stay as they are.
    off = {"batching": "Off"} if serving.batching.mode is BatchingMode.OFF else {}
    return {
        **off,
        "timeoutSeconds": serving.timeout_seconds,
        "maxRequestBytes": serving.max_request_bytes,
        "maxBatchRows": serving.max_batch_rows,
        "unpickle": snapshot.unpickle.value,
        "drainSeconds": DRAIN_SECONDS,
        "memoryBytes": int(memory),
        "contract": msgspec.to_builtins(snapshot.contract),
    }


def _template(*, owner: Owner, snapshot: Snapshot, labels: dict[str, str]) -> Json:
    shaped: Json = msgspec.to_builtins(snapshot.serving.pod_template)
    metadata: Json = {"labels": {**shaped.pop("labels", {}), **labels}}
    if annotations := shaped.pop("annotations", None):
        metadata["annotations"] = annotations
    registry = name_credentials(
        owner.revision_name(snapshot.revision),
        credentials=snapshot.registry,
        secret=snapshot.registry_secret,
    )
    return {
        "metadata": metadata,
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "serviceAccountName": owner.name,
            "securityContext": build_pod_security(),
            "terminationGracePeriodSeconds": DRAIN_SECONDS + PROPAGATION_SECONDS + _MARGIN_SECONDS,
            "initContainers": [_pull(snapshot, registry=registry)],
            "containers": [_serve(owner, snapshot)],
            "volumes": [
                {"name": "model", "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
                *build_credentials_volumes(registry),
            ],
            **shaped,
        },
    }


def _pull(snapshot: Snapshot, *, registry: str | None) -> Json:
    return {
        "name": "pull",
        "image": snapshot.image,
        "command": ["slipway-runtime", "pull"],
        "env": build_env(
            {
                ENV_ARTIFACT: snapshot.build.artifact,
                ENV_MODEL_DIR: MOUNT_MODEL,
                ENV_TERMINATION_LOG: TERMINATION_LOG,
                **build_credentials_env(registry),
            }
        ),
        "resources": _resources(snapshot),
        "securityContext": build_container_security(),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*_mounts(read_only=False), *build_credentials_mounts(registry)],
    }


def _serve(owner: Owner, snapshot: Snapshot) -> Json:
    return {
        "name": "serve",
        "image": snapshot.image,
        "command": ["slipway-runtime", "serve"],
        "env": build_env(
            {
                ENV_BIND: "0.0.0.0",  # noqa: S104 - inside a pod; the NetworkPolicy says who may come
                ENV_MODEL_DIR: MOUNT_MODEL,
                ENV_MODEL_NAME: owner.name,
                ENV_PORT_HTTP: str(PORT_HTTP),
                ENV_PORT_METRICS: str(PORT_METRICS),
                ENV_REVISION: snapshot.revision,
                ENV_SERVING: render_canonical(build_serving(snapshot)),
                ENV_TERMINATION_LOG: TERMINATION_LOG,
            }
        ),
        "ports": [
            {"name": PORT_NAME_HTTP, "containerPort": PORT_HTTP, "protocol": "TCP"},
            {"name": PORT_NAME_METRICS, "containerPort": PORT_METRICS, "protocol": "TCP"},
        ],
        "startupProbe": _probe(PATH_READY, period_seconds=1, failures=STARTUP_SECONDS),
        "readinessProbe": _probe(PATH_READY, period_seconds=1, failures=2),
        "livenessProbe": _probe(PATH_LIVE, period_seconds=10, failures=6),
        "lifecycle": {"preStop": {"sleep": {"seconds": PROPAGATION_SECONDS}}},
        "resources": _resources(snapshot),
        "securityContext": build_container_security(),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(read_only=True),
    }


def _probe(path: str, *, period_seconds: int, failures: int) -> Json:
    return {
        "httpGet": {"path": path, "port": PORT_NAME_HTTP, "scheme": "HTTP"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _resources(snapshot: Snapshot) -> Json:
    asked = snapshot.serving.resources
    requests, limits = default_resources(asked.requests, asked.limits)
    return {"requests": requests, "limits": limits}


def _mounts(*, read_only: bool) -> list[Json]:
    model: Json = {"name": "model", "mountPath": MOUNT_MODEL}
    if read_only:
        model["readOnly"] = True
    return [model, {"name": "tmp", "mountPath": MOUNT_TMP}]
