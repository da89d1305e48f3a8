"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler, with RBAC, audit and admission.

Pod Security and ValidatingAdmissionPolicy are on by default; a namespace's labels choose the level.
"""

from rig.daemons import start, succeeds, wait_until
from rig.network import NODE_IP, SERVICES
from rig.places import Places

NAMES = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
_AUDIT = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  userGroups: ["system:nodes", "system:masters"]
  verbs: [get, list, watch]
- level: Metadata
"""


def start_control_plane(places: Places) -> None:
    """Start all four; returns when the API server is ready."""
    _start_etcd(places)
    _start_api(places)
    ready = ("kubectl", "--kubeconfig", str(places.kubeconfig), "get", "--raw", "/readyz")
    kubectl = str(places.programs / "kubectl")
    wait_until(places, "the API server is ready", succeeds(kubectl, *ready[1:]))
    _start_controllers(places)
    _start_scheduler(places)


def _start_etcd(places: Places) -> None:
    start(
        places, "etcd", "--name=default", f"--data-dir={places.state / 'etcd'}",
        "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=default=http://127.0.0.1:2380",
        "--unsafe-no-fsync", "--log-level=warn",
    )  # fmt: skip


def _start_api(places: Places) -> None:
    keys, policy = places.keys, places.state / "audit.yaml"
    policy.write_text(_AUDIT)
    start(
        places, "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379", f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}", "--secure-port=6443",
        f"--service-cluster-ip-range={SERVICES}", "--service-node-port-range=30000-32767",
        f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/ca.crt", "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys}/sa.pub",
        f"--service-account-signing-key-file={keys}/sa.key",
        f"--kubelet-client-certificate={keys}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={keys}/apiserver-kubelet-client.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={keys}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={keys}/front-proxy-client.crt",
        f"--proxy-client-key-file={keys}/front-proxy-client.key",
        f"--audit-policy-file={policy}", f"--audit-log-path={places.audit}",
        "--audit-log-maxsize=2048",  # MB: tests read the file as one, from its beginning
        "--event-ttl=1h", "--profiling=false", "--v=1",
    )  # fmt: skip


def _start_controllers(places: Places) -> None:
    keys, told = places.keys, f"{places.keys}/controller-manager.kubeconfig"
    start(
        places, "kube-controller-manager", f"--kubeconfig={told}",
        f"--authentication-kubeconfig={told}", f"--authorization-kubeconfig={told}",
        "--bind-address=127.0.0.1", "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={keys}/sa.key", f"--root-ca-file={keys}/ca.crt",
        f"--cluster-signing-cert-file={keys}/ca.crt", f"--cluster-signing-key-file={keys}/ca.key",
        f"--flex-volume-plugin-dir={places.state}/kubelet/plugins-exec",
        f"--service-cluster-ip-range={SERVICES}",
        "--controllers=*,bootstrapsigner,tokencleaner",
        # a test does not wait the minutes that a production cluster takes its time for
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=20s", "--v=1",
    )  # fmt: skip


def _start_scheduler(places: Places) -> None:
    told = f"{places.keys}/scheduler.kubeconfig"
    start(
        places, "kube-scheduler", f"--kubeconfig={told}", f"--authentication-kubeconfig={told}",
        f"--authorization-kubeconfig={told}", "--bind-address=127.0.0.1", "--leader-elect=false",
        "--v=1",
    )  # fmt: skip
