"""What the artifact store already has: by build hash, the facts that its `publish` reported.

Reads indexes and manifests only, never a model. What is damaged counts as not there: it is built
again, and the build step repairs it.
"""

import json
from pathlib import Path
from typing import Any, Final

from slipway_operator.state.artifact import read_artifact_facts

Object = dict[str, Any]

REFERENCE: Final = "org.opencontainers.image.ref.name"
_BUILD: Final = "dev.slipway.build-hash"


def read_artifacts(layout: Path, *, namespace: str, name: str) -> dict[str, Object]:
    """The facts of every artifact in ``NAMESPACE/NAME``, by build hash (docs/wire.md)."""
    found: dict[str, Object] = {}
    for entry in list_entries(layout):
        notes = entry.get("annotations") or {}
        build = notes.get(_BUILD)
        if build is None or notes.get(REFERENCE) != f"{namespace}/{name}:{build}":
            continue
        digest = str(entry.get("digest"))
        manifest = read_json(blob_path(layout, digest))
        config = read_json(blob_path(layout, str((manifest.get("config") or {}).get("digest"))))
        layers: list[Object] = manifest.get("layers") or [{}]
        facts = read_artifact_facts(
            config, build_hash=build, artifact=f"oci-layout://{layout}@{digest}", layer=layers[0]
        )
        if facts is not None and blob_path(layout, str(layers[0].get("digest"))).exists():
            found[build] = facts
    return found


def list_entries(layout: Path) -> list[Object]:
    """What the layout's index names, the oldest first; nothing when it is damaged."""
    entries = read_json(layout / "index.json").get("manifests")
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def blob_path(layout: Path, digest: str) -> Path:
    """Where a blob lies."""
    algorithm, _, value = digest.partition(":")
    return layout / "blobs" / algorithm / value


def read_json(path: Path) -> Object:
    """A JSON object on disk; empty when it is none or cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
