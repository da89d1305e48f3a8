"""What an installation has beside the operator: its images on the node, and a registry.

For our own test cluster; on another one (`SLIPWAY_TEST_KUBECONFIG`) they have to be there.
"""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from cluster_access import Cluster, Namespace
from cluster_operator import SYSTEM
from image_build import CACHE, build_images
from image_writer import write_image
from rig.node import containerd_command, import_images
from rig.places import find_places
from store_programs import REGISTRY, REGISTRY_VERSION, installed
from store_servers import Store

REGISTRY_HOST = f"registry.{SYSTEM}.svc:5000"
MODELS_DOMAIN = "models.example"
GATEWAY = {"name": "slipway", "namespace": "envoy-gateway-system"}
PASSWORD = "planted-registry-4711"
_LOGIN = {"username": "slipway", "password": PASSWORD}
_IMAGE = f"localhost/registry:{REGISTRY_VERSION}"


@dataclass(frozen=True)
class Images:
    """The references by digest under which the node has them."""

    operator: str
    runtime: str
    native: str
    registry: str


def load_images() -> Images:
    """Build the images of this checkout, if they are not there, and make them known to the node."""
    folder = build_images()
    with _alone_at_the_node():
        return _give_to_the_node(folder)


@contextmanager
def _alone_at_the_node() -> Iterator[None]:
    """Tests that run side by side give the node the same images."""
    with (find_places().root / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _give_to_the_node(folder: Path) -> Images:
    told = json.loads((folder / "images.json").read_text())
    places = find_places()
    import_images(places, folder)
    references = {}
    for name, image in told.items():
        by_digest = f"{image['reference'].rpartition(':')[0]}@{image['digest']}"
        tag = [*containerd_command(places), "images", "tag", "--force"]
        subprocess.run([*tag, image["reference"], by_digest], check=True, capture_output=True)
        references[name] = by_digest
    _forget_others({*references.values(), *(image["reference"] for image in told.values())})
    return Images(
        operator=references["operator"],
        runtime=references["runtime"],
        native=references["runtime-native"],
        registry=references["registry"],
    )


def chart_values(images: Images) -> dict[str, Any]:
    """The values by which the chart is installed on the test cluster."""
    named = {
        "operator": images.operator,
        "runtime": images.runtime,
        "runtimeNative": images.native,
        "registry": images.registry,
    }
    host, _, port = REGISTRY_HOST.partition(":")
    return {
        "images": {
            name: dict(zip(("repository", "digest"), reference.split("@"), strict=True))
            for name, reference in named.items()
        },
        "domain": MODELS_DOMAIN,
        "gateway": GATEWAY,
        # the test cluster has no StorageClass
        "registry": {"embedded": {"persistence": {"enabled": False}}},
        # where the tests' models come from
        "build": {"fetch": {"allow": [{"host": host, "port": int(port)}]}},
    }


def operator_config(images: Images) -> dict[str, Any]:
    """The settings of an operator that builds and serves on the test cluster."""
    serving = {"onnx": images.runtime, "native": images.native}
    return {
        "artifactStore": f"oci+http://{REGISTRY_HOST}/models",
        "images": {"build": images.native, **serving},
        "registry": {"credentials": "Secret", "secretName": "slipway-registry"},
        "gateway": GATEWAY,
        "domain": MODELS_DOMAIN,
        "fetchAllow": [REGISTRY_HOST],
    }


def _forget_others(kept: set[str]) -> None:
    """Images of former checkouts take gigabytes of the node's store.

    The node also names each image by its digest alone; that name goes with the others.
    """
    ctr = [*containerd_command(find_places()), "images"]
    told = subprocess.run([*ctr, "ls"], check=True, capture_output=True, text=True).stdout
    digests = {line.split()[0]: line.split()[2] for line in told.splitlines()[1:]}
    former = {
        name for name in digests if name.startswith("localhost/slipway/") and name not in kept
    }
    unused = {digests[name] for name in former} - {digests.get(name, "") for name in kept}
    by_digest = {name for name in digests if name.startswith("sha256:") and digests[name] in unused}
    for name in former | by_digest:
        subprocess.run([*ctr, "rm", name], check=True, capture_output=True)


def start_registry(cluster: Cluster) -> Store:
    """A registry in the system namespace; `address` is how the host reaches it."""
    with _alone_at_the_node():
        _load_registry()
    user, password = _LOGIN["username"], _LOGIN["password"]
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    config = (
        "version: 0.1\nlog: {accesslog: {disabled: true}, level: error}\n"
        "storage: {filesystem: {rootdirectory: /data}}\n"
        "http: {addr: ':5000'}\n"
        "auth: {htpasswd: {realm: slipway, path: /etc/registry/htpasswd}}\n"
    )
    system = Namespace(cluster=cluster, name=SYSTEM)
    labels = {"app": "registry"}
    pod: dict[str, Any] = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        "containers": [
            {
                "name": "registry",
                "image": _IMAGE,
                "imagePullPolicy": "Never",
                "args": ["serve", "/etc/registry/config.yml"],
                "env": [{"name": "OTEL_TRACES_EXPORTER", "value": "none"}],
                "ports": [{"containerPort": 5000}],
                "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1},
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/registry"},
                    {"name": "data", "mountPath": "/data"},
                ],
            }
        ],
        "volumes": [
            {"name": "config", "secret": {"secretName": "registry-config"}},
            {"name": "data", "emptyDir": {}},
        ],
    }
    system.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "registry-config"},
            "stringData": {"config.yml": config, "htpasswd": f"{user}:{hashed}\n"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "registry"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "registry"},
            "spec": {"selector": labels, "ports": [{"port": 5000, "targetPort": 5000}]},
        },
    )
    system.kubectl("rollout", "status", "deployment/registry", "--timeout=100s")
    address = f"{system.get('service', 'registry')['spec']['clusterIP']}:5000"
    return Store(address=address, endpoint=f"http://{address}", secrets=dict(_LOGIN))


def give_credentials(namespace: Namespace, **wrong: str) -> None:
    """The Secret by which a namespace's pods use the registry; `wrong` replaces parts of it."""
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "slipway-registry"},
            "stringData": {**_LOGIN, **wrong},
        }
    )


def _load_registry() -> None:
    folder = CACHE / "images" / "registry"
    archive = folder / f"registry-{REGISTRY_VERSION}.tar"
    if not archive.exists():
        root = folder / "root"
        (root / "bin").mkdir(parents=True, exist_ok=True)
        program = root / "bin/registry"
        program.unlink(missing_ok=True)
        os.link(installed(REGISTRY), program)
        write_image(archive, _IMAGE, [root], entrypoint=["/bin/registry"])
    import_images(find_places(), folder)


def trained(name: str) -> Path:
    """The folder of an example, trained by `make examples`."""
    folder = Path(__file__).resolve().parents[2] / "examples" / name
    assert (folder / "rows.csv").exists(), "run `make examples` first"
    return folder


if __name__ == "__main__":
    path = CACHE / "cluster/values.yaml"
    path.write_text(yaml.safe_dump(chart_values(load_images()), sort_keys=False))
    print(f"The node has the images; helm install … -f {path}")
