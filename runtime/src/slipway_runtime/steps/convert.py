"""`slipway-runtime convert`: start the sandboxed conversion, watch it, and read its result.

This process never opens the model; its child does, shut in, with a deadline. The walls that stood
and the memory it took are written into the manifest from here, where the model's code cannot lie.
"""

import shutil
import socket
from pathlib import Path
from typing import Any

import msgspec

from slipway_runtime.artifact.hostile import read_converted
from slipway_runtime.artifact.manifest import Manifest, SandboxFacts, dump_manifest
from slipway_runtime.build_request import BuildRequest, parse_build_request
from slipway_runtime.environment.open import open_environment
from slipway_runtime.environment.prepare import fetched_environment
from slipway_runtime.errors import BuildError
from slipway_runtime.report import Report, read_report, report_done
from slipway_runtime.sandbox import explain_exit, policy_for, run_sandboxed
from slipway_runtime.settings import StepSettings
from slipway_runtime.steps.beside import keep_runner
from slipway_runtime.steps.edge import say
from slipway_runtime.steps.summary import summarize_manifest


def convert(settings: StepSettings) -> Report:
    """Convert `work/fetched` into `work/converted`.

    Raises:
        BuildError: whatever stopped the conversion.
    """
    manifest = convert_shut_in(settings.build, settings.work, environments=settings.environments)
    facts = {
        **summarize_manifest(manifest),
        "sandbox": msgspec.to_builtins(manifest.sandbox),
        "trainingVersions": manifest.model.training_versions,
    }
    return report_done("convert", reached_stages(manifest), facts)


def reached_stages(manifest: Manifest) -> tuple[str, ...]:
    """What the step may claim: Verified only where rows, or the original itself, vouch for it."""
    if manifest.parity.verdict == "NotVerified":
        return ("Converted",)
    return ("Converted", "Verified")


def convert_shut_in(build: BuildRequest, work: Path, *, environments: Path) -> Manifest:
    """Run the conversion in its sandbox and return the checked manifest.

    It runs in the model's training environment, if `fetch` made one in `environments`.

    Raises:
        BuildError: whatever stopped it; `BuildInterrupted` when `fetch` left nothing.
    """
    digest = fetched_digest(work)
    environment = fetched_environment(work)
    interpreter = open_environment(environment, folder=environments)
    converted, scratch = work / "converted", work / "scratch"
    for folder in (converted, scratch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    limits = build.limits
    policy = policy_for(
        read=(work,),
        write=(scratch, converted),
        memory_bytes=limits.convert_memory_bytes,
        cpu_seconds=limits.convert_cpu_seconds,
        file_bytes=limits.scratch_bytes,
    )
    # onnxruntime needs no files: it is handed the model and its rows.
    beside = msgspec.structs.replace(policy, read=(), write=(), file_bytes=0)
    with keep_runner(beside, wall_seconds=limits.convert_seconds) as channel:
        ended = run_sandboxed(
            target="slipway_runtime.steps.convert:run_inside",
            argument={
                "build": msgspec.json.encode(build).decode(),
                "work": str(work.resolve()),
                "channel": channel.fileno(),
            },
            policy=policy,
            wall_seconds=limits.convert_seconds,
            watch=(converted, scratch),
            watch_bytes=limits.scratch_bytes,
            keep=(channel.fileno(),),
            interpreter=interpreter,
        )
    error = explain_exit(
        ended, policy=policy, wall_seconds=limits.convert_seconds, doing="Converting the model"
    )
    if ended.enforcement.missing:
        say(
            f"This machine cannot shut the model in by {', '.join(ended.enforcement.missing)} "
            "(docs/security.md)."
        )
    shutil.rmtree(scratch, ignore_errors=True)
    if error is not None:
        shutil.rmtree(converted, ignore_errors=True)
        raise error
    manifest = read_converted(converted, build=build, model_digest=digest)
    manifest = msgspec.structs.replace(
        manifest,
        sandbox=SandboxFacts(
            enforced=ended.enforcement.enforced, missing=ended.enforcement.missing
        ),
        measured=msgspec.structs.replace(
            manifest.measured, peak_memory_bytes=ended.peak_memory_bytes
        ),
        environment=environment,
    )
    (converted / "manifest.json").write_bytes(dump_manifest(manifest))
    return manifest


def run_inside(argument: dict[str, Any]) -> None:
    """The sandboxed side: imports the framework and opens the model."""
    from slipway_runtime.convert.apart import run_apart
    from slipway_runtime.convert.step import run_convert

    channel = socket.socket(fileno=int(argument["channel"]))
    build = parse_build_request(argument["build"])
    run_convert(build, Path(argument["work"]), run=run_apart(channel))


def fetched_digest(work: Path) -> str:
    """The digest of the model that `fetch` reported.

    Raises:
        BuildError: `BuildInterrupted`: there is no good report.
    """
    report = read_report(work, "fetch")
    digest = report.facts.get("modelDigest") if report is not None and report.ok else None
    if not isinstance(digest, str):
        raise BuildError(
            "BuildInterrupted",
            "The report of step fetch is missing or not good; the build starts again.",
            retryable=True,
        )
    return digest
