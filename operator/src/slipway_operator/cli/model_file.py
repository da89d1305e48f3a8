"""`slipway check` and `slipway convert`: a model file alone, without engine or deployment."""

import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(metavar="FILE", help="The model file.")]
Samples = Annotated[
    Path | None,
    typer.Option(
        "--samples", help="Rows like the training rows (CSV, Parquet, JSON) to compare on."
    ),
]


class CheckFormat(StrEnum):
    """What `-o` may say."""

    JSON = "json"


def check(
    *,
    file: Model,
    samples: Samples = None,
    output: Annotated[
        CheckFormat | None,
        typer.Option("-o", "--output", help="Output format.", show_default="text"),
    ] = None,
) -> None:
    """Look into a model file: format, versions, contract, whether it converts, parity, speed."""
    from slipway_operator.cli.contract_table import print_columns
    from slipway_operator.cli.findings import (
        describe_environment,
        describe_size,
        describe_speed,
        list_remedies,
    )
    from slipway_operator.cli.runtime_check import check_file, raise_refusal
    from slipway_operator.cli.screen import print_json, standard_error, standard_output
    from slipway_operator.cli.story import describe_parity

    found = check_file(file, samples, runtime="Auto", to=None, console=standard_error())
    if output is CheckFormat.JSON:
        print_json(found)
        raise_refusal(found)
        return
    raise_refusal(found)
    fallback = found.get("fallback")
    trained = found.get("trainingVersions") or {}
    lines = {
        "File": str(file),
        "Digest": found.get("digest"),
        "Size": describe_size(found),
        "Format": found.get("format"),
        "Estimator": found.get("estimator"),
        "Task": found.get("task"),
        "Trained with": ", ".join(f"{name} {version}" for name, version in trained.items()),
        "Opened with": describe_environment(found.get("environment")),
        "Runtime": found.get("runtime"),
        "Not ONNX": f"{fallback.get('reason')}: {fallback.get('message')}" if fallback else None,
        "Parity": describe_parity(found.get("parity")),
        "Speed": describe_speed(found.get("speed")),
        "To better it": "\n".join(list_remedies(found)),
    }
    console = standard_output()
    for title, text in lines.items():
        if text:
            console.print(f"{title + ':':<14} " + text.replace("\n", "\n" + " " * 15))
    for warning in found.get("warnings") or []:
        console.print(f"{'Warning:':<14} {warning}")
    columns = (found.get("contract") or {}).get("columns") or []
    if columns:
        console.print("Contract:")
        print_columns(console, columns)


def convert(
    *,
    file: Model,
    samples: Samples = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Where to write.", show_default="FILE with .onnx"),
    ] = None,
) -> None:
    """Convert a model file to ONNX, and write it only if it gives the original's answers."""
    from slipway_operator.cli.errors import CliError
    from slipway_operator.cli.runtime_check import check_file, raise_refusal
    from slipway_operator.cli.screen import standard_error, standard_output
    from slipway_operator.cli.story import describe_parity

    target = out or file.with_suffix(".onnx")
    if target.resolve() == file.resolve():
        raise CliError(
            f'Cannot convert model "{file}": the result would take its place.',
            todo="Name another file with --out.",
        )
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        kept = Path(folder)
        found = check_file(file, samples, runtime="ONNX", to=kept, console=standard_error())
        raise_refusal(found)
        try:
            shutil.copyfile(kept / "model.onnx", target)
        except OSError as error:
            raise CliError(f'Cannot write file "{target}": {error.strerror}.') from error
    standard_output().print(f"{target}: {describe_parity(found.get('parity'))}")
