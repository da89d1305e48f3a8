"""Answers are kept while somebody reads them, in bounded memory, the same ones everywhere."""

import json
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_runtime.serving import recorder as module
from slipway_runtime.serving.core.schema import ModelSchema, TensorSpec
from slipway_runtime.serving.recorder import Recorder

CLASSES = ("no", "yes")
LABEL = TensorSpec(name="label", datatype="BYTES", shape=(-1,), role="Label")
SCORE = TensorSpec(name="p", datatype="FP32", shape=(-1, 2), role="Probabilities", classes=CLASSES)


def schema(
    *outputs: TensorSpec, columns: tuple[str, ...] = ("x",), datatype: str = "FP64"
) -> ModelSchema:
    """One input of these columns."""
    spec = TensorSpec(name="X", datatype=datatype, shape=(-1, len(columns)), columns=columns)
    return ModelSchema(
        name="m",
        platform="onnxruntime",
        inputs=(spec,),
        outputs=outputs,
        columns=(),
        ignored=frozenset(),
    )


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fill(recorder: Recorder, count: int, *, start: int = 0, source: str = "route") -> None:
    for number in range(start, start + count):
        recorder.record_failure(f"id-{number}", source, 500)


def read(recorder: Recorder, after: int = 0, keep: float = 1.0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recorder.read(after, keep))
    return found


def keep_one(
    model: ModelSchema, inputs: Any, outputs: list[Any], rows: int | None = None
) -> dict[str, Any]:
    """What is told of one answer."""
    recorder = Recorder(first=0)
    read(recorder)
    arrays = [np.asarray(output) for output in outputs]
    recorder.record(
        "id",
        "route",
        model,
        inputs={"X": np.asarray(inputs)},
        outputs=arrays,
        rows=len(arrays[0]) if rows is None else rows,
    )
    (found,) = read(recorder)["answers"]
    return dict(found)


def test_nothing_is_kept_before_somebody_reads() -> None:
    recorder = Recorder(first=10)
    fill(recorder, 3)
    assert not recorder.is_on
    assert read(recorder) == {"next": 10, "dropped": 0, "left": 0, "answers": []}
    fill(recorder, 2)
    told = read(recorder, 10)
    assert (told["next"], [one["id"] for one in told["answers"]]) == (12, ["id-0", "id-1"])
    assert told["answers"][0] == {"id": "id-0", "source": "route", "code": 500, "rows": 0}
    assert read(recorder, 12)["answers"] == []


def test_it_ends_when_nobody_has_read_for_long_and_begins_again() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock, first=0)
    read(recorder)
    fill(recorder, 2)
    clock.now = 29.0
    recorder.expire()
    assert read(recorder)["next"] == 2
    clock.now = 60.0
    recorder.expire()
    assert not recorder.is_on
    fill(recorder, 2)
    assert read(recorder, 1) == {"next": 2, "dropped": 0, "left": 0, "answers": []}
    recorder.expire()
    assert recorder.is_on


def test_only_ids_of_the_gateway_are_kept() -> None:
    recorder = Recorder(first=0)
    read(recorder)
    for source in ("route", "mirror", "forced", "direct"):
        recorder.record_failure(source, source, 400)
    assert [one["id"] for one in read(recorder)["answers"]] == ["route", "mirror"]


@given(keep=st.floats(0.001, 1.0), ids=st.lists(st.text(min_size=1), max_size=50))
def test_two_processes_keep_the_same_share(keep: float, ids: list[str]) -> None:
    found = []
    for source in ("route", "mirror"):
        recorder = Recorder(first=0)
        read(recorder, keep=keep)
        for one in ids:
            recorder.record_failure(one, source, 500)
        found.append([one["id"] for one in read(recorder)["answers"]])
    assert found[0] == found[1]
    assert found[0] == [one for one in ids if crc32(one.encode()) < int(keep * 2**32)]


def test_no_more_than_so_many_are_kept_and_the_loss_is_told() -> None:
    recorder = Recorder(first=0)
    read(recorder)
    fill(recorder, module.MOST_ANSWERS + 5)
    told = read(recorder)
    assert (told["dropped"], told["answers"][0]["id"]) == (5, "id-5")
    assert read(recorder, 3)["dropped"] == 2
    assert read(recorder, 5)["dropped"] == 0


def test_no_more_than_so_many_bytes_are_kept_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2000)
    monkeypatch.setattr(module, "MOST_BYTES_READ", 1000)
    recorder = Recorder(first=0)
    read(recorder)
    fill(recorder, 100)
    seen, at, drops = [], 0, []
    for _ in range(10):
        body = recorder.read(at, 1.0)
        assert len(body) <= 1000
        told = json.loads(body)
        assert at + told["dropped"] + len(told["answers"]) == told["next"]
        assert told["next"] + told["left"] == 100
        at = told["next"]
        drops.append(told["dropped"])
        seen += [one["id"] for one in told["answers"]]
    assert at == 100
    assert len(seen) + sum(drops) == 100
    assert seen == [f"id-{number}" for number in range(100 - len(seen), 100)]


