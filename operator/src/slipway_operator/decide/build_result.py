"""What identifies a build, and what a finished one left behind.

A result is read from the first place that still has it: the status, a revision, the report of the
Job, the artifact store. Facts come from outside, so each is checked before it is believed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slipway_operator.api.spec import Model
from slipway_operator.api.status import (
    Build,
    ContractSummary,
    Fallback,
    Parity,
    Report,
    ResolvedModel,
)
from slipway_operator.contract import STEPS
from slipway_operator.state.canonical import compute_hash
from slipway_operator.state.revision import BuildResult, Snapshot, render_given


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """What identifies a build. `build_hash` covers all of `spec.model`, `inputs_hash` only what is
    resolved once: the addresses and digests of model and samples."""

    model: Model
    build_hash: str
    inputs_hash: str
    model_digest: str | None
    samples_digest: str | None
    format: str | None


def compute_inputs(*, model: Model, resolved: ResolvedModel | None) -> BuildInputs:
    """Hashes of a build and the digests known for it: those stated, else those resolved before."""
    samples = None if model.samples is None else render_given(model.samples)
    inputs_hash = compute_hash({"uri": model.uri, "digest": model.digest, "samples": samples})
    known = resolved if resolved and resolved.inputs_hash == inputs_hash else ResolvedModel()
    stated = None if model.samples is None else model.samples.digest
    return BuildInputs(
        model=model,
        build_hash=compute_hash({"model": render_given(model)}),
        inputs_hash=inputs_hash,
        model_digest=model.digest or known.digest,
        samples_digest=stated or known.samples_digest,
        format=known.format,
    )


def find_known_result(*, inputs: BuildInputs, snapshots: Iterable[Snapshot]) -> BuildResult | None:
    """A result of this very build that outlived its Job on a revision."""
    return next((one.build for one in snapshots if one.build.build_hash == inputs.build_hash), None)


def is_pinned(model: Model) -> bool:
    """Whether digests say which bytes are meant: an address alone may hold others by now."""
    return model.digest is not None and (model.samples is None or model.samples.digest is not None)


def find_stored_result(
    *, inputs: BuildInputs, artifacts: Mapping[str, Mapping[str, Any]]
) -> BuildResult | None:
    """A result of this very build that the artifact store has; only for what is pinned."""
    facts = artifacts.get(inputs.build_hash) if is_pinned(inputs.model) else None
    result = None if facts is None else read_result(inputs=inputs, facts=facts, fetched={})
    # What a store says is checked against what is asked for.
    if result is None or result.model_digest != inputs.model.digest:
        return None
    return result


def resolve_model(result: BuildResult, *, uri: str) -> ResolvedModel:
    """What the addresses were resolved to, once and for all."""
    return ResolvedModel(
        uri=uri,
        digest=result.model_digest,
        samples_digest=result.samples_digest,
        format=result.format,
        inputs_hash=result.inputs_hash,
    )


def read_frozen_result(*, inputs: BuildInputs, build: Build) -> BuildResult | None:
    """The result that the status froze for exactly this build."""
    report = build.report
    if build.hash != inputs.build_hash or report is None or not report.ok:
        return None
    needed = (build.artifact, inputs.model_digest, inputs.format, report.runtime)
    if report.step != STEPS[-1] or not all(needed):
        return None
    return BuildResult(
        build_hash=inputs.build_hash,
        inputs_hash=inputs.inputs_hash,
        artifact=build.artifact or "",
        model_digest=inputs.model_digest or "",
        samples_digest=inputs.samples_digest,
        runtime=report.runtime or "",
        format=inputs.format or "",
        report=report,
    )


def read_result(
    *, inputs: BuildInputs, facts: Mapping[str, Any], fetched: Mapping[str, Any]
) -> BuildResult | None:
    """The result out of what `publish` and `fetch` reported; None when something needed is
    missing."""
    needed = [facts.get(name) for name in ("artifact", "modelDigest", "runtime", "format")]
    if not all(isinstance(value, str) and value for value in needed):
        return None
    artifact, model_digest, runtime, model_format = map(str, needed)
    samples = facts.get("samplesDigest") or fetched.get("samplesDigest") or inputs.samples_digest
    return BuildResult(
        build_hash=inputs.build_hash,
        inputs_hash=inputs.inputs_hash,
        artifact=artifact,
        model_digest=model_digest,
        samples_digest=samples if isinstance(samples, str) else None,
        runtime=runtime,
        format=model_format,
        report=summarise(step=STEPS[-1], ok=True, facts=facts),
    )


def summarise(*, step: str, ok: bool, facts: Mapping[str, Any]) -> Report:
    """The part of a report that the status shows; facts of another shape are left out."""
    return Report(
        step=step,
        ok=ok,
        runtime=_fact(facts.get("runtime"), str),
        contract=_fact(facts.get("contract"), ContractSummary),
        estimator=_fact(facts.get("estimator"), str),
        task=_fact(facts.get("task"), str),
        fallback=_fact(facts.get("fallback"), Fallback),
        parity=_fact(facts.get("parity"), Parity),
    )


def _fact(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
