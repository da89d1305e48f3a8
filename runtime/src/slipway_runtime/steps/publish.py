"""`slipway-runtime publish`: check the conversion again, pack it, and put it into the store.

What `convert` left is read as hostile. Nothing is unpickled here, and the ONNX file is parsed and
run only in a sandboxed child, which may crash.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from slipway_runtime.artifact.hostile import read_converted
from slipway_runtime.artifact.layer import LayerFile, list_files, write_layer
from slipway_runtime.artifact.manifest import Manifest, parse_manifest
from slipway_runtime.artifact.oci import OciLayout, StoredArtifact, StoreError, parse_store
from slipway_runtime.artifact.registry_store import RegistryStore, parse_registry_store
from slipway_runtime.build_request import BuildRequest
from slipway_runtime.errors import BuildError
from slipway_runtime.report import Report, report_done
from slipway_runtime.sandbox import explain_exit, policy_for, run_sandboxed
from slipway_runtime.settings import StepSettings
from slipway_runtime.steps.convert import fetched_digest
from slipway_runtime.steps.summary import summarize_manifest

_INSPECT_SECONDS = 60.0
_INSPECT_CPU_SECONDS = 60
_REGISTRY_SECONDS = 600.0
_TAG_DIGITS = 40  # of the build's hash; the repository is of one model


def publish(settings: StepSettings) -> Report:
    """Publish `work/converted`; what is in the store already, of these bytes, is only reported.

    Raises:
        BuildError: the result of `convert` is not fit, or `PublishFailed`.
        OSError: the disk is full, or cannot be written.
    """
    if settings.store is None:
        raise BuildError("PublishFailed", "Cannot publish: SLIPWAY_ARTIFACT_STORE is not set.")
    build = settings.build
    repository = f"{build.namespace}/{build.name}"
    store = settings.store
    try:
        registry = parse_registry_store(
            store, repository=repository, login_folder=settings.registry_login
        )
        if registry is None:
            layout = parse_store(store)
            layout.prepare()
            reference = f"{repository}:{build.build_hash}"
            stored = layout.find(reference=reference, build_hash=build.build_hash)
            if stored is None or not _is_of_these_bytes(settings, layout, stored):
                stored = _publish_new(settings, layout, reference)
        else:
            store = f"{store.rstrip('/')}/{repository}"
            layout, stored = _publish_to(registry, settings)
        manifest = parse_manifest(layout.read_blob(stored.config.digest))
    except (StoreError, ValueError) as error:
        retryable = isinstance(error, StoreError) and error.retryable
        raise BuildError("PublishFailed", str(error), retryable=retryable) from error
    facts = {
        "artifact": f"{store}@{stored.digest}",
        "digest": stored.digest,
        "bytes": stored.layer.size_bytes + stored.config.size_bytes,
        "bento": bento_tag(build),
        "modelDigest": manifest.model.digest,
        **summarize_manifest(manifest),
    }
    return report_done("publish", ("Packaged",), facts)


def bento_tag(build: BuildRequest) -> str:
    """The Bento's `name:version`: the model's name and its build."""
    return f"{build.name}:{build.build_hash[:10]}"


def _publish_to(
    registry: RegistryStore, settings: StepSettings
) -> tuple[OciLayout, StoredArtifact]:
    """By way of a layout in the work folder; a build that the registry has is only read."""
    build = settings.build
    tag = f"build-{build.build_hash[:_TAG_DIGITS]}"
    layout = OciLayout(settings.work / "published" / "layout")
    layout.prepare()
    stored = registry.find(layout, tag=tag, seconds=_REGISTRY_SECONDS)
    if stored is None or not _is_of_these_bytes(settings, layout, stored):
        stored = _publish_new(settings, layout, tag)
        registry.push(layout, stored, tag=tag, seconds=_REGISTRY_SECONDS)
    return layout, stored


def _is_of_these_bytes(settings: StepSettings, layout: OciLayout, stored: StoredArtifact) -> bool:
    """Whether an artifact that was there is of what `fetch` got.

    A build's hash names addresses; what lies at one may have changed since the artifact was made.
    """
    manifest = parse_manifest(layout.read_blob(stored.config.digest))
    samples = settings.build.model.samples
    return manifest.model.digest == fetched_digest(settings.work) and (
        samples is None or samples.digest is not None
    )


def _publish_new(settings: StepSettings, layout: OciLayout, reference: str) -> StoredArtifact:
    build, converted = settings.build, settings.work / "converted"
    manifest = read_converted(converted, build=build, model_digest=fetched_digest(settings.work))
    if manifest.runtime == "ONNX":
        inspect_onnx(converted, manifest, build)
    bento = _package(build, converted, settings.work / "published" / "bento")
    files = [
        LayerFile(inside="manifest.json", source=converted / "manifest.json"),
        LayerFile(inside=manifest.files.model, source=converted / manifest.files.model),
        *list_files(bento, inside="bento"),
    ]
    content = (converted / "manifest.json").read_bytes()
    config = layout.add_blob(lambda stream: _write(stream, content))
    layer = layout.add_blob(lambda stream: write_layer(files, stream))
    return layout.add_artifact(
        config=config, layer=layer, reference=reference, build_hash=build.build_hash
    )


def _write(stream: Any, content: bytes) -> None:
    stream.write(content)


def _package(build: BuildRequest, converted: Path, target: Path) -> Path:
    """Build the Bento from fixed code of ours and the checked files; returns its folder."""
    from slipway_runtime.bento.package import build_bento

    shutil.rmtree(target, ignore_errors=True)
    build_bento(converted, target, tag=bento_tag(build))
    return target


def inspect_onnx(converted: Path, manifest: Manifest, build: BuildRequest) -> None:
    """Check and run `model.onnx` in a child that may crash.

    Raises:
        BuildError: `ModelRejected` with the rule, or how the child ended.
    """
    policy = policy_for(
        read=(converted,),
        memory_bytes=build.limits.convert_memory_bytes,
        cpu_seconds=_INSPECT_CPU_SECONDS,
        file_bytes=0,
    )
    ended = run_sandboxed(
        target="slipway_runtime.steps.publish:inspect_inside",
        argument={"folder": str(converted.resolve()), "model": manifest.files.model},
        policy=policy,
        wall_seconds=_INSPECT_SECONDS,
    )
    error = explain_exit(
        ended, policy=policy, wall_seconds=_INSPECT_SECONDS, doing="Checking the ONNX model"
    )
    if error is not None:
        raise error


def inspect_inside(argument: dict[str, str]) -> None:
    """The sandboxed side: the rules first, then the golden rows in onnxruntime.

    Raises:
        BuildError: `ModelRejected`.
    """
    from slipway_runtime.artifact.onnx_gate import check_onnx
    from slipway_runtime.serving.core.faults import ModelInvalid
    from slipway_runtime.serving.core.golden import check_golden
    from slipway_runtime.serving.core.schema import compile_schema
    from slipway_runtime.serving.core.session import OnnxSession

    folder = Path(argument["folder"])
    path = folder / argument["model"]
    manifest = json.loads((folder / "manifest.json").read_bytes())
    check_onnx(path, foreign=manifest["model"]["format"] == "ONNX")
    try:
        schema = compile_schema(manifest)
        session = OnnxSession(path, schema=schema, threads=1)
        check_golden(manifest, schema=schema, session=session, missing_text="")
    except ModelInvalid as error:
        raise BuildError("ModelRejected", str(error)) from error
