"""The golden rows: a server is ready only when it gives the answers that the build saw."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .faults import ModelInvalid, RequestFault
from .gate import Gate
from .policies import Policies
from .schema import ModelSchema, TensorSpec
from .session import Session, conform
from .table import Table, table_from_rows

_ABSOLUTE = 1e-4
_RELATIVE = 1e-3


def check_golden(
    manifest: Mapping[str, Any], *, schema: ModelSchema, session: Session, missing_text: str | None
) -> int:
    """Run the golden rows and compare within the parity tolerance; returns how many there were.

    With source `Signature` (rows made from the signature) only datatypes and the number of answers
    are compared. No rule that somebody stated applies: the rows are the build's own.

    Raises:
        ModelInvalid: an answer differs, or the model gives none.
    """
    golden = manifest["golden"]
    rows = list(golden["rows"])
    if not rows or not schema.is_table:
        return 0
    gate = Gate(schema, Policies(), missing_text=missing_text)
    try:
        table: Table = table_from_rows(rows, limit=len(rows))
        outputs = session.run(gate.admit(table).tensors)
    except RequestFault as fault:
        raise ModelInvalid(
            f'Cannot serve model "{schema.name}": its golden rows got no answer: {fault.message}'
        ) from fault
    conform(outputs, schema.outputs)
    for array, spec in zip(outputs, schema.outputs, strict=True):
        if len(array) != len(rows):
            raise ModelInvalid(
                f'Cannot serve model "{schema.name}": output "{spec.name}" has {len(array)} rows '
                f"for {len(rows)} golden rows."
            )
        if golden["source"] != "Signature" and spec.name in golden["outputs"]:
            _compare(array, golden["outputs"][spec.name], spec, manifest, schema)
    return len(rows)


def _compare(
    array: npt.NDArray[Any],
    wanted: list[Any],
    spec: TensorSpec,
    manifest: Mapping[str, Any],
    schema: ModelSchema,
) -> None:
    tolerance = manifest["parity"].get("tolerance") or {}
    absolute = tolerance.get("absolute", _ABSOLUTE)
    relative = tolerance.get("relative", _RELATIVE)
    for row, (got, want) in enumerate(zip(array.tolist(), wanted, strict=True)):
        if not _is_near(got, want, absolute, relative):
            raise ModelInvalid(
                f'Cannot serve model "{schema.name}": golden row {row}, output "{spec.name}" is '
                f"{got}, the build saw {want} (tolerance {absolute:g} absolute, {relative:g} "
                "relative)."
            )


def _is_near(got: Any, want: Any, absolute: float, relative: float) -> bool:
    if isinstance(got, list) or isinstance(want, list | tuple):
        got = got if isinstance(got, list) else [got]
        want = list(want) if isinstance(want, list | tuple) else [want]
        return len(got) == len(want) and all(
            _is_near(one, other, absolute, relative) for one, other in zip(got, want, strict=True)
        )
    if isinstance(got, bytes):
        got = got.decode("utf-8", "replace")
    if isinstance(want, str) or isinstance(got, str):
        return str(got) == str(want)
    if want is None:
        return got is None or (isinstance(got, float) and not math.isfinite(got))
    if isinstance(got, float) and math.isnan(got):
        return isinstance(want, float) and math.isnan(want)
    if got == want:  # also the same infinity
        return True
    return bool(np.isclose(got, want, atol=absolute, rtol=relative))
