"""The operator as a process beside the cluster: with exactly its own rights, and nothing more."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from cluster_access import Cluster, Refused
from slipway_operator.edges.kubernetes.permissions import PERMISSIONS, Permission, Scope

SYSTEM = "slipway-system"
ACCOUNT = "slipway-operator"
HANG_SECONDS = 60.0
ROOT = Path(__file__).resolve().parents[2]


def install_account(cluster: Cluster, *, without: tuple[str, ...] = ()) -> None:
    """The operator's ServiceAccount with the rights of its table.

    Args:
        without: plurals of resources that it shall not write.
    """
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": SYSTEM},
    }
    wide = [one for one in PERMISSIONS if one.scope is not Scope.OWN]
    own = [one for one in PERMISSIONS if one.scope is Scope.OWN]
    documents = [
        namespace,
        account,
        _role("ClusterRole", wide, without),
        _role("Role", own, without),
        _binding("ClusterRole"),
        _binding("Role"),
    ]
    listed = {"apiVersion": "v1", "kind": "List", "items": documents}
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(listed)
    )
    crd = ROOT / "manifests/crd.yaml"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd))
    _wait_established(cluster)


def _wait_established(cluster: Cluster) -> None:
    wait = ("wait", "--for=condition=Established", "crd/modeldeployments.slipway.dev")
    deadline = time.monotonic() + HANG_SECONDS
    while True:
        try:
            cluster.kubectl(*wait, "--timeout=60s")
        except Refused as refused:
            # A definition made this moment has no conditions yet, which kubectl calls an error.
            if "accessor error" not in str(refused) or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _role(kind: str, permissions: list[Permission], without: tuple[str, ...]) -> dict[str, Any]:
    rules = [
        {
            "apiGroups": [one.resource.group],
            "resources": [one.plural],
            "verbs": [
                verb
                for verb in one.verbs
                if one.plural not in without or verb in ("get", "list", "watch")
            ],
            **({"resourceNames": list(one.names)} if one.names else {}),
        }
        for one in permissions
    ]
    metadata = {"name": ACCOUNT, **({"namespace": SYSTEM} if kind == "Role" else {})}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": rules,
    }


def _binding(kind: str) -> dict[str, Any]:
    metadata = {"name": ACCOUNT, **({"namespace": SYSTEM} if kind == "Role" else {})}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM}],
    }


def write_kubeconfig(cluster: Cluster, path: Path) -> Path:
    """A kubeconfig by which one is the operator's ServiceAccount."""
    token = cluster.kubectl("-n", SYSTEM, "create", "token", ACCOUNT, "--duration=4h").strip()
    admin = yaml.safe_load(cluster.kubeconfig.read_text())
    user = {"name": ACCOUNT, "user": {"token": token}}
    context = {"cluster": admin["clusters"][0]["name"], "user": ACCOUNT}
    path.write_text(
        yaml.safe_dump(
            {
                **admin,
                "users": [user],
                "contexts": [{"name": "operator", "context": context}],
                "current-context": "operator",
            }
        )
    )
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Operator:
    """One replica. `log` is what it wrote."""

    folder: Path
    kubeconfig: Path
    config: Mapping[str, Any]
    name: str = "operator-0"
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None
    port: int = field(default_factory=_free_port)
    metrics_port: int = field(default_factory=_free_port)

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text()

    def start(self) -> "Operator":
        """Start it; returns at once."""
        settings = self.folder / "config.yaml"
        settings.write_text(yaml.safe_dump(dict(self.config)))
        command = [
            str(Path(sys.executable).with_name("slipway-operator")), "run",
            "--config", str(settings), "--kubeconfig", str(self.kubeconfig),
            "--port", str(self.port), "--metrics-port", str(self.metrics_port), *self.options,
        ]  # fmt: skip
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "POD_NAME": self.name}
            )
        return self

    def wait_leading(self) -> "Operator":
        """Until it leads."""
        deadline = time.monotonic() + HANG_SECONDS
        while self.metric("slipway_operator_leader") != 1.0:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)
        return self

    def metric(self, name: str) -> float | None:
        """One of its metrics; None while it does not answer."""
        try:
            told = httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
        except httpx.TransportError:
            return None
        values = [line.rpartition(" ")[2] for line in told.splitlines() if line.startswith(name)]
        return sum(map(float, values)) if values else None

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=HANG_SECONDS)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=HANG_SECONDS)


@contextmanager
def running_operator(cluster: Cluster, folder: Path, **config: Any) -> Iterator[Operator]:
    """An operator with the rights of its table, leading."""
    install_account(cluster)
    operator = Operator(
        folder=folder,
        kubeconfig=write_kubeconfig(cluster, folder / "kubeconfig"),
        config=config,
    )
    try:
        yield operator.start().wait_leading()
    finally:
        operator.stop()
