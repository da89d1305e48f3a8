"""Where the cluster keeps what: built once a version, stored between clusters, gone with each.

CACHE/cluster/built-KEY/   bin, images, charts: by the hash of the versions and the Go modules
CACHE/cluster/store-KEY/   containerd's unpacked images, keys and certificates
CACHE/cluster/state/       etcd, sockets, pods, logs: removed by `down`
"""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ENV_CACHE = "SLIPWAY_CACHE"


@dataclass(frozen=True)
class Places:
    """The paths of the one cluster that a machine has."""

    cache: Path

    @cached_property
    def key(self) -> str:
        """What the built files depend on, as a short name."""
        digest = hashlib.sha256()
        sources = [*HERE.glob("go/**/*"), HERE / "rig/versions.py", HERE / "rig/build.py"]
        for path in sorted(path for path in sources if path.is_file()):
            digest.update(f"{path.relative_to(HERE)}\n".encode() + path.read_bytes())
        return digest.hexdigest()[:12]

    @property
    def root(self) -> Path:
        return self.cache / "cluster"

    @property
    def built(self) -> Path:
        return self.root / f"built-{self.key}"

    @property
    def programs(self) -> Path:
        """kubectl, helm and the components; put it on PATH."""
        return self.built / "bin"

    @property
    def images(self) -> Path:
        return self.built / "images"

    @property
    def store(self) -> Path:
        return self.root / f"store-{self.key}"

    @property
    def keys(self) -> Path:
        return self.store / "keys"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def audit(self) -> Path:
        """What the API server was asked, a JSON object a line."""
        return self.logs / "audit.jsonl"

    @property
    def containerd(self) -> Path:
        """containerd's socket."""
        return self.state / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        return self.keys / "admin.kubeconfig"


def find_places() -> Places:
    """The places below `SLIPWAY_CACHE`, else ~/.cache/slipway."""
    return Places(cache=Path(os.environ.get(ENV_CACHE) or Path.home() / ".cache/slipway"))
