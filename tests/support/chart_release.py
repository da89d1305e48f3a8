"""The chart, installed on the test cluster by Helm and taken away again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chart_rendering import CHART, helm
from cluster_access import Cluster, Namespace

SYSTEM = "slipway-chart"


@contextmanager
def installed_chart(cluster: Cluster, values: Path) -> Iterator[Namespace]:
    """Installed as its documentation says, in a namespace that enforces `restricted`."""
    system = Namespace(cluster=cluster, name=SYSTEM)
    labels = {"slipway.dev/test": "true", "pod-security.kubernetes.io/enforce": "restricted"}
    system.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM, "labels": labels}}
    )
    # `install_account` made the CRD without Helm: a release may not take what is not its own.
    cluster.kubectl(
        "annotate", "crd", "modeldeployments.slipway.dev", "--overwrite",
        "meta.helm.sh/release-name=slipway", f"meta.helm.sh/release-namespace={SYSTEM}",
    )  # fmt: skip
    cluster.kubectl(
        "label", "crd", "modeldeployments.slipway.dev", "--overwrite",
        "app.kubernetes.io/managed-by=Helm",
    )  # fmt: skip
    try:
        run_helm(
            cluster, "upgrade", "--install", "slipway", str(CHART), "-f", str(values), "--wait"
        )
        yield system
    finally:
        # whatever a failed test left: without models there is nothing to refuse
        cluster.kubectl("delete", "md", "-A", "--all", "--timeout=60s")
        run_helm(cluster, "uninstall", "slipway", "--ignore-not-found", "--wait")
        cluster.kubectl("delete", "namespace", SYSTEM)


def run_helm(cluster: Cluster, *words: str) -> str:
    """Run Helm on the release's namespace; returns what it printed.

    Raises:
        NotRendered: it was refused.
    """
    where = ("--kubeconfig", str(cluster.kubeconfig), "-n", SYSTEM, "--timeout", "120s")
    return helm(*words, *where)
