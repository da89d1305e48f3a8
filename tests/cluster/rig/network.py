"""The cluster's network: one network namespace, one pair of interfaces to the host, and no more.

The host reaches the API server, every Service and every pod by two routes. No port is opened on a
real interface, and the pods cannot leave the machine as long as the host does not forward.
"""

import subprocess
from pathlib import Path

NAMESPACE = "slipway-kube"
NODE_IP, HOST_IP = "172.30.0.1", "172.30.0.2"
SERVICES, PODS = "10.96.0.0/16", "10.244.0.0/24"
DNS_IP, API_IP = "10.96.0.10", "10.96.0.1"
_HOST_END, _NODE_END = "slipway-host", "slipway-node"
_SETTINGS = {
    "/proc/sys/net/ipv4/ip_forward": "1",
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "1",
    "/proc/sys/net/ipv4/conf/all/route_localnet": "1",
}
# What the kubelet sets for the whole machine; put back when the cluster goes.
_MACHINE = (
    "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
)  # fmt: skip


def inside(*command: str) -> list[str]:
    """A command to be run in the namespace; `ip netns exec` would hide /sys/fs/cgroup."""
    return ["nsenter", f"--net=/run/netns/{NAMESPACE}", *command]


def make_network() -> None:
    """Make the namespace, the pair and the routes."""
    _ip("netns", "add", NAMESPACE)
    _ip("link", "add", _HOST_END, "type", "veth", "peer", "name", _NODE_END, "netns", NAMESPACE)
    _ip("addr", "add", f"{HOST_IP}/24", "dev", _HOST_END)
    _ip("link", "set", _HOST_END, "up")
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("ip", "addr", "add", f"{NODE_IP}/24", "dev", _NODE_END),
        ("ip", "link", "set", _NODE_END, "up"),
        ("ip", "route", "add", "default", "via", HOST_IP),
        *(("sh", "-c", f"echo {value} > {path}") for path, value in _SETTINGS.items()),
    ):
        subprocess.run(inside(*command), check=True, capture_output=True, text=True)
    for subnet in (SERVICES, "10.244.0.0/16"):
        _ip("route", "add", subnet, "via", NODE_IP)


def remove_network() -> None:
    """Remove them; fine where they are not there."""
    for name in (path.name for path in Path("/run/netns").glob("cni-*")):
        _ip("netns", "del", name, check=False)
    _ip("link", "del", _HOST_END, check=False)
    _ip("netns", "del", NAMESPACE, check=False)


def has_network() -> bool:
    return Path("/run/netns", NAMESPACE).exists()


def note_settings(path: Path) -> None:
    """Keep the machine's settings that a kubelet changes."""
    lines = [f"{name} {Path('/proc/sys', name).read_text().strip()}" for name in _MACHINE]
    path.write_text("\n".join(lines) + "\n")


def restore_settings(path: Path) -> None:
    """Put back what `note_settings` kept."""
    for line in path.read_text().splitlines() if path.exists() else ():
        name, _, value = line.partition(" ")
        Path("/proc/sys", name).write_text(value)


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)
