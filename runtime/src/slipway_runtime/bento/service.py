"""The BentoML service of one model: a typed `predict` over the same core that the server uses.

A copy of this module and of what it imports travels in every Bento, so that `bentoml serve` answers
the same numbers. Must import nothing but bentoml, pydantic, numpy and `serving.core`.
"""

import json
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

# Read when onnxruntime is loaded: no word of a model leaves this machine.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException
from pydantic import BaseModel, ConfigDict, Field, create_model

from slipway_runtime.serving.core.answer import render_predictions
from slipway_runtime.serving.core.faults import RequestFault
from slipway_runtime.serving.core.gate import Gate
from slipway_runtime.serving.core.golden import check_golden
from slipway_runtime.serving.core.policies import Policies
from slipway_runtime.serving.core.schema import ColumnSpec, ModelSchema, compile_schema
from slipway_runtime.serving.core.session import OnnxSession, Session
from slipway_runtime.serving.core.table import table_from_rows

MAX_ROWS = 1024
_CODES = {
    "BodyUnreadable": HTTPStatus.BAD_REQUEST,
    "ContractViolated": HTTPStatus.UNPROCESSABLE_ENTITY,
    "ShapeInvalid": HTTPStatus.BAD_REQUEST,
    "TooManyRows": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}

Rows = list[dict[str, Any]]
Predict = Callable[[Rows], dict[str, Any]]


class Answer(BaseModel):
    """What `predict` answers: one object a row, and what the contract found."""

    predictions: list[dict[str, Any]]
    model: str
    violations: list[dict[str, Any]]


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest beside the model."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return manifest


def make_onnx_service(folder: Path) -> Any:
    """The service of the ONNX model in `folder`; the session is opened when it starts."""
    manifest = read_manifest(folder)
    schema = compile_schema(manifest)

    def start() -> Predict:
        session = OnnxSession(folder / manifest["files"]["model"], schema=schema, threads=1)
        return make_predict(manifest, schema=schema, session=session, missing_text="")

    return make_service(schema, start)


def make_predict(
    manifest: Mapping[str, Any], *, schema: ModelSchema, session: Session, missing_text: str | None
) -> Predict:
    """Prove the session with the golden rows, then answer rows with it."""
    check_golden(manifest, schema=schema, session=session, missing_text=missing_text)
    gate = Gate(schema, Policies(), missing_text=missing_text)

    def predict(rows: Rows) -> dict[str, Any]:
        admitted = gate.admit(table_from_rows(rows, limit=MAX_ROWS))
        outputs = session.run(admitted.tensors)
        return {
            "predictions": render_predictions(outputs, schema.outputs),
            "model": schema.name,
            "violations": [violation.to_json() for violation in admitted.violations],
        }

    return predict


def make_service(schema: ModelSchema, start: Callable[[], Predict]) -> Any:
    """A BentoML service with the endpoint `predict`.

    Args:
        schema: its columns become the typed fields of a row.
        start: called once a worker; returns what answers rows.
    """
    row_type = make_row_type(schema)

    class Model:
        """Answers rows of the model's columns."""

        def __init__(self) -> None:
            self._predict = start()

        def predict(self, rows: Any) -> Any:
            """Predict one object a row; unknown columns are reported, not read."""
            try:
                return Answer(**_plain(self._predict([row.to_columns() for row in rows])))
            except RequestFault as fault:
                raise _refusal(fault) from fault

    # the row's type is known only now, and BentoML reads it from the annotations
    Model.predict.__annotations__.update({"rows": list[row_type], "return": Answer})  # type: ignore[valid-type]
    Model.predict = bentoml.api(Model.predict)  # type: ignore[method-assign]
    return bentoml.service(Model, name=schema.name)


def _refusal(fault: RequestFault) -> BentoMLException:
    """BentoML answers it as `{"error": …}` with this code."""
    refusal = BentoMLException(fault.message)
    refusal.error_code = _CODES.get(fault.reason, HTTPStatus.INTERNAL_SERVER_ERROR)
    return refusal


def make_row_type(schema: ModelSchema) -> type[BaseModel]:
    """A pydantic model with one field a column, called as the column is."""
    fields: dict[str, Any] = {
        f"column_{at}": _field(column) for at, column in enumerate(schema.columns)
    }
    return create_model("Row", __base__=_Row, **fields)


class _Row(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=True)

    def to_columns(self) -> dict[str, Any]:
        """The row as it was sent: columns that were left out stay out."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def _field(column: ColumnSpec) -> tuple[Any, Any]:
    kinds: dict[str, Any] = {"BYTES": str, "BOOL": bool}
    kind = kinds.get(column.datatype, float if column.datatype.startswith("FP") else int)
    notes = []
    if column.categories is not None:
        notes.append("known: " + ", ".join(map(str, column.categories[:20])))
    if column.minimum is not None or column.maximum is not None:
        notes.append(f"seen from {column.minimum} to {column.maximum}")
    described: dict[str, Any] = {"alias": column.name, "description": "; ".join(notes) or None}
    if column.missing_allowed:
        return kind | None, Field(None, **described)
    return kind, Field(**described)


def _plain(value: Any) -> Any:
    """Numpy scalars as Python numbers with the same digits: 0.1 stays 0.1."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value