def test_a_number_of_another_process_means_from_the_beginning() -> None:
    recorder = Recorder(first=5)
    read(recorder)
    fill(recorder, 2)
    assert len(read(recorder, 10**15)["answers"]) == 2


def test_the_numbers_of_a_later_process_are_greater() -> None:
    first = Recorder()
    read(first)
    fill(first, 10)
    earlier = read(first)["next"] - 10
    assert read(Recorder())["next"] > earlier > 10**15


def test_an_answer_tells_its_first_rows_by_column() -> None:
    model = schema(LABEL, SCORE, columns=("x", "y"))
    rows = 40
    labels = np.array(["yes", "no"] * 20, dtype=object)
    found = keep_one(
        model,
        np.arange(80, dtype=np.float64).reshape(rows, 2),
        [labels, np.full((rows, 2), 0.1, dtype=np.float32)],
    )
    assert (found["rows"], found["code"]) == (40, 200)
    assert found["inputs"] == {
        "x": [float(2 * at) for at in range(16)],
        "y": [2.0 * at + 1 for at in range(16)],
    }
    assert found["outputs"]["label"] == ["yes", "no"] * 8
    assert found["outputs"]["p"] == [[0.1, 0.1]] * 16  # with the digits that it has


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        ([1, 0], ["1", "0"]),
        ([1.0, 0.5], ["1", "0.5"]),
        ([[1], [0]], ["1", "0"]),
        ([True, False], ["True", "False"]),
        ([[1, 2], [3, 4]], [["1", "2"], ["3", "4"]]),
        (np.array([b"a", b"\xff"], dtype=object), ["a", "\ufffd"]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.array(["a" * 99, ""], dtype=object), ["a" * 64, ""]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([["a", "b"], ["c", "d"]], dtype=object), [["a", "b"], ["c", "d"]]),
    ],
)
def test_a_class_is_text(array: Any, shown: Any) -> None:
    assert keep_one(schema(LABEL), [[1.0], [2.0]], [array])["outputs"]["label"] == shown


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (np.array([[0.5], [np.nan]]), [0.5, None]),
        (np.zeros((2, 8, 16), dtype=np.float32), [[0.0] * 64] * 2),
        (np.array([1, 2], dtype=np.int64), [1, 2]),
        (np.float64(3.0), [3.0]),
    ],
)
def test_a_number_is_a_number(array: Any, shown: Any) -> None:
    value = TensorSpec(name="value", datatype="FP64", shape=(-1,), role="Value")
    assert keep_one(schema(value), [[1.0], [2.0]], [array], rows=2)["outputs"]["value"] == shown


def test_texts_are_cut_and_columns_left_out() -> None:
    names = tuple(f"c{at}" for at in range(80))
    cells = np.array([["ü" * 99] * 80], dtype=object)
    found = keep_one(schema(LABEL, columns=names, datatype="BYTES"), cells, [["a"]])
    assert list(found["inputs"]) == list(names[:64])
    assert found["inputs"]["c0"] == ["ü" * 64]


def test_what_is_too_large_loses_inputs_then_rows_then_all() -> None:
    names = tuple(f"c{at}" for at in range(64))
    model = schema(LABEL, columns=names, datatype="BYTES")
    wide = np.array([["x" * 64] * 64] * 16, dtype=object)
    found = keep_one(model, wide, [["a"] * 16])
    assert (found["rows"], found["outputs"]["label"]) == (16, ["a"] * 16)
    assert found["inputs"]["c0"] == ["x" * 64]
    some = np.array([["x" * 40] * 64] * 16, dtype=object)
    found = keep_one(model, some, [["a"] * 16])
    assert (len(found["inputs"]["c0"]), len(found["outputs"]["label"])) == (4, 16)
    found = keep_one(model, np.array([["\U0001f600" * 64] * 64], dtype=object), [["a"]])
    assert (found["inputs"], found["outputs"]["label"]) == ({}, ["a"])
    texts = TensorSpec(name="t", datatype="BYTES", shape=(-1, 64))
    found = keep_one(schema(texts), [[1.0]], [np.array([["\U0001f600" * 64] * 64], dtype=object)])
    assert found == {"id": "id", "source": "route", "code": 200, "rows": 1}


def test_a_model_of_tensors_tells_no_inputs() -> None:
    model = schema(LABEL, columns=())
    assert keep_one(model, np.zeros((1, 3, 3)), [["a"]])["inputs"] == {}


def test_a_column_alone_may_be_a_vector() -> None:
    assert keep_one(schema(LABEL), [1.0, 2.0], [["a", "b"]])["inputs"] == {"x": [1.0, 2.0]}


def test_an_id_that_is_not_kept_costs_nothing() -> None:
    recorder = Recorder(first=0)
    read(recorder, keep=1e-9)
    recorder.record("id", "route", schema(LABEL), inputs={}, outputs=[], rows=1)
    assert read(recorder)["answers"] == []
