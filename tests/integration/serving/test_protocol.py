"""The Open Inference Protocol V2 and the row protocol over real HTTP."""

import io
import json
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import serving_models
from serving_process import Served

X = [5.1, 3.5, 1.4, 0.2]
ROW = {"bill": 44.1, "mass": 3500.0, "island": "Dream"}


def request(data: Any, shape: list[int], **parts: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "X", "datatype": "FP32", "shape": shape, "data": data}], **parts}


def infer(iris: Served, body: Any, path: str = "/v2/models/model/infer") -> httpx.Response:
    return httpx.post(iris.url + path, json=body)


def wanted(artifacts: Any, rows: Any) -> Any:
    session = onnxruntime.InferenceSession(str(artifacts / "iris" / "model.onnx"))
    return session.run(None, {"X": np.array(rows, dtype=np.float32)})


FORMS: dict[str, tuple[Any, list[int]]] = {
    "flat": (X + X, [2, 4]),
    "nested": ([X, X], [2, 4]),
    "one row": (X, [1, 4]),
}


@pytest.mark.parametrize(("data", "shape"), FORMS.values(), ids=FORMS.keys())
def test_infer_answers_what_onnxruntime_answers(
    iris: Served, artifacts: Any, data: Any, shape: list[int]
) -> None:
    answer = infer(iris, request(data, shape, id="req-7"))
    document = answer.json()
    labels, probabilities = wanted(artifacts, [X] * shape[0])
    assert answer.status_code == 200
    assert (document["model_name"], document["model_version"]) == ("model", "abcdef0123")
    assert document["id"] == "req-7"
    label, probability = document["outputs"]
    assert label == {
        "name": "label", "datatype": "INT64", "shape": [shape[0]], "data": labels.tolist(),
    }  # fmt: skip
    assert probability["shape"] == [shape[0], 3]
    assert np.array_equal(np.float32(probability["data"]), probabilities.ravel())


def test_outputs_can_be_chosen(iris: Served) -> None:
    document = infer(iris, request(X, [1, 4], outputs=[{"name": "probabilities"}])).json()
    assert [output["name"] for output in document["outputs"]] == ["probabilities"]
    assert "id" not in document


def test_the_version_in_the_path_is_the_revision(iris: Served) -> None:
    path = "/v2/models/model/versions/abcdef0123/infer"
    assert infer(iris, request(X, [1, 4]), path).status_code == 200
    other = infer(iris, request(X, [1, 4]), "/v2/models/model/versions/1/infer")
    assert (other.status_code, other.json()["reason"]) == (404, "ModelNotFound")


