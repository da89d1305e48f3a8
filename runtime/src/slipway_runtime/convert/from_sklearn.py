"""Converts a fitted scikit-learn model to ONNX, one attempt at a time.

`list_attempts` ranks what is worth trying; `convert_sklearn` makes one. Whether the result is right
is not decided here but by `parity`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from slipway_runtime.artifact.manifest import Datatype, InputTensor
from slipway_runtime.boosters.exactness import find_inexact
from slipway_runtime.boosters.forest import NotRead
from slipway_runtime.boosters.known import framework_of, has_histogram_trees
from slipway_runtime.boosters.write_onnx import booster_converters
from slipway_runtime.contract_of.reading import ColumnReading
from slipway_runtime.contract_of.unwrap import first_step, last_step, nested
from slipway_runtime.convert.graph import (
    Wanted,
    finish_graph,
    foreign_parts,
    name_inputs,
    settle_ties,
    to_bytes,
)
from slipway_runtime.convert.original import Original
from slipway_runtime.convert.own import own_converters
from slipway_runtime.convert.own.delegates import knows_zipmap
from slipway_runtime.convert.rewrite import (
    casts_to_float32,
    has_sparse_encoding,
    rewrite_for_onnx,
)
from slipway_runtime.convert.sparse_rows import hides_zeros
from slipway_runtime.convert.tree_missing import send_missing_like_sklearn

OPSET = {"": 18, "ai.onnx.ml": 3}
MATRIX_INPUT = "X"
# scikit-learn's default token pattern, in the words of RE2 and with letters of every script.
_DEFAULT_TOKENS = r"(?u)\b\w\w+\b"
_UNICODE_TOKENS = r"[\p{L}\p{N}_][\p{L}\p{N}_]+"
_TEXT_LOCALE = "C.UTF-8"


class Unsupported(Exception):
    """The converter failed; `final` when no option can help, for want of a converter."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way of converting.

    `ties`: equal probabilities give the first class, as NumPy's argmax does, whatever the last
    bit of float32 says. `double`: float64 inputs. `dense`: dense one-hot.
    """

    name: str
    ties: bool = False
    double: bool = False
    dense: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """ONNX bytes and the inputs that they take, each with its columns."""

    content: bytes
    inputs: tuple[InputTensor, ...]


def list_attempts(original: Original) -> tuple[Attempt, ...]:
    """Rank the attempts: the fastest first, then the more exact, then what cures a known cause.

    Trees behind other steps get the more exact first: a value that a scaler puts beside a threshold
    falls on either side in float32, and only rows like the training rows would show it.
    """
    parts, end = list(nested(original.model)), last_step(original.model)
    if has_histogram_trees(end) or any(framework_of(part) is not None for part in parts):
        return (_attempt_booster(original),)
    has_probabilities = any(output.role == "Probabilities" for output in original.outputs)
    attempts = [Attempt(name="float32")]
    if has_probabilities:
        attempts.append(Attempt(name="float32, ties to the first class", ties=True))
    if casts_to_float32(end) and end is not original.model:
        exact = Attempt(name="float64 up to the trees", double=True, ties=has_probabilities)
        attempts.insert(0, exact)
    elif not any(hasattr(part, "tree_") or hasattr(part, "_predictors") for part in parts):
        # Trees with float64 inputs split elsewhere, and an infinite threshold never converts.
        attempts.append(Attempt(name="float64", double=True))
    if has_sparse_encoding(original.model):
        attempts.append(Attempt(name="float32, dense one-hot", dense=True))
    return tuple(attempts)


def _attempt_booster(original: Original) -> Attempt:
    """The one exact way: thresholds of boosters are values of the training rows, to the last bit.

    Whatever is calculated before them is calculated in float64, and LightGBM compares in it.
    """
    if framework_of(original.model) in ("xgboost", "catboost"):
        return Attempt(name="float32")
    return Attempt(name="float64 up to the trees", double=True)


def is_table(original: Original) -> bool:
    """Whether the model gets one input a column: when it picks columns, or they differ in type."""
    reading = original.reading
    if reading.feeding == "Texts":
        return True
    if len({column.values for column in reading.columns}) > 1:
        return True
    if any(column.coded for column in reading.columns):
        return True
    return reading.named and hasattr(first_step(original.model), "transformers_")


def convert_sklearn(
    original: Original, attempt: Attempt, *, flat: frozenset[str] = frozenset()
) -> Converted:
    """Make one conversion.

    Args:
        original: what to convert.
        attempt: in which way.
        flat: outputs that the original answers with one number a row.

    Raises:
        Unsupported: there is no converter for a part of the model, or the converter failed.
    """
    import skl2onnx
    from skl2onnx.common import exceptions

    model = rewrite_for_onnx(original.model, dense=attempt.dense, cast=attempt.double)
    own = own_converters()
    try:
        boosters = booster_converters(
            nested(model), last_step(model), hides_zeros=hides_zeros(original)
        )
    except NotRead as error:
        raise Unsupported(f"it holds {error}", final=True) from error
    inputs = list_inputs(original, number="FP64" if attempt.double else "FP32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            onnx_model = skl2onnx.convert_sklearn(
                model,
                name="slipway",
                initial_types=[
                    (_name_for_sklearn(tensor), _tensor_type(tensor)) for tensor in inputs
                ],
                options=_options(model, original),
                target_opset=dict(OPSET),
                custom_conversion_functions=own.converters | boosters.functions,
                custom_shape_calculators=own.shapes | boosters.shapes,
                custom_parsers=own.parsers | boosters.parsers,
            )
        except (exceptions.MissingShapeCalculator, exceptions.MissingConverter) as error:
            raise Unsupported(_first_sentence(error), final=True) from error
        except Exception as error:  # an edge: the converter raises whatever numpy and protobuf do
            raise Unsupported(f"{type(error).__name__}: {_first_sentence(error)}") from error
    if len(onnx_model.graph.input) == len(inputs):
        name_inputs(onnx_model, [tensor.name for tensor in inputs])
    foreign = foreign_parts(onnx_model)
    if foreign:
        raise Unsupported(f"the conversion needs {foreign}, which is not standard ONNX")
    if boosters.functions:
        to_the_bit = has_histogram_trees(last_step(model))
        inexact = find_inexact(onnx_model, to_the_bit=to_the_bit)
        if inexact:
            raise Unsupported(f"ONNX calculates {inexact} before the trees", final=True)
    send_missing_like_sklearn(onnx_model, model)
    finish_graph(onnx_model, _wanted(onnx_model, original, flat))
    if attempt.ties:
        settle_ties(
            onnx_model, label="label", probabilities="probabilities", classes=_classes(original)
        )
    return Converted(content=to_bytes(onnx_model), inputs=inputs)


def list_inputs(original: Original, *, number: Datatype = "FP32") -> tuple[InputTensor, ...]:
    """The inputs of the model when it is served: one a column for tables, else one matrix."""
    columns = original.reading.columns
    if is_table(original):
        taken = {output.name for output in original.outputs}
        return tuple(
            InputTensor(
                # one graph, one set of names: a column may be called like an answer
                name=f"column:{column.name}" if column.name in taken else column.name,
                datatype=_datatype(column, number),
                shape=(-1, 1),
                columns=(column.name,),
            )
            for column in columns
        )
    return (
        InputTensor(
            name=MATRIX_INPUT,
            datatype=_datatype(columns[0], number),
            shape=(-1, len(columns)),
            columns=original.reading.names,
        ),
    )


def _name_for_sklearn(tensor: InputTensor) -> str:
    """Columns are looked up by their own names while the model is converted."""
    return tensor.columns[0] if len(tensor.columns) == 1 else tensor.name


def _datatype(column: ColumnReading, number: Datatype) -> Datatype:
    held: dict[str, Datatype] = {"Text": "BYTES", "Integer": "INT64", "Boolean": "BOOL"}
    return held.get(column.values, number)


def _tensor_type(tensor: InputTensor) -> Any:
    from skl2onnx.common import data_types

    kinds = {
        "BYTES": data_types.StringTensorType,
        "INT64": data_types.Int64TensorType,
        "BOOL": data_types.BooleanTensorType,
        "FP64": data_types.DoubleTensorType,
        "FP32": data_types.FloatTensorType,
    }
    return kinds[tensor.datatype]([None, tensor.shape[1]])


def _options(model: object, original: Original) -> dict[int, dict[str, Any]]:
    options: dict[int, dict[str, Any]] = {}
    if original.task == "Classification":
        end = last_step(model)
        if knows_zipmap(end) and not has_histogram_trees(end):
            options[id(model)] = {"zipmap": False}
        else:  # named at all, it is spared the default that it would refuse
            options[id(end)] = {}
    for part in nested(model):
        if hasattr(part, "build_analyzer"):
            text = {"locale": _TEXT_LOCALE}
            if getattr(part, "analyzer", "") == "word" and part.token_pattern == _DEFAULT_TOKENS:  # type: ignore[attr-defined]
                text["tokenexp"] = _UNICODE_TOKENS
            options[id(part)] = text
    return options


def _wanted(onnx_model: Any, original: Original, flat: frozenset[str]) -> list[Wanted]:
    """Pair the graph's outputs with the original's, in order; a further one is left out.

    Scores of two classes where the original has one number have no counterpart: left out too.
    """
    wanted: list[Wanted] = []
    for output, found in zip(original.outputs, onnx_model.graph.output, strict=False):
        dimensions = found.type.tensor_type.shape.dim
        several = len(dimensions) > 1 and dimensions[1].dim_value > 1
        if output.role == "Scores" and output.name in flat and several:
            continue
        cast = _label_type(original) if output.role == "Label" else None
        wanted.append(
            Wanted(found=found.name, name=output.name, flat=output.name in flat, cast=cast)
        )
    return wanted


def _classes(original: Original) -> Sequence[object]:
    return next(output.classes for output in original.outputs if output.classes is not None)


def _label_type(original: Original) -> int | None:
    """Keep booleans boolean and floats floating; the converter makes integers of both."""
    classes = original.outputs[0].classes or getattr(original.model, "classes_", None)
    if classes is None:
        return None
    kind = np.asarray(classes).dtype.kind
    return {"b": int(TensorProto.BOOL), "f": int(TensorProto.DOUBLE)}.get(kind)


def _first_sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text.split(". ")[0].split("It usually means")[0].strip().rstrip(".")[:300]
