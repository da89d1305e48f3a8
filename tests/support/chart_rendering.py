"""The chart as `helm template` writes it, an object each."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rig.places import find_places

CHART = Path(__file__).resolve().parents[2] / "charts/slipway"
NAMESPACE = "slipway-system"
IMAGES = ("operator", "runtime", "runtimeNative", "registry")
_NO_DIGEST = f"sha256:{'0' * 64}"
Object = dict[str, Any]


class NotRendered(Exception):
    """Helm refused; the text is what it said."""


def helm(*words: str) -> str:
    """Run the cluster's helm.

    Raises:
        NotRendered: it ended with an error.
    """
    program = find_places().programs / "helm"
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
    digests = {f"images.{name}.digest": _NO_DIGEST for name in IMAGES}
    given = ",".join(f"{key}={value}" for key, value in {**digests, **values}.items())
    words = [word for file in files for word in ("-f", str(file))]
    told = helm(
        "template", "slipway", str(CHART), "-n", NAMESPACE, "--kube-version", "1.34.10",
        "--api-versions", "monitoring.coreos.com/v1", "--set", given, *words,
    )  # fmt: skip
    return [each for each in yaml.safe_load_all(told) if each]


def list_pods(objects: list[Object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every pod that the chart makes: its owner's name, and its spec with metadata."""
    for obj in objects:
        name = f"{obj['kind']}/{obj['metadata']['name']}"
        if obj["kind"] == "Pod":
            yield name, obj
        elif obj["kind"] in ("Deployment", "Job"):
            yield name, obj["spec"]["template"]
