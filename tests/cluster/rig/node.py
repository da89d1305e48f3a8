"""The one node: containerd with runc, the bridge network, kubelet, kube-proxy, and a firewall.

The firewall is kube-router's: it carries NetworkPolicies out, and does nothing else of its own.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

from rig.certificates import NODE
from rig.daemons import start, succeeds, wait_until
from rig.network import DNS_IP, NODE_IP, PODS, SERVICES
from rig.places import Places

NAMES = ("kubelet", "kube-proxy", "kube-router")
_CNI_PROGRAMS = "/usr/lib/cni"
_CNI_RESULTS = Path("/var/lib/cni/results")  # of every network of the machine
_NETWORK = "slipway"
_CONTAINERD = """version = 2
root = "{store}/containerd"
state = "{state}/containerd"
[grpc]
  address = "{socket}"
[debug]
  level = "warn"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_programs}"
    conf_dir = "{state}/cni"
"""


def start_containerd(places: Places) -> None:
    """Start it first: it needs no API server, and images are imported meanwhile."""
    settings = places.state / "containerd.toml"
    settings.write_text(
        _CONTAINERD.format(
            store=places.store,
            state=places.state,
            socket=places.containerd,
            cni_programs=_CNI_PROGRAMS,
        )
    )
    bridge = {
        "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True,
        "ipam": {
            "type": "host-local", "dataDir": f"{places.state}/addresses",
            "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}],
        },
    }  # fmt: skip
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    network = {"cniVersion": "1.0.0", "name": _NETWORK, "plugins": plugins}
    (places.state / "cni").mkdir()
    (places.state / "cni/10-slipway.conflist").write_text(json.dumps(network))
    start(places, "containerd", "--config", str(settings))
    wait_until(places, "containerd answers", succeeds(*containerd_command(places), "version"))


def containerd_command(places: Places) -> list[str]:
    """`ctr` in the namespace that a kubelet looks in."""
    return ["ctr", "-a", str(places.containerd), "-n", "k8s.io"]


def import_images(places: Places, folder: Path) -> None:
    """Make every image of a folder known; one that was imported before costs nothing."""
    imported = places.store / "imported"
    imported.mkdir(parents=True, exist_ok=True)
    for archive in sorted(folder.glob("*.tar")):
        found = archive.stat()
        mark, told = imported / archive.stem, f"{found.st_size} {found.st_mtime_ns}"
        if mark.exists() and mark.read_text() == told:
            continue
        command = [*containerd_command(places), "images", "import", str(archive)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        mark.write_text(told)


def start_node(places: Places) -> None:
    """Start kubelet, kube-proxy and the firewall; returns when the node is ready."""
    _start_kubelet(places)
    _start_proxy(places)
    kubectl = [str(places.programs / "kubectl"), "--kubeconfig", str(places.kubeconfig)]
    wait = ("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=10s")
    wait_until(places, "the node is ready", succeeds(*kubectl, *wait))
    _start_firewall(places)


def _start_kubelet(places: Places) -> None:
    resolver = places.state / "resolv.conf"  # not the host's: pods could ask it
    resolver.write_text("nameserver 127.0.0.1\n")
    keys = places.keys
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{places.containerd}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "enforceNodeAllocatable": ["pods"],
        "failSwapOn": False,
        "failCgroupV1": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{keys}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{keys}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{keys}/kubelet-server.key",
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolver),
        "podLogsDir": f"{places.state}/pod-logs",
        "volumePluginDir": f"{places.state}/kubelet/plugins-exec",
        "maxPods": 110,
        "maxOpenFiles": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "imageMinimumGCAge": "87600h",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "10s",
    }  # fmt: skip
    path = places.state / "kubelet.yaml"
    path.write_text(yaml.safe_dump(settings))
    start(
        places, "kubelet", f"--config={path}", f"--kubeconfig={keys}/kubelet.kubeconfig",
        f"--root-dir={places.state}/kubelet", f"--hostname-override={NODE}",
        f"--node-ip={NODE_IP}", "--v=1",
    )  # fmt: skip


def _start_proxy(places: Places) -> None:
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": f"{places.keys}/kube-proxy.kubeconfig"},
        "clusterCIDR": "10.244.0.0/16",
        "hostnameOverride": NODE,
        "bindAddress": NODE_IP,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # those settings cannot be written in a network namespace
        "conntrack": {
            "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s", "udpStreamTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
    }  # fmt: skip
    path = places.state / "kube-proxy.yaml"
    path.write_text(yaml.safe_dump(settings))
    start(places, "kube-proxy", f"--config={path}", "--v=1")


def _start_firewall(places: Places) -> None:
    start(
        places, "kube-router", f"--kubeconfig={places.kubeconfig}", f"--hostname-override={NODE}",
        "--run-firewall=true", "--run-router=false", "--run-service-proxy=false",
        "--enable-cni=false", f"--service-cluster-ip-range={SERVICES}", "--health-port=0", "--v=1",
    )  # fmt: skip


def end_pods(places: Places) -> None:
    """Kill what runs in pods, by the control group it is in, and forget the containers."""
    for pid in _list_pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if not places.containerd.exists():
        return
    ctr = containerd_command(places)
    for kind, remove in (("tasks", ("rm", "-f")), ("containers", ("rm",))):
        told = subprocess.run(
            [*ctr, kind, "ls", "-q"], capture_output=True, text=True, check=False, timeout=60
        )
        for name in told.stdout.split():
            subprocess.run(
                [*ctr, kind, *remove, name], capture_output=True, check=False, timeout=60
            )


def _list_pids() -> Iterator[int]:
    """What runs in pods; a group may go while one looks."""
    for top in Path("/sys/fs/cgroup").glob("*/kubepods"):
        for folder, _, _ in os.walk(top):
            with contextlib.suppress(OSError):
                yield from map(int, Path(folder, "cgroup.procs").read_text().split())


def clean_node(places: Places) -> None:
    """Unmount, and remove what a kubelet leaves outside the state folder."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{places.state}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
    for name in ("kubepods", "k8s.io"):
        for top in Path("/sys/fs/cgroup").glob(f"*/{name}"):
            for folder in sorted(top.rglob("*/"), reverse=True):
                _remove_group(folder)
            _remove_group(top)
    for result in _CNI_RESULTS.glob(f"{_NETWORK}-*-eth0"):
        container = result.name.removeprefix(f"{_NETWORK}-").removesuffix("-eth0")
        result.unlink()
        (_CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*.log"):
        if str(link.readlink()).startswith(str(places.state)):
            link.unlink()


def _remove_group(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
