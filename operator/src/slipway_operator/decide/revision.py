"""Which revision is asked for: the frozen snapshot that its pods would be made of."""

from collections.abc import Sequence
from typing import Final

import msgspec

from slipway_operator.api.spec import ModelDeploymentSpec
from slipway_operator.settings import RuntimeUpdates, Settings
from slipway_operator.state.revision import BuildResult, Snapshot, render_given

NATIVE: Final = "Native"


def decide_snapshot(
    *,
    spec: ModelDeploymentSpec,
    result: BuildResult,
    existing: Sequence[Snapshot],
    settings: Settings,
) -> Snapshot:
    """The snapshot of what is asked for.

    `existing` are the snapshots that have children, the stable one first. One of them that answers
    the same request is taken as it is: revisions are never made anew, and (unless the installation
    wants it) a new serving image alone makes none.
    """
    wanted = Snapshot(
        image=choose_image(runtime=result.runtime, settings=settings),
        asked={
            "serving": render_given(spec.serving),
            "contract": render_given(spec.contract),
            "dependencies": [render_given(dependency) for dependency in spec.dependencies],
        },
        build=result,
        unpickle=spec.model.unpickle,
        serving=spec.serving,
        contract=spec.contract,
        dependencies=spec.dependencies,
        registry=settings.registry_credentials,
        registry_secret=settings.registry_secret,
    )
    for snapshot in existing:
        if snapshot.revision == wanted.revision:
            return snapshot
    if settings.runtime_updates is RuntimeUpdates.NEXT_REVISION:
        for snapshot in existing:
            # Equal but for the image: it keeps the image that it was proven with.
            if msgspec.structs.replace(wanted, image=snapshot.image).revision == snapshot.revision:
                return snapshot
    return wanted


def choose_image(*, runtime: str, settings: Settings) -> str:
    """The serving image of a runtime: one for ONNX, one that can open the original."""
    return settings.native_image if runtime == NATIVE else settings.onnx_image
