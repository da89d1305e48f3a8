"""Pins a laptop's `file:` URIs to the bytes they have now.

A URI without a digest is resolved once and then frozen. For a file on this machine that would make
a model that was trained again, or a file that was mended, invisible to `apply`; so `apply` states
the digest, unless the document does.
"""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def pin_files(body: dict[str, Any]) -> None:
    """Add the digest to model and samples of a ModelDeployment where they are readable files.

    A file that cannot be read stays as it is: the build says what is wrong with it.
    """
    spec = body.get("spec")
    model = spec.get("model") if isinstance(spec, dict) else None
    if not isinstance(model, dict):
        return
    for part in (model, model.get("samples")):
        if isinstance(part, dict) and part.get("digest") is None:
            digest = _digest_of(part.get("uri"))
            if digest is not None:
                part["digest"] = digest


def _digest_of(uri: object) -> str | None:
    if not isinstance(uri, str) or not uri.startswith("file:"):
        return None
    try:
        path = Path(unquote(urlsplit(uri).path))
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except (OSError, ValueError):
        return None
