"""What a cluster has beside Kubernetes: DNS, metrics, and Envoy Gateway with a Gateway."""

import subprocess

from rig.daemons import wait_until
from rig.places import HERE, Places
from rig.versions import COREDNS, ENVOY, METRICS_SERVER

_GATEWAY_NAMESPACE = "envoy-gateway-system"


def install_addons(places: Places) -> None:
    """Install all of them; returns when the Gateway is programmed and metrics are served."""
    for name in ("coredns", "metrics-server"):
        _apply(places, name)
    kubectl(
        places, "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s"
    )
    _install_gateway(places)
    _apply(places, "gateway")
    wait = ("wait", "--timeout=120s", "--for=condition=Programmed", "gateway/slipway")
    kubectl(places, "-n", _GATEWAY_NAMESPACE, *wait)
    available = ("wait", "--timeout=10s", "--for=condition=Available", "apiservice")
    wait_until(
        places,
        "metrics are served",
        lambda: _works(places, *available, "v1beta1.metrics.k8s.io"),
    )


def kubectl(places: Places, *arguments: str, given: str | None = None) -> str:
    """Ask as the administrator.

    Raises:
        subprocess.CalledProcessError: it was refused; `stderr` says why.
    """
    command = [str(places.programs / "kubectl"), "--kubeconfig", str(places.kubeconfig), *arguments]
    return subprocess.run(command, check=True, text=True, capture_output=True, input=given).stdout


def helm(places: Places, *arguments: str) -> str:
    """Run helm as the administrator."""
    command = [str(places.programs / "helm"), "--kubeconfig", str(places.kubeconfig), *arguments]
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def _install_gateway(places: Places) -> None:
    chart = str(places.built / "charts/gateway-helm")
    helm(
        places, "upgrade", "--install", "eg", chart, "-n", _GATEWAY_NAMESPACE,
        "--create-namespace", "--timeout", "180s", "--wait",
    )  # fmt: skip


def _apply(places: Places, name: str) -> None:
    text = (HERE / "manifests" / f"{name}.yaml").read_text()
    for field, value in (
        ("COREDNS", COREDNS),
        ("METRICS_SERVER", METRICS_SERVER),
        ("ENVOY", ENVOY),
    ):
        text = text.replace(f"${{{field}}}", value)
    kubectl(places, "apply", "--server-side", "-f", "-", given=text)


def _works(places: Places, *arguments: str) -> bool:
    try:
        kubectl(places, *arguments)
    except subprocess.CalledProcessError:
        return False
    return True
