"""What of a manifest goes into reports: the few facts that a status shows."""

from typing import Any

import msgspec

from slipway_runtime.artifact.manifest import Manifest


def summarize_manifest(manifest: Manifest) -> dict[str, Any]:
    """The facts that the reports of `convert` and `publish` share (docs/wire.md)."""
    columns = manifest.contract.columns
    return {
        "format": manifest.model.format,
        "runtime": manifest.runtime,
        "estimator": manifest.model.estimator,
        "task": manifest.model.task,
        "fallback": msgspec.to_builtins(manifest.fallback),
        "parity": {
            "verdict": manifest.parity.verdict,
            "rows": manifest.parity.rows,
            "maxAbsoluteError": manifest.parity.max_absolute_error,
            "labelFlips": manifest.parity.label_flips,
        },
        "contract": {
            "columns": len(columns),
            "categorical": sum(column.kind == "Categorical" for column in columns),
        },
    }
