"""Schemas for tests of the contract, without a model behind them."""

from typing import Any

from slipway_runtime.serving.core.gate import Gate
from slipway_runtime.serving.core.policies import StatedRule, compile_policies
from slipway_runtime.serving.core.schema import ModelSchema, compile_schema


def column(name: str, kind: str = "Numerical", **parts: Any) -> dict[str, Any]:
    """One column of a contract."""
    return {"name": name, "kind": kind, "missingAllowed": False, **parts}


def tensor(name: str, datatype: str, *columns: str) -> dict[str, Any]:
    """One input; with no columns given, the column is called like the tensor."""
    names = list(columns) or [name]
    return {"name": name, "datatype": datatype, "shape": [-1, len(names)], "columns": names}


def schema_of(inputs: list[dict[str, Any]], columns: list[dict[str, Any]]) -> ModelSchema:
    """Compile a schema with one output, a label."""
    return compile_schema(
        {
            "name": "model",
            "runtime": "ONNX",
            "signature": {
                "inputs": inputs,
                "outputs": [{"name": "label", "datatype": "BYTES", "shape": [-1], "role": "Label"}],
            },
            "contract": {"columns": columns},
        }
    )


def mixed() -> ModelSchema:
    """A number that may be missing, one that may not, a category, an integer, a boolean, a text."""
    return schema_of(
        [
            tensor("bill", "FP32"),
            tensor("mass", "FP32"),
            tensor("island", "BYTES"),
            tensor("year", "INT64"),
            tensor("tagged", "BOOL"),
            tensor("note", "BYTES"),
        ],
        [
            column("bill", missingAllowed=True, minimum=20.0, maximum=70.0),
            column("mass", minimum=1000.0, maximum=8000.0),
            column("island", "Categorical", categories=["Biscoe", "Dream"], default="Dream"),
            column("year"),
            column("tagged", "Boolean"),
            column("note", "Text", missingAllowed=True),
            column("unused"),
        ],
    )


GOOD: dict[str, Any] = {
    "bill": 44.1,
    "mass": 3500,
    "island": "Dream",
    "year": 2007,
    "tagged": True,
    "note": "ok",
}


def gate_of(
    schema: ModelSchema, general: str = "Warn", *rules: StatedRule, missing_text: str | None = ""
) -> Gate:
    """A gate with stated rules."""
    return Gate(schema, compile_policies(schema, general, rules), missing_text=missing_text)
