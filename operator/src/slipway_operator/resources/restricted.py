"""What every pod of ours looks like from the outside: the `restricted` Pod Security Standard.

The temporary folder is not `/tmp`: where there is no mount namespace, mount paths are replaced in
environment values, and a path of our own cannot be confused with a user's.
"""

from typing import Any, Final

MOUNT_TMP: Final = "/slipway/tmp"
USER_ID: Final = 10001

Json = dict[str, Any]


def build_pod_security() -> Json:
    """`securityContext` of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def build_container_security() -> Json:
    """`securityContext` of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }


def build_env(values: dict[str, str]) -> list[Json]:
    """Environment variables, by name; the temporary folder is always among them."""
    named = {"HOME": MOUNT_TMP, "TMPDIR": MOUNT_TMP, **values}
    return [{"name": name, "value": named[name]} for name in sorted(named)]
