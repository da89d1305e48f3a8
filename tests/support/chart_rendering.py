"""The chart as `helm template` writes it, an object each."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rig.places import find_places

CHART = Path(__file__).resolve().parents[2] / "charts/slipway"
NAMESPACE = "slipway-system"
IMAGES = ("operator", "runtime", "runtimeNative", "registry")
NO_DIGEST = f"sha256:{'0' * 64}"
Object = dict[str, Any]


class NotRendered(Exception):
    """Helm refused; the text is what it said."""


def helm(*words: str) -> str:
    """Run the cluster's helm, else the one on the PATH.

    Raises:
        NotRendered: there is none, or it ended with an error.
    """
    built = find_places().programs / "helm"
    program = built if built.exists() else shutil.which("helm")
    if program is None:
        raise NotRendered("There is no helm: put one on the PATH, or build it by `make cluster`.")
    done = subprocess.run(
        [str(program), *words], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        raise NotRendered(done.stderr.strip())
    return done.stdout


def render(*files: Path, **values: str) -> list[Object]:
    """Every object of the chart, the hooks too.

    Raises:
        NotRendered: the values do not pass.
    """
    return [each for each in yaml.safe_load_all(render_text(*files, **values)) if each]


def render_text(*files: Path, **values: str) -> str:
    """The same as Helm writes it.

    Raises:
        NotRendered: the values do not pass.
    """
    digests = {f"images.{name}.digest": NO_DIGEST for name in IMAGES}
    given = ",".join(f"{key}={value}" for key, value in {**digests, **values}.items())
    words = [word for file in files for word in ("-f", str(file))]
    return helm(
        "template", "slipway", str(CHART), "-n", NAMESPACE, "--kube-version", "1.34.10",
        "--api-versions", "monitoring.coreos.com/v1", "--set", given, *words,
    )  # fmt: skip


def list_pods(objects: list[Object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every pod that the chart makes: its owner's name, and its spec with metadata."""
    for obj in objects:
        name = f"{obj['kind']}/{obj['metadata']['name']}"
        if obj["kind"] == "Pod":
            yield name, obj
        elif obj["kind"] in ("Deployment", "Job"):
            yield name, obj["spec"]["template"]