BAD: dict[str, tuple[Any, int, str, str]] = {
    "no inputs": ({"inputs": []}, 400, "ShapeInvalid", "X"),
    "another input": (
        {"inputs": [{"name": "Y", "datatype": "FP32", "shape": [1, 4], "data": X}]},
        400, "ShapeInvalid", "X",
    ),
    "no shape": (
        {"inputs": [{"name": "X", "datatype": "FP32", "data": X}]}, 400, "BodyUnreadable", "shape",
    ),
    "too few values": (request(X[:3], [1, 4]), 400, "ShapeInvalid", "shape"),
    "another width": (request(X[:3], [1, 3]), 400, "ShapeInvalid", "shape"),
    "another rank": (request(X, [4]), 400, "ShapeInvalid", "shape"),
    "a negative size": (request([], [-1, 4]), 400, "ShapeInvalid", "shape"),
    "a huge size": (request(X, [2**62, 4]), 413, "TooManyRows", "limit 8"),
    "uneven nesting": (request([X, 1], [2, 4]), 400, "ShapeInvalid", "nested"),
    "deep nesting": (request([[[[X]]]], [1, 4]), 400, "ShapeInvalid", "nested"),
    "no rows": (request([], [0, 4]), 400, "ShapeInvalid", "no rows"),
    "too many rows": (request(X * 9, [9, 4]), 413, "TooManyRows", "9 rows > limit 8"),
    "texts for numbers": (
        {"inputs": [{"name": "X", "datatype": "BYTES", "shape": [1, 4], "data": ["a"] * 4}]},
        400, "ShapeInvalid", "BYTES",
    ),
    "a text among numbers": (request([*X[:3], "a"], [1, 4]), 422, "ContractViolated", "x3"),
    "null for a number": (request([*X[:3], None], [1, 4]), 422, "ContractViolated", "x3"),
    "an unknown output": (
        request(X, [1, 4], outputs=[{"name": "shap"}]), 400, "ShapeInvalid", "shap",
    ),
    "a nested parameter": (
        request(X, [1, 4], parameters={"a": {"b": 1}}), 400, "BodyUnreadable", "parameters",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code", "reason", "word"), BAD.values(), ids=BAD.keys())
def test_a_bad_inference_request_is_explained(
    iris: Served, body: Any, code: int, reason: str, word: str
) -> None:
    answer = infer(iris, body)
    document = answer.json()
    assert (answer.status_code, document["reason"]) == (code, reason)
    assert word in document["error"]
    assert document["request_id"] == answer.headers["x-request-id"]
    assert infer(iris, request(X, [1, 4])).status_code == 200


def test_a_violation_is_told_in_the_parameters(iris: Served) -> None:
    document = infer(iris, request([99.0, *X[1:]], [1, 4])).json()
    (violation,) = document["parameters"]["violations"]
    assert (violation["rule"], violation["column"]) == ("OutOfRange", "x0")


def test_metadata_health_and_readiness(iris: Served) -> None:
    get = {path: httpx.get(iris.url + path) for path in (
        "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/model",
        "/v2/models/model/ready", "/v2/models/model/versions/abcdef0123",
    )}  # fmt: skip
    assert {answer.status_code for answer in get.values()} == {200}
    assert get["/v2"].json()["extensions"] == []
    model = get["/v2/models/model"].json()
    assert model["versions"] == ["abcdef0123"]
    assert model["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 4]}]
    assert get["/v2/models/model/versions/abcdef0123"].json() == model
    for answer in get.values():
        assert answer.headers["x-model-revision"] == "abcdef0123"


def test_a_request_id_is_kept_and_a_bad_one_replaced(iris: Served) -> None:
    for given, kept in (("abc-1", True), ("x" * 500, False)):
        answer = httpx.get(iris.url + "/v2", headers={"x-request-id": given})
        assert (answer.headers["x-request-id"] == given) is kept


ROUTES: dict[str, tuple[str, str, int, str]] = {
    "an unknown path": ("GET", "/nowhere", 404, "PathNotFound"),
    "an unknown model": ("POST", "/v2/models/other/infer", 404, "ModelNotFound"),
    "GET of infer": ("GET", "/v2/models/model/infer", 405, "MethodNotAllowed"),
    "POST of health": ("POST", "/v2/health/live", 405, "MethodNotAllowed"),
    "DELETE of predict": ("DELETE", "/predict", 405, "MethodNotAllowed"),
}


@pytest.mark.parametrize(("method", "path", "code", "reason"), ROUTES.values(), ids=ROUTES.keys())
def test_routes(iris: Served, method: str, path: str, code: int, reason: str) -> None:
    answer = httpx.request(method, iris.url + path)
    assert (answer.status_code, answer.json()["reason"]) == (code, reason)
    assert answer.headers["x-request-id"]


def test_a_table_model_by_v2(table: Served) -> None:
    inputs = [
        {"name": "island", "datatype": "BYTES", "shape": [2, 1], "data": ["Dream", "Mars"]},
        {"name": "mass", "datatype": "FP64", "shape": [2], "data": [3500, 4000]},
        {"name": "bill", "datatype": "FP32", "shape": [2, 1], "data": [[44.1], [None]]},
    ]
    answer = httpx.post(table.url + "/v2/models/model/infer", json={"inputs": inputs})
    document = answer.json()
    assert answer.status_code == 200, answer.text
    assert document["outputs"][0]["data"] == ["long", "short"]
    assert document["outputs"][0]["datatype"] == "BYTES"
    assert [each["rule"] for each in document["parameters"]["violations"]] == ["UnknownCategory"]


def test_a_table_model_by_v2_needs_its_columns(table: Served) -> None:
    inputs = [{"name": "mass", "datatype": "FP32", "shape": [1, 1], "data": [3500]}]
    answer = httpx.post(table.url + "/v2/models/model/infer", json={"inputs": inputs})
    assert (answer.status_code, answer.json()["reason"]) == (422, "ContractViolated")
    assert "island" in answer.text


def bodies() -> dict[str, tuple[bytes, str]]:
    rows = serving_models.table_rows(20)
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    parquet, stream, file = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(arrow, parquet)
    with pa.ipc.new_stream(stream, arrow.schema) as writer:
        writer.write_table(arrow)
    with pa.ipc.new_file(file, arrow.schema) as writer:
        writer.write_table(arrow)
    records = rows.to_dict("records")
    return {
        "JSON rows": (json.dumps(records).encode(), "application/json"),
        "JSON object": (json.dumps({"rows": records}).encode(), "application/json; charset=utf-8"),
        "CSV": (rows.to_csv(index=False).encode(), "text/csv"),
        "CSV with a byte order mark": (
            b"\xef\xbb\xbf" + rows.to_csv(index=False, lineterminator="\r\n").encode(), "text/csv",
        ),
        "Parquet": (parquet.getvalue(), "application/vnd.apache.parquet"),
        "Arrow stream": (stream.getvalue(), "application/vnd.apache.arrow.stream"),
        "Arrow file": (file.getvalue(), "application/vnd.apache.arrow.file"),
    }  # fmt: skip


def predict(table: Served, body: bytes, media_type: str) -> httpx.Response:
    return httpx.post(table.url + "/predict", content=body, headers={"content-type": media_type})


@pytest.mark.parametrize(("body", "media_type"), bodies().values(), ids=bodies().keys())
def test_every_form_of_rows_gives_the_same_answer(
    table: Served, body: bytes, media_type: str
) -> None:
    answer = predict(table, body, media_type)
    document = answer.json()
    assert answer.status_code == 200, answer.text
    assert document["violations"] == []
    assert (document["model"], document["revision"]) == ("model", "abcdef0123")
    reference = predict(table, *bodies()["JSON rows"]).json()
    assert document["predictions"] == reference["predictions"]
    assert len(document["predictions"]) == 20
    assert set(document["predictions"][0]) == {"label", "probabilities"}
    assert set(document["predictions"][0]["probabilities"]) == {"long", "short"}


def test_columnar_missing_values_are_missing(table: Served) -> None:
    frame = pd.DataFrame({"bill": [None, 44.0], "mass": [3500, 3600], "island": ["Dream", None]})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    answer = predict(table, buffer.getvalue(), "application/vnd.apache.parquet")
    assert answer.status_code == 422
    assert [each["rule"] for each in answer.json()["violations"]] == ["MissingValue"]
    assert "island" in answer.text


UNREADABLE: dict[str, tuple[bytes, str, int, str]] = {
    "not JSON": (b"{age:", "application/json", 400, "JSON"),
    "NaN in JSON": (b'[{"mass": NaN}]', "application/json", 400, "JSON"),
    "an infinite number": (b'[{"mass": 1e999}]', "application/json", 400, "infinity"),
    "a scalar": (b"3", "application/json", 400, "list of objects"),
    "an object without rows": (b'{"a": 1}', "application/json", 400, "rows"),
    "more than rows": (b'{"rows": [], "a": 1}', "application/json", 400, "rows"),
    "a list of lists": (b"[[1]]", "application/json", 400, "Row 0"),
    "no rows": (b"[]", "application/json", 400, "no rows"),
    "deep JSON": (b"[" * 100_000, "application/json", 400, "JSON"),
    "an empty body": (b"", "application/json", 400, "JSON"),
    "an empty CSV": (b"", "text/csv", 400, "empty"),
    "a header only": (b"bill,mass,island\n", "text/csv", 400, "no rows"),
    "a short line": (b"bill,mass,island\n1,2\n", "text/csv", 400, "Line 2"),
    "a column twice": (b"bill,bill\n1,2\n", "text/csv", 400, "twice"),
    "CSV in another encoding": (b"b\xe9,mass\n1,2\n", "text/csv", 400, "UTF-8"),
    "no Parquet": (b"PAR1 nonsense PAR1", "application/vnd.apache.parquet", 400, "Parquet"),
    "no Arrow": (b"nonsense", "application/vnd.apache.arrow.stream", 400, "Arrow"),
    "a pickle": (b"\x80\x04.", "application/vnd.python.pickle", 415, "application/json"),
    "an octet stream": (b"\x80\x04.", "application/octet-stream", 415, "text/csv"),
    "a form": (b"a=1", "application/x-www-form-urlencoded", 415, "text/csv"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "media_type", "code", "word"), UNREADABLE.values(), ids=UNREADABLE.keys()
)
def test_an_unreadable_body_is_explained(
    table: Served, body: bytes, media_type: str, code: int, word: str
) -> None:
    answer = predict(table, body, media_type)
    assert answer.status_code == code, answer.text
    assert word in answer.json()["error"]
    assert httpx.post(table.url + "/predict", json=[ROW]).status_code == 200


def test_a_compressed_body_is_refused(table: Served) -> None:
    answer = httpx.post(
        table.url + "/predict", content=b"\x1f\x8b", headers={"content-encoding": "gzip"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (415, "MediaTypeUnsupported")
