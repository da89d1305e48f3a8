"""`kubectl apply -k`: the chart's objects, and an installation by the guide's own lines."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

import behaviour_models as models
from chart_rendering import NAMESPACE, NO_DIGEST, Object, render
from cluster_access import Cluster, Namespace
from cluster_installation import (
    GATEWAY,
    MODELS_DOMAIN,
    REGISTRY_HOST,
    Images,
    give_credentials,
    start_registry,
)
from cluster_inventory import name_everything
from cluster_models import ask, gateway_url, model_of, wait_up_to_date
from cluster_operator import install_account
from kustomize_rendering import (
    EMBEDDED,
    MANIFESTS,
    ROOT,
    VALUES,
    is_installed,
    render_files,
)
from rig.places import find_places
from store_servers import Store

SYSTEM = "slipway-kustomize"
_GUIDE = (ROOT / "docs/guides/install.md").read_text().partition("## Without Helm\n")[2]
_INSTALL, _UNINSTALL = (
    re.findall(r"^\$ (.+)$", block, flags=re.MULTILINE)
    for block in re.findall(r"```console\n(.+?)```", _GUIDE.partition("\n## ")[0], flags=re.DOTALL)
)
_WIDE = (
    "namespaces,clusterroles,clusterrolebindings,"
    "validatingadmissionpolicies,validatingadmissionpolicybindings"
)


def test_the_files_are_what_the_chart_renders() -> None:
    # `make generate` writes them.
    for name, text in render_files().items():
        assert (MANIFESTS / name).read_text() == text, name


@pytest.mark.parametrize("overlay", VALUES)
def test_an_overlay_is_the_chart(overlay: str, tmp_path: Path) -> None:
    """Object by object, but for what is the overlay's own: namespace, settings and key."""
    folder = _copy_manifests(tmp_path) / overlay
    _run([line for line in _INSTALL if line.startswith("openssl ")], folder)
    built = _index(
        yaml.safe_load_all(_run([f"{find_places().programs}/kubectl kustomize ."], folder))
    )
    assert built.pop(("Namespace", NAMESPACE))["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }
    key = built.pop(("Secret", "slipway-registry-key"), None)
    assert (key is not None) is (overlay == EMBEDDED)
    if key is not None:
        assert (key["type"], key["data"].keys()) == ("kubernetes.io/tls", {"tls.key", "tls.crt"})
    named = {f"images.{name}.repository": f"{_HOST}/{name}" for name in ("operator", "registry")}
    charted = _index(filter(is_installed, render(**VALUES[overlay], **named)))
    settings = ("ConfigMap", "slipway-operator")
    assert built.pop(settings)["data"] == charted.pop(settings)["data"]
    assert built == charted


_HOST = "registry.example.com/slipway"
_OF_HELM = {"helm.sh/chart", "helm.sh/resource-policy", "slipway.dev/config-hash"}
_GENERATED = re.compile(r"(slipway-operator|slipway-registry-key)-[a-z0-9]{10}$")


def _index(objects: Iterable[Any]) -> dict[tuple[str, str], Object]:
    found = {}
    for obj in map(_plain, objects):
        if obj["kind"].startswith("ValidatingAdmissionPolicy"):
            # kustomize does not know that these have none; the API server drops it
            obj["metadata"].pop("namespace", None)
        found[obj["kind"], obj["metadata"]["name"]] = obj
    return found


def _plain(value: Any, key: str = "") -> Any:
    """Without what differs on purpose, what that leaves empty, and an order where there is none."""
    if isinstance(value, dict):
        kept = {name: _plain(each, name) for name, each in value.items()}
        return {
            name: each
            for name, each in kept.items()
            if name not in _OF_HELM and each != "Helm" and (each or not value[name])
        }
    if isinstance(value, list):
        plain = [_plain(each) for each in value]
        return sorted(plain, key=_write) if key in ("rules", "volumes", "volumeMounts") else plain
    if key == "config.yaml":
        return yaml.safe_load(value)
    return _GENERATED.sub(r"\1", value) if isinstance(value, str) else value


def _write(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.fixture(scope="module")
def source(cluster: Cluster) -> Store:
    """Where models come from."""
    install_account(cluster)
    return start_registry(cluster)


def test_the_guide_installs_serves_and_leaves_nothing(
    cluster: Cluster, images: Images, source: Store, namespace: Namespace, tmp_path: Path
) -> None:
    """Its own lines, in a namespace that no other test has."""
    before = _list_wide(cluster)
    root = _copy_manifests(tmp_path / "checkout").parent
    mine = root / "manifests/overlays/mine"
    until, since = _split(_INSTALL)
    _run(until, root, cluster)
    _fill_in(mine, images)
    try:
        told = _run(since, mine, cluster)
        assert "All is well." in told
        give_credentials(namespace)  # to fetch the model; the artifact has another registry
        namespace.apply(model_of(source, models.classifier(tmp_path / "m.joblib"), "plain"))
        assert wait_up_to_date(namespace, "plain")["status"]["runtime"] == "ONNX"
        host = f"plain.{namespace.name}.{MODELS_DOMAIN}"
        rows = models.table(4)
        assert len(ask(gateway_url(cluster), rows, host=host)) == len(rows)
        namespace.kubectl("delete", "md", "plain")
        namespace.wait("it is gone", lambda: not {"Deployment", "Pod"} & _kinds(namespace))
    finally:
        _run(_UNINSTALL[:1], mine, cluster)
    assert _list_wide(cluster) <= before
    _run(_UNINSTALL[1:], mine, cluster)
    assert "modeldeployments" not in cluster.kubectl("get", "crd", "-o", "name")


def _kinds(namespace: Namespace) -> set[str]:
    return {kind for kind, _ in name_everything(namespace)}


def _list_wide(cluster: Cluster) -> set[str]:
    told = cluster.kubectl("get", _WIDE, "-o", "name").split()
    return {name for name in told if not name.startswith("namespace/test-")}


def _copy_manifests(folder: Path) -> Path:
    """As the repository has them: a developer may have an overlay of their own beside it."""
    own = shutil.ignore_patterns("mine", "tls.*")
    return Path(shutil.copytree(MANIFESTS, folder / "manifests", ignore=own))


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """Before and after the reader fills the files in."""
    (place,) = [number for number, line in enumerate(lines) if line.startswith("$EDITOR ")]
    return lines[:place], lines[place + 1 :]


def _run(lines: list[str], folder: Path, cluster: Cluster | None = None) -> str:
    """Run the guide's lines in our namespace; what they said, on both streams."""
    variables = dict(os.environ)
    if cluster is not None:
        variables["PATH"] = f"{Path(cluster.kubectl_path).parent}:{variables['PATH']}"
        variables["KUBECONFIG"] = str(cluster.kubeconfig)
    script = "\n".join(lines).replace(NAMESPACE, SYSTEM) if cluster else "\n".join(lines)
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout if cluster is None else done.stdout + done.stderr


def _fill_in(mine: Path, images: Images) -> None:
    """What a reader writes into it; this cluster has no StorageClass."""
    settings = mine / "config.yaml"
    config = yaml.safe_load(settings.read_text().replace(NAMESPACE, SYSTEM))
    config["images"] = {"build": images.native, "onnx": images.runtime, "native": images.native}
    config.update(domain=MODELS_DOMAIN, gateway=GATEWAY, fetchAllow=[REGISTRY_HOST])
    settings.write_text(yaml.safe_dump(config))
    file = mine / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    kustomization["namespace"] = SYSTEM
    for image in kustomization["images"]:
        own = getattr(images, image["name"].partition("/")[2])
        image["newName"], image["digest"] = own.split("@")
    kustomization["patches"] = [
        {"patch": yaml.safe_dump(_no_claim())},
        {
            "target": {"kind": "Deployment", "name": "slipway-registry"},
            "patch": yaml.safe_dump([{"op": "replace", "path": "/spec/template/spec/volumes/2",
                                      "value": {"name": "data", "emptyDir": {}}}]),
        },
    ]  # fmt: skip
    text = yaml.safe_dump(kustomization)
    assert NO_DIGEST not in text + settings.read_text()
    file.write_text(text)


def _no_claim() -> Object:
    return {
        "$patch": "delete",
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "slipway-registry", "namespace": NAMESPACE},
    }
