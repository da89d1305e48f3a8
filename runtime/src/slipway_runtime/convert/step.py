"""The `convert` step: from `work/fetched` to `work/converted`.

`run_convert` is called inside the sandbox. It opens the model, reads its contract, converts and
proves it, and writes the manifest; it reads and writes nothing else.
"""

import shutil
from pathlib import Path

import msgspec

from slipway_runtime.artifact.flavor import Flavor, detect_flavor
from slipway_runtime.artifact.manifest import Manifest, dump_manifest
from slipway_runtime.artifact.mlflow_model import MlflowModel, read_mlflow
from slipway_runtime.artifact.model_folder import digest_folder, find_model
from slipway_runtime.artifact.oci import hash_file
from slipway_runtime.artifact.uri import redact_uri
from slipway_runtime.build_request import BuildRequest
from slipway_runtime.convert.built import Built
from slipway_runtime.convert.session import Runner, run_session
from slipway_runtime.errors import BuildError
from slipway_runtime.report import read_report

_FORMATS = ("Auto", "SKLearn", "XGBoost", "LightGBM", "CatBoost", "ONNX", "MLflow")


def run_convert(request: BuildRequest, work: Path, *, run: Runner = run_session) -> None:
    """Convert what was fetched.

    Args:
        request: what to build.
        work: the build's folder; `fetched/` is read, `converted/` is written anew.
        run: what runs ONNX models; a build's is in a process apart.

    Raises:
        BuildError: every way in which a model, its samples or its conversion can be wrong.
    """
    model = find_model(work / "fetched" / "model")
    if model is None:
        raise BuildError(
            "ModelNotFound",
            f'Converting model "{request.model.uri}" failed: nothing was fetched; '
            "check spec.model.uri.",
        )
    samples_file = find_model(work / "fetched" / "samples")
    told = read_mlflow(model) if model.is_dir() else None
    model_file = told.data if told is not None else model
    flavor = detect_flavor(model_file)
    _check_format(request, flavor, model_file, is_mlflow=told is not None)
    built = _build(request, flavor, model_file, samples_file, told=told, run=run)
    manifest = _manifest(request, built, _digest(work, model))
    _write(work / "converted", manifest, built, model_file)


def _build(
    request: BuildRequest,
    flavor: Flavor,
    model_file: Path,
    samples_file: Path | None,
    *,
    told: MlflowModel | None,
    run: Runner,
) -> Built:
    if flavor.format == "ONNX":
        from slipway_runtime.artifact.onnx_gate import check_onnx
        from slipway_runtime.convert.from_onnx import build_onnx

        check_onnx(model_file, foreign=True)
        return build_onnx(model_file, samples_file, run=run)
    from slipway_runtime.convert.load import load_model

    versions = told.versions if told is not None else None
    unpickle = request.model.unpickle
    loaded = load_model(model_file, flavor, unpickle=unpickle, stated=versions)
    # Converters take seconds to import: a model that is refused need not wait for them.
    from slipway_runtime.convert.build_sklearn import build_sklearn

    return build_sklearn(
        model_file,
        flavor,
        samples_file,
        loaded=loaded,
        runtime=request.model.runtime,
        told=told,
        run=run,
    )


def _check_format(
    request: BuildRequest, flavor: Flavor, model_file: Path, *, is_mlflow: bool
) -> None:
    wanted = request.model.format
    if wanted not in _FORMATS:
        raise BuildError(
            "ConversionUnsupported",
            f'Converting model "{model_file.name}" failed: spec.model.format "{wanted}" is not '
            f"built by this version; give one of {', '.join(_FORMATS)}.",
        )
    if wanted == "MLflow" and is_mlflow:
        return
    if wanted not in ("Auto", flavor.format):
        raise BuildError(
            "ModelUnreadable",
            f'Reading model "{model_file.name}" failed: spec.model.format says "{wanted}" and its '
            f'content is {flavor.format} ({flavor.loader}); correct the field or set it to "Auto".',
        )


def _manifest(request: BuildRequest, built: Built, digest: str) -> Manifest:
    facts = msgspec.structs.replace(
        built.model,
        uri=redact_uri(request.model.uri),
        digest=digest,
    )
    return Manifest(
        name=request.name,
        namespace=request.namespace,
        build_hash=request.build_hash,
        model=facts,
        runtime=built.runtime,
        fallback=built.fallback,
        files=built.files,
        opset=built.opset,
        signature=built.signature,
        contract=built.contract,
        parity=built.parity,
        baseline=built.baseline,
        golden=built.golden,
        measured=built.measured,
        converters=built.converters,
    )


def _write(folder: Path, manifest: Manifest, built: Built, model_file: Path) -> None:
    # The folder itself stays: in the sandbox it is the one place that may be written.
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    target = folder / manifest.files.model
    target.parent.mkdir(exist_ok=True)
    if built.content is not None:
        target.write_bytes(built.content)
    else:
        shutil.copyfile(model_file, target)
    (folder / "manifest.json").write_bytes(dump_manifest(manifest))


def _digest(work: Path, model: Path) -> str:
    """The digest of what was fetched: of an archive that is gone, `fetch` alone knows it."""
    report = read_report(work, "fetch")
    told = report.facts.get("modelDigest") if report is not None and report.ok else None
    if isinstance(told, str):
        return told
    return digest_folder(model) if model.is_dir() else hash_file(model)[0]
