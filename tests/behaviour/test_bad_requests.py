"""A bad request, sent through Envoy to a running model: a status, a sentence and a request id."""

from pathlib import Path
from typing import Any

import httpx
import pytest

import behaviour_models as models
from behaviour_laptop import Laptop, deployment, is_true

GOOD = {"age": 70.0, "income": 3.0}


@pytest.fixture(scope="module")
def served(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    path = models.classifier(folder / "model.joblib")
    country = models.one_hot(folder / "country.joblib")
    laptop.apply(
        deployment("served", f"file:{path}", serving={"maxBatchRows": 4, "maxRequestBytes": 2048})
    )
    reject = {"onViolation": "Reject"}
    laptop.apply(deployment("strict", f"file:{country}", contract=reject))
    laptop.apply(deployment("lenient", f"file:{country}"))
    return {name: laptop.wait(name, is_true("Ready")) for name in ("served", "strict", "lenient")}


def post(served: dict[str, Any], name: str = "served", **how: Any) -> httpx.Response:
    path = how.pop("path", "/predict")
    return httpx.post(served[name]["status"]["url"] + path, timeout=20, **how)


ROWS: dict[str, tuple[int, dict[str, Any], tuple[str, ...]]] = {
    "not JSON": (
        400,
        {"content": b"{age:", "headers": {"content-type": "application/json"}},
        ("JSON",),
    ),
    "a missing column": (422, {"json": [{"age": 70.0}]}, ("income",)),
    "a wrong type": (422, {"json": [{"age": "seventy", "income": 3.0}]}, ("age",)),
    "too many rows": (413, {"json": [GOOD] * 5}, ("5", "4")),
    "too many bytes": (
        413,
        {"content": b" " * 4096, "headers": {"content-type": "application/json"}},
        ("2048",),
    ),
    "a pickle": (
        415,
        {"content": b"\x80\x04.", "headers": {"content-type": "application/vnd.python.pickle"}},
        ("application/json",),
    ),
    "an unknown path": (404, {"json": [], "path": "/nowhere"}, ()),
    "an unknown model": (404, {"json": {}, "path": "/v2/models/other/infer"}, ("other",)),
    "a wrong shape": (
        400,
        {
            "path": "/v2/models/served/infer",
            "json": {"inputs": [{"name": "X", "datatype": "FP32", "shape": [2, 1], "data": [1.0]}]},
        },
        ("shape",),
    ),
}


@pytest.mark.parametrize(("status", "how", "words"), ROWS.values(), ids=ROWS.keys())
def test_a_bad_request_is_explained(
    served: dict[str, Any], status: int, how: dict[str, Any], words: tuple[str, ...]
) -> None:
    answer = post(served, **how)
    assert answer.status_code == status, answer.text
    for word in words:
        assert word in answer.text
    assert answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    # The server goes on.
    assert post(served, json=[GOOD]).json()["predictions"][0]["label"] == "old"


def test_an_unknown_category_is_refused_where_the_contract_says_so(served: dict[str, Any]) -> None:
    answer = post(served, name="strict", json=[{"country": "ES"}])
    assert answer.status_code == 422
    assert "country" in answer.text
    assert "ES" in answer.text


def test_an_unknown_category_is_answered_with_a_warning_by_default(served: dict[str, Any]) -> None:
    answer = post(served, name="lenient", json=[{"country": "DE"}, {"country": "ES"}])
    assert answer.status_code == 200
    violations = answer.json()["violations"]
    assert [(each["column"], each["rule"]) for each in violations] == [
        ("country", "UnknownCategory")
    ]


def test_every_answer_names_model_and_revision(served: dict[str, Any]) -> None:
    answer = post(served, json=[GOOD])
    assert answer.headers["x-model-revision"] == served["served"]["status"]["stableRevision"]


def test_samples_on_disk_are_not_needed_to_ask(served: dict[str, Any], tmp_path: Path) -> None:
    text = "age,income\n70,3\n20,3\n"
    answer = post(served, content=text, headers={"content-type": "text/csv"})
    assert [row["label"] for row in answer.json()["predictions"]] == ["old", "young"]
