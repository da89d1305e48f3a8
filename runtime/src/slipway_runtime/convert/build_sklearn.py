"""Builds an opened model of scikit-learn or a booster: read, ask, convert, prove, measure."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from slipway_runtime.artifact.flavor import Flavor
from slipway_runtime.artifact.manifest import (
    Column,
    Contract,
    Fallback,
    Files,
    Golden,
    Measured,
    ModelFacts,
    OutputTensor,
    Parity,
    Signature,
    Worst,
)
from slipway_runtime.artifact.mlflow_model import MlflowModel
from slipway_runtime.artifact.training_versions import installed_version
from slipway_runtime.boosters.open import installed_frameworks
from slipway_runtime.contract_of.read import merge_samples, read_model
from slipway_runtime.contract_of.reading import ModelReading, Table, row_count, take
from slipway_runtime.contract_of.samples import Raw, align_samples, read_samples
from slipway_runtime.contract_of.stated import state_columns, use_example
from slipway_runtime.contract_of.unwrap import describe
from slipway_runtime.convert.built import (
    NO_DIGEST,
    Built,
    choose_golden,
    describe_outputs,
    golden_outputs,
    golden_rows,
    list_versions,
)
from slipway_runtime.convert.decide import Decision, decide_runtime
from slipway_runtime.convert.from_sklearn import OPSET, list_inputs
from slipway_runtime.convert.load import Loaded, other_versions
from slipway_runtime.convert.native import measure_native
from slipway_runtime.convert.original import Original, Outputs, open_original
from slipway_runtime.convert.session import Runner, feeds_of
from slipway_runtime.errors import BuildError
from slipway_runtime.monitors.baseline import make_baseline
from slipway_runtime.parity.check import Evidence, ask_original, confirm_missing
from slipway_runtime.parity.probes import make_probes
from slipway_runtime.parity.tolerance import tolerance_for

MAX_SAMPLE_ROWS = 20_000


def build_sklearn(
    model_file: Path,
    flavor: Flavor,
    samples_file: Path | None,
    *,
    loaded: Loaded,
    runtime: Literal["Auto", "ONNX", "Native"],
    run: Runner,
    told: MlflowModel | None = None,
) -> Built:
    """Build the model in `model_file`.

    Args:
        loaded: the model, opened.
        told: what an MLflow directory says of it; its input example stands in for samples.

    Raises:
        BuildError: see `read_samples`, `ask_original`, `decide_runtime`.
    """
    raw = read_samples(samples_file) if samples_file is not None else None
    reading, samples = read_columns(loaded.model, raw, samples_file, told=told)
    original = open_original(loaded.model, reading)
    evidence = _gather(loaded, original, samples, runtime=runtime)
    original = replace(original, reading=confirm_missing(original, evidence))
    try:
        decision = decide_runtime(original, evidence, runtime=runtime, run=run)
    except BuildError as error:
        raise _refuse_with_versions(error, loaded) from error
    return _assemble(
        original=original,
        evidence=evidence,
        decision=decision,
        loaded=loaded,
        flavor=flavor,
        model_file=model_file,
        run=run,
        typical=raw is not None,
    )


def read_columns(
    model: object, raw: Raw | None, samples_file: Path | None, *, told: MlflowModel | None = None
) -> tuple[ModelReading, Table | None]:
    """Read the model's columns, and the samples as it wants them.

    Raises:
        BuildError: `SamplesInvalid`, when neither tells what the columns are, or they do not fit.
    """
    stated = told.columns if told is not None else ()
    reading = read_model(model, tuple(raw or (column.name for column in stated)))
    if reading is None:
        raise BuildError(
            "SamplesInvalid",
            f"{describe(model)} does not tell how many columns it takes; "
            "give rows like the training rows in spec.model.samples.",
        )
    reading = state_columns(reading, stated)
    if raw is None or samples_file is None:
        return use_example(reading, told.example if told is not None else None)
    samples = align_samples(raw, reading, samples_file)
    reading = merge_samples(reading, samples)
    total = row_count(samples)
    if total > MAX_SAMPLE_ROWS:
        samples = take(samples, slice(0, None, -(-total // MAX_SAMPLE_ROWS)))
    return reading, samples


def _gather(loaded: Loaded, original: Original, samples: Table | None, *, runtime: str) -> Evidence:
    """Ask the original; what an old pickle cannot do any more is told as that.

    Where it answers no row, a native model cannot be described; ONNX can, and goes on unproven
    with the probes if it was asked for.
    """
    other = other_versions(loaded.training_versions)
    try:
        probes = make_probes(original.reading, samples)
        evidence = ask_original(original, samples, probes)
    except BuildError as error:
        if other:
            raise _mismatch(original, other[0], error.message) from error
        raise
    if evidence.answers:
        return evidence
    if other:
        raise _mismatch(original, other[0], evidence.refusal)
    if runtime == "ONNX":
        return replace(evidence, rows=probes)
    raise BuildError(
        "SamplesInvalid",
        f"{describe(original.model)} answers none of the rows that could be made from it "
        f"({evidence.refusal}); give rows like the training rows in spec.model.samples.",
    )


def _mismatch(original: Original, other: tuple[str, str, str], why: str | None) -> BuildError:
    name, then, now = other
    return BuildError(
        "ModelVersionMismatch",
        f"{describe(original.model)} was saved with {name} {then} and does not answer "
        f"with {now} ({why}); train and save it with {name} {now}, or run "
        f"slipway-runtime beside {name} {then}.",
    )


def _other_version(loaded: Loaded) -> str | None:
    """A conversion that is not proven may be another version's doing: the sentence to add."""
    for name, then, now in other_versions(loaded.training_versions):
        return (
            f"It was trained with {name} {then} and opened with {now}; train and save it with "
            f"{name} {now}."
        )
    return None


