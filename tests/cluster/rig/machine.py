"""Whether this machine can hold the cluster; installs Debian's packages where root may."""

import os
import shutil
import subprocess
from pathlib import Path

from rig.versions import DEBIAN_PACKAGES

_PROGRAMS = ("containerd", "runc", "iptables", "conntrack", "mmdebstrap", "ip", "nsenter", "socat")


def prepare_machine() -> str | None:
    """Make it able to; the sentence why not, where it is not."""
    if os.geteuid() != 0:
        return (
            "The test cluster needs root (network namespaces, control groups, mounts): run this as "
            "root, or set SLIPWAY_TEST_KUBECONFIG to the kubeconfig of a cluster of yours."
        )
    if not os.access("/sys/fs/cgroup", os.W_OK):
        return "The test cluster needs a writable /sys/fs/cgroup: this container has none."
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if not missing and Path("/usr/lib/cni/bridge").exists():
        return None
    if shutil.which("apt-get") is None:
        return f"The test cluster needs {', '.join(DEBIAN_PACKAGES)}: install them."
    print("· installing Debian's packages for the test cluster (containerd, runc, …)", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-qy", "--no-install-recommends", *DEBIAN_PACKAGES],
    ):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"Cannot install Debian's packages: {done.stderr.strip().splitlines()[-1]}"
    return None
