"""The Job of one build: three containers, three trusts (docs/wire.md).

`fetch` has network, Secrets and claims and never opens the model; `convert` opens it and has none
of them; `publish` has the artifact store only. A Job is written once and never changed.
"""

from typing import Any, Final

from slipway_operator.api.spec import Model
from slipway_operator.contract import (
    ENV_ARTIFACT_STORE,
    ENV_BUILD,
    ENV_FETCH_ALLOW,
    ENV_SECRETS_DIR,
    ENV_TERMINATION_LOG,
    ENV_WORK_DIR,
    MOUNT_CLAIMS,
    MOUNT_SECRETS,
    MOUNT_WORK,
    TERMINATION_LOG,
)
from slipway_operator.resources.registry import (
    registry_env,
    registry_mounts,
    registry_volumes,
)
from slipway_operator.resources.restricted import (
    MOUNT_TMP,
    build_container_security,
    build_env,
    build_pod_security,
)
from slipway_operator.settings import BuildLimits, Settings
from slipway_operator.state.canonical import SHORT, render_canonical
from slipway_operator.state.identity import (
    ANNOTATION_ATTEMPT,
    ChildKind,
    Component,
    Owner,
)

TTL_SECONDS: Final = 3600  # long enough to read the logs; the result is frozen in the status
_CLAIM_PREFIX: Final = "pvc://"
_TMP_BYTES: Final = 1 << 30
_STEP_MEMORY: Final = {"fetch": 1 << 30, "publish": 2 << 30}

Json = dict[str, Any]


def build_build_job(
    *,
    owner: Owner,
    model: Model,
    build_hash: str,
    attempt: int,
    model_digest: str | None,
    samples_digest: str | None,
    settings: Settings,
) -> Json:
    """The Job `NAME-bHASH10`.

    The digests are those that the addresses were resolved to before (or that the spec states); None
    when this build resolves them.
    """
    request = render_canonical(
        build_request(
            owner=owner,
            model=model,
            build_hash=build_hash,
            model_digest=model_digest,
            samples_digest=samples_digest,
            settings=settings,
        )
    )
    labels = owner.labels(build=build_hash[:SHORT], component=Component.BUILD)
    pod: Json = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": model.access.service_account_name or owner.name,
        "securityContext": build_pod_security(),
        "initContainers": [
            _step("fetch", request=request, model=model, settings=settings),
            _step("convert", request=request, model=model, settings=settings),
        ],
        "containers": [_step("publish", request=request, model=model, settings=settings)],
        "volumes": [
            *_volumes(model, settings.limits),
            *registry_volumes(settings.artifact_store),
        ],
    }
    return {
        "apiVersion": ChildKind.JOB.api_version,
        "kind": ChildKind.JOB.value,
        "metadata": owner.metadata(
            name=owner.build_name(build_hash),
            labels=labels,
            annotations={ANNOTATION_ATTEMPT: str(attempt)},
        ),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": settings.limits.deadline_seconds,
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def build_request(
    *,
    owner: Owner,
    model: Model,
    build_hash: str,
    model_digest: str | None,
    samples_digest: str | None,
    settings: Settings,
) -> Json:
    """`SLIPWAY_BUILD` as docs/wire.md has it."""
    limits = settings.limits
    secret = model.access.secret_ref
    return {
        "name": owner.name,
        "namespace": owner.namespace,
        "buildHash": build_hash,
        "model": {
            "uri": model.uri,
            "digest": model_digest,
            "samples": None
            if model.samples is None
            else {"uri": model.samples.uri, "digest": samples_digest},
            "format": model.format.value,
            "runtime": model.runtime.value,
            "unpickle": model.unpickle.value,
            "packages": list(model.packages),
            "access": {
                "endpoint": model.access.endpoint,
                "region": model.access.region,
                "secret": secret.name if secret else None,
            },
        },
        "limits": {
            "modelBytes": limits.model_bytes,
            "samplesBytes": limits.samples_bytes,
            "fetchSeconds": limits.fetch_seconds,
            "convertSeconds": limits.convert_seconds,
            "convertMemoryBytes": limits.convert_memory_bytes,
            "convertCpuSeconds": limits.convert_cpu_seconds,
            "scratchBytes": limits.scratch_bytes,
        },
        "allowFile": settings.is_laptop,
    }


def _step(step: str, *, request: str, model: Model, settings: Settings) -> Json:
    env = {
        ENV_BUILD: request,
        ENV_WORK_DIR: MOUNT_WORK,
        ENV_TERMINATION_LOG: TERMINATION_LOG,
    }
    mounts: list[Json] = [
        {"name": "work", "mountPath": MOUNT_WORK},
        {"name": "tmp", "mountPath": MOUNT_TMP},
    ]
    if step == "fetch":
        env[ENV_SECRETS_DIR] = MOUNT_SECRETS
        env[ENV_FETCH_ALLOW] = ",".join(settings.fetch_allow)
        if model.access.secret_ref is not None:
            mounts.append({"name": "secrets", "mountPath": MOUNT_SECRETS, "readOnly": True})
        mounts += [
            {"name": f"claim-{number}", "mountPath": f"{MOUNT_CLAIMS}/{claim}", "readOnly": True}
            for number, claim in enumerate(find_claims(model))
        ]
    if step == "publish":
        env[ENV_ARTIFACT_STORE] = settings.artifact_store
        env |= registry_env(settings.artifact_store)
        mounts += registry_mounts(settings.artifact_store)
    memory = str(_STEP_MEMORY.get(step, settings.limits.convert_memory_bytes))
    return {
        "name": step,
        "image": settings.build_image,
        "command": ["slipway-runtime", step],
        "env": build_env(env),
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": memory, "ephemeral-storage": str(settings.limits.scratch_bytes)},
        },
        "securityContext": build_container_security(),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def find_claims(model: Model) -> tuple[str, ...]:
    """The PersistentVolumeClaims that `pvc://CLAIM/PATH` addresses name, each once, in order."""
    uris = (model.uri,) if model.samples is None else (model.uri, model.samples.uri)
    return tuple(dict.fromkeys(uri.split("/")[2] for uri in uris if uri.startswith(_CLAIM_PREFIX)))


def _volumes(model: Model, limits: BuildLimits) -> list[Json]:
    volumes: list[Json] = [
        {"name": "work", "emptyDir": {"sizeLimit": str(limits.scratch_bytes)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": str(_TMP_BYTES)}},
    ]
    if model.access.secret_ref is not None:
        volumes.append(
            {
                "name": "secrets",
                "secret": {"secretName": model.access.secret_ref.name, "defaultMode": 0o440},
            }
        )
    # Read-only also for the kubelet, which then leaves owners and modes of the files alone.
    volumes += [
        {
            "name": f"claim-{number}",
            "persistentVolumeClaim": {"claimName": claim, "readOnly": True},
        }
        for number, claim in enumerate(find_claims(model))
    ]
    return volumes