def _refuse_with_versions(error: BuildError, loaded: Loaded) -> BuildError:
    told = _other_version(loaded)
    if told is None or error.reason not in ("ConversionUnsupported", "ParityExceeded"):
        return error
    return BuildError("ModelVersionMismatch", f"{error.message} {told}")


def _explain_versions(fallback: Fallback | None, loaded: Loaded) -> Fallback | None:
    told = _other_version(loaded)
    if fallback is None or told is None:
        return fallback
    return Fallback(reason="ModelVersionMismatch", message=f"{fallback.message} {told}")


def _assemble(
    *,
    original: Original,
    evidence: Evidence,
    decision: Decision,
    loaded: Loaded,
    flavor: Flavor,
    model_file: Path,
    run: Runner,
    typical: bool,
) -> Built:
    answers, served = evidence.answers, decision.onnx
    limit = evidence.sample_rows or row_count(evidence.rows)
    if served is not None:
        answers = dict(served.answered.answers)
        inputs = served.converted.inputs
    else:
        inputs = list_inputs(original, number="FP64")
    chosen = choose_golden(evidence.rows, answers, limit)
    golden = take(evidence.rows, chosen)
    if served is not None:
        ran = run(served.converted.content, feeds_of(golden, inputs), measure=True)
        measured = Measured(
            latency_milliseconds=ran.latency_milliseconds,
            peak_memory_bytes=served.answered.memory_bytes,
        )
    else:
        measured = Measured(latency_milliseconds=measure_native(original, golden))
    outputs = describe_outputs(answers, original.outputs)
    columns = tuple(column.to_column() for column in original.reading.columns)
    return Built(
        model=ModelFacts(
            uri="",
            digest=NO_DIGEST,
            format=flavor.format,
            estimator=describe(loaded.model),
            task=original.task,
            training_versions=loaded.training_versions,
            warnings=loaded.warnings,
        ),
        runtime="ONNX" if served else "Native",
        fallback=_explain_versions(decision.fallback, loaded),
        files=Files(model="model.onnx", loader="onnx")
        if served
        else Files(model=f"native/{model_file.name}", loader=flavor.loader),
        content=served.converted.content if served else None,
        opset=dict(OPSET) if served else None,
        signature=Signature(inputs=inputs, outputs=outputs),
        contract=Contract(columns=columns),
        parity=_parity(original, evidence, decision),
        baseline=_baseline(evidence, columns, answers, outputs) if typical else None,
        golden=Golden(
            source=_source(evidence),
            rows=golden_rows(evidence.rows, chosen),
            outputs=golden_outputs(answers, chosen),
        ),
        measured=measured,
        converters=_converters(loaded),
    )


def _source(evidence: Evidence) -> Literal["Samples", "Probes", "Signature"]:
    """Whose the golden rows are; with Signature, only shapes and types of answers are held to."""
    if evidence.sample_rows:
        return "Samples"
    return "Probes" if evidence.answers else "Signature"


def _converters(loaded: Loaded) -> dict[str, str]:
    versions = list_versions("skl2onnx", "onnx", "onnxruntime", "scikit-learn")
    for framework in installed_frameworks(loaded.model):
        versions[framework] = installed_version(framework) or ""
    return versions


def _parity(original: Original, evidence: Evidence, decision: Decision) -> Parity:
    """Report the proof; a native model needs none, but keeps what its conversion did wrong."""
    comparison, served = decision.comparison, decision.onnx is not None
    if comparison is None and served:
        return Parity(
            verdict="NotVerified", dropped_rows=evidence.dropped_rows, attempts=decision.attempts
        )
    if comparison is None:
        return Parity(verdict="NotNeeded", attempts=decision.attempts)
    main = original.outputs[-1]
    return Parity(
        verdict="Verified" if served else "NotNeeded",
        rows=comparison.rows,
        sample_rows=evidence.sample_rows,
        probe_rows=evidence.probe_rows,
        dropped_rows=evidence.dropped_rows,
        max_absolute_error=_finite(comparison.max_absolute_error),
        max_relative_error=_finite(comparison.max_relative_error),
        label_flips=comparison.label_flips,
        tolerance=tolerance_for(main.role, evidence.answers[main.name]),
        attempts=decision.attempts,
        worst=_worst(evidence, decision),
    )


def _worst(evidence: Evidence, decision: Decision) -> Worst | None:
    found = decision.comparison.worst if decision.comparison else None
    if found is None:
        return None
    rows = golden_rows(evidence.rows, np.array([found.row]))
    return Worst(
        row=found.row,
        output=found.output,
        position=found.position,
        original=_finite(found.original),
        converted=_finite(found.converted),
        inputs={name: _finite(value) for name, value in rows[0].items()},
    )


def _baseline(
    evidence: Evidence,
    columns: tuple[Column, ...],
    answers: Outputs,
    outputs: tuple[OutputTensor, ...],
) -> dict[str, Any] | None:
    """The baseline is made from samples only: probes are no picture of what is normal."""
    if not evidence.sample_rows:
        return None
    first = slice(0, evidence.sample_rows)
    return make_baseline(
        rows=take(evidence.rows, first),
        columns=columns,
        answers={name: values[first] for name, values in answers.items()},
        outputs=outputs,
    )


def _finite(value: Any) -> Any:
    """JSON has no infinities: None says that there is no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
