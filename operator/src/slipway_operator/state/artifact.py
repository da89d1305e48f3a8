"""What a built artifact says of itself: the facts that its `publish` reported (docs/wire.md).

An artifact comes from a store that others may write, so nothing of it is believed by its shape.
"""

from collections.abc import Mapping
from typing import Any, Final

from slipway_operator.state.canonical import render_canonical

Json = Mapping[str, Any]
MOST_FACTS_BYTES: Final = 4096  # as of a report
RUNTIMES: Final = frozenset({"ONNX", "Native"})
_PARITY: Final = ("verdict", "rows", "maxAbsoluteError", "labelFlips")


def read_artifact_facts(
    config: Json, *, build_hash: str, artifact: str, layer: Json
) -> dict[str, Any] | None:
    """The facts out of an artifact's config (its `manifest.json`) and its layer's descriptor.

    None: it is of another build, names no runtime that is known, or says more than a report may.
    """
    if config.get("buildHash") != build_hash or config.get("runtime") not in RUNTIMES:
        return None
    model, parity = _part(config.get("model")), _part(config.get("parity"))
    columns = _part(config.get("contract")).get("columns")
    listed = columns if isinstance(columns, list) else []
    size = layer.get("size")
    facts = {
        "artifact": artifact,
        "digest": artifact.rpartition("@")[2],
        "bytes": size if isinstance(size, int) else 0,
        "bento": f"{config.get('name')}:{build_hash[:10]}",
        "modelDigest": model.get("digest"),
        "format": model.get("format"),
        "estimator": model.get("estimator"),
        "task": model.get("task"),
        "runtime": config.get("runtime"),
        "fallback": config.get("fallback"),
        "parity": {name: parity.get(name) for name in _PARITY},
        "contract": {
            "columns": len(listed),
            "categorical": sum(_part(column).get("kind") == "Categorical" for column in listed),
        },
    }
    return facts if len(render_canonical(facts).encode()) <= MOST_FACTS_BYTES else None


def _part(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
