"""The manifest of a built model, read from the laptop's artifact folder (an OCI image layout)."""

import json
from pathlib import Path
from typing import Any

SCHEME = "oci-layout://"


def read_manifest(address: str | None) -> dict[str, Any] | None:
    """The manifest.json of `oci-layout:///FOLDER@sha256:…`; None when it is not on this machine."""
    if not address or not address.startswith(SCHEME):
        return None
    folder, _, digest = address.removeprefix(SCHEME).rpartition("@")
    try:
        image = _blob(Path(folder), digest)
        return _blob(Path(folder), image["config"]["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _blob(folder: Path, digest: str) -> dict[str, Any]:
    algorithm, _, name = digest.partition(":")
    found: dict[str, Any] = json.loads((folder / "blobs" / algorithm / name).read_bytes())
    return found
