"""Pods that run a few lines of Python as the restricted level wants it."""

from typing import Any

from cluster_access import Object

PYTHON = "localhost/python:3.11"
SAFE: Object = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_of(*words: str, **fields: Any) -> Object:
    """A pod's spec that runs Python as the restricted level wants it."""
    container = {
        "name": "main", "image": PYTHON, "imagePullPolicy": "Never", "args": list(words),
        "securityContext": SAFE, **fields,
    }  # fmt: skip
    return {"containers": [container], "restartPolicy": "Never"}
