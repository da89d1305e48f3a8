"""Writes what `kubectl apply -k` installs, out of the chart (manifests/README.md).

`python kustomize_rendering.py` writes it; a test holds the files against this. Left out is what
Helm alone has a use for: its labels, its hooks, and the key that it makes at an install.
"""

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from chart_rendering import CHART, NO_DIGEST, NotRendered, Object, render_text

ROOT = CHART.parents[1]
MANIFESTS = ROOT / "manifests"
EMBEDDED, EXTERNAL = "overlays/embedded-registry", "overlays/external-registry"
# An image of nobody's: a digest of zeros is never there, so what was not filled in is not pulled.
_IMAGES = {
    f"images.{key}.{part}": value
    for key, name in (("runtime", "runtime"), ("runtimeNative", "runtime-native"))
    for part, value in (
        ("repository", f"registry.example.com/slipway/{name}"),
        ("digest", NO_DIGEST),
    )
}
VALUES: dict[str, dict[str, str]] = {
    EMBEDDED: {**_IMAGES, "domain": "models.example.com"},
    EXTERNAL: {
        **_IMAGES,
        "domain": "models.example.com",
        "registry.type": "External",
        "registry.external.url": "oci://registry.example.com/models",
        "registry.external.secretName": "slipway-registry",
    },
}
OPERATOR, REGISTRY = "slipway-operator", "slipway-registry"
_HEAD = "# Rendered from charts/slipway by `make generate`; change the chart instead.\n"
_CONFIG_HEAD = (
    "# The operator's settings: docs/operator-config.md tells every key. Write your images, your\n"
    "# domain and your Gateway here; in another namespace change every `slipway-system` as well.\n"
)
_OF_HELM = re.compile(
    r" +annotations:\n +helm\.sh/resource-policy: keep\n"
    r"| +(helm\.sh/chart: .*|app\.kubernetes\.io/managed-by: Helm)\n"
)
# A generated ConfigMap has a name of its content, which says the same.
_CONFIG_HASH = re.compile(r" +slipway\.dev/config-hash: .*\n")


def render_files() -> dict[str, str]:
    """Every rendered file by its path below `manifests/`.

    Raises:
        NotRendered: there is no Helm, or it refused.
    """
    files = {f"{overlay}/config.yaml": _CONFIG_HEAD + _find_config(overlay) for overlay in VALUES}
    base = _join(EXTERNAL, lambda obj: not is_config(obj))
    files["base/slipway.yaml"] = _CONFIG_HASH.sub("", base)
    files["components/embedded-registry/registry.yaml"] = _join(EMBEDDED, is_of_registry)
    return files


def is_of_registry(obj: Object) -> bool:
    """Whether it is an object of the embedded registry."""
    return str(obj["metadata"]["name"]).startswith(REGISTRY)


def is_installed(obj: Object) -> bool:
    """Whether an overlay has it: the definition is applied by itself, the key is the user's."""
    is_hook = "helm.sh/hook" in obj["metadata"].get("annotations", {})
    return not is_hook and obj["kind"] not in ("CustomResourceDefinition", "Secret")


def is_config(obj: Object) -> bool:
    """Whether it is the operator's settings, which an overlay generates from its file."""
    return obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == OPERATOR


def _find_config(overlay: str) -> str:
    (config,) = [
        obj["data"]["config.yaml"] for _, obj in _list_documents(overlay) if is_config(obj)
    ]
    return str(config)


def _join(overlay: str, is_wanted: Callable[[Object], bool]) -> str:
    texts = [
        _OF_HELM.sub("", text)
        for text, obj in _list_documents(overlay)
        if is_installed(obj) and is_wanted(obj)
    ]
    return _HEAD + "---\n".join(texts)


def _list_documents(overlay: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for text in re.split(r"^---\n", render_text(**VALUES[overlay]), flags=re.MULTILINE):
        obj = yaml.safe_load(text)
        if obj:
            yield re.sub(r"# Source: .*\n|^ *\n", "", text, flags=re.MULTILINE), obj


def main() -> int:
    """Write them; 1 with a sentence where that cannot be done."""
    try:
        files = render_files()
    except NotRendered as problem:
        sys.stderr.write(f"manifests/ is not rendered: {problem}\n")
        return 1
    for name, text in files.items():
        (MANIFESTS / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
