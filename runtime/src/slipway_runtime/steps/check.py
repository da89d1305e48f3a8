"""`slipway-runtime check FILE`: what a model file is, and whether it converts; no deployment.

The same fetch, sandbox and gates as a build, in a temporary folder. One JSON document on stdout
(docs/wire.md); with `--to` the converted model and its manifest are kept.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from slipway_runtime.artifact.addresses import parse_allow_list
from slipway_runtime.artifact.fetch import Fetcher
from slipway_runtime.artifact.manifest import Manifest
from slipway_runtime.build_request import BuildRequest, Model, Samples
from slipway_runtime.contract import ENV_ENVIRONMENTS
from slipway_runtime.environment.open import open_environment
from slipway_runtime.environment.prepare import prepare_environment
from slipway_runtime.errors import BuildError
from slipway_runtime.report import report_done, write_report
from slipway_runtime.steps.convert import convert_shut_in
from slipway_runtime.steps.edge import InterruptedByEngineError, explain, install_signals
from slipway_runtime.steps.publish import inspect_onnx
from slipway_runtime.steps.speed import Speed, measure_speed
from slipway_runtime.steps.summary import summarize_manifest

CHECK_SCHEMA = "slipway.dev/check/v1"


def run_check(arguments: argparse.Namespace) -> int:
    """The process edge: 0 when the file can be served as asked, 1 when not."""
    install_signals()
    file = Path(arguments.file).absolute()
    document: dict[str, Any] = {"schema": CHECK_SCHEMA, "ok": False, "file": str(file)}
    try:
        with tempfile.TemporaryDirectory(prefix="slipway-check-") as folder:
            document |= _check(arguments, file, Path(folder))
        code = 0
    except (Exception, InterruptedByEngineError, KeyboardInterrupt) as error:  # the process edge
        reason = explain(error, "check")
        document |= {"ok": False, "reason": reason.reason, "message": reason.message}
        code = 1
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
    return code


def _check(arguments: argparse.Namespace, file: Path, work: Path) -> dict[str, Any]:
    samples = None
    if arguments.samples is not None:
        samples = Samples(uri=Path(arguments.samples).absolute().as_uri())
    build = BuildRequest(
        name="check",
        namespace="default",
        build_hash="check",
        model=Model(
            uri=file.as_uri(),
            samples=samples,
            format=arguments.format,
            runtime=arguments.runtime,
            unpickle=arguments.unpickle,
        ),
        allow_file=True,
    )
    fetched = Fetcher(build, secrets={}, allowed=parse_allow_list("")).fetch(work)
    environments = Path(os.environ.get(ENV_ENVIRONMENTS) or work / "environments")
    environment = prepare_environment(build, work, folder=environments)
    fetched["environment"] = msgspec.to_builtins(environment)
    write_report(report_done("fetch", ("Fetched",), fetched), work=work, termination_log=None)
    manifest = convert_shut_in(build, work, environments=environments)
    converted = work / "converted"
    if manifest.runtime == "ONNX":
        inspect_onnx(converted, manifest, build)
    speed, problem = _measure(build, work, manifest, environments=environments)
    return {
        "ok": True,
        "digest": fetched["modelDigest"],
        "bytes": fetched["modelBytes"],
        "servedBytes": (converted / manifest.files.model).stat().st_size,
        **_describe(manifest),
        "speed": msgspec.to_builtins(speed),
        "warnings": [*manifest.model.warnings, *problem],
        "written": _keep(converted, manifest, arguments.to),
        "reason": None,
        "message": None,
    }


def _measure(
    build: BuildRequest, work: Path, manifest: Manifest, *, environments: Path
) -> tuple[Speed | None, tuple[str, ...]]:
    """The speed; why there is none is a warning: the model can be served all the same."""
    try:
        interpreter = open_environment(manifest.environment, folder=environments)
        return measure_speed(build, work, manifest, interpreter=interpreter), ()
    except BuildError as error:
        return None, (f"The speed was not measured: {error.message}",)


def _describe(manifest: Manifest) -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.to_builtins(manifest)
    return {
        **summarize_manifest(manifest),
        "convertible": manifest.runtime == "ONNX",
        "trainingVersions": manifest.model.training_versions,
        "warnings": list(manifest.model.warnings),
        "signature": whole["signature"],
        "contract": whole["contract"],
        "parity": whole["parity"],
        "sandbox": whole["sandbox"],
        "environment": whole["environment"],
        "converters": manifest.converters,
    }


def _keep(converted: Path, manifest: Manifest, to: str | None) -> list[str]:
    """Copy the model and its manifest to the folder asked for; returns the files."""
    if to is None:
        return []
    folder = Path(to).absolute()
    written = []
    try:
        for inside in (manifest.files.model, "manifest.json"):
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(converted / inside, target)
            written.append(str(target))
    except OSError as error:
        if error.filename is None:
            raise
        raise BuildError(
            "PublishFailed",
            f'Cannot write to folder "{folder}": {error.strerror}; give --to a folder that can be '
            "written.",
        ) from error
    return written
